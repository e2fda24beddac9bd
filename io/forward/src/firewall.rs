//! Finds out, from what `nft list` prints, whether another firewall drops the packets we forward.
//! Pure.
//!
//! It follows rules without a condition (and `ct status dnat`, which all our packets meet) through
//! the chains of one table. A rule with another condition is passed over; so it may take a
//! firewall for stricter than it is, never for laxer than its policy. Rules made with
//! iptables-legacy are not seen by nft, and so not by us.

use std::collections::BTreeMap;

use steelyard_model::Family;

/// A table as printed: its chains, in which one may jump to another.
#[derive(Debug, Default)]
pub(crate) struct Table {
    family: String,
    name: String,
    chains: BTreeMap<String, Chain>,
}

#[derive(Debug, Default)]
struct Chain {
    forward: bool,
    drop: bool,
    rules: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Accept,
    Drop,
}

/// Chains refer to each other at most this deep (the kernel's own bound).
const DEPTH: usize = 16;

impl Table {
    /// The tables in the output of `nft list ruleset`, `list chains` or `list table`.
    pub(crate) fn parse(text: &str) -> Vec<Self> {
        let mut tables: Vec<Self> = Vec::new();
        let mut chain: Option<String> = None;
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["table", family, name, "{"] => {
                    let (family, name) = (family.to_owned(), name.to_owned());
                    tables.push(Self { family, name, chains: BTreeMap::new() });
                }
                ["chain", name, "{"] => chain = Some(name.to_owned()),
                ["}"] => chain = None,
                _ => {
                    let table = tables.last_mut();
                    if let (Some(table), Some(name)) = (table, &chain) {
                        table.chains.entry(name.clone()).or_default().read(line, &words);
                    }
                }
            }
        }
        tables
    }

    /// Family and name, as nft wants them.
    pub(crate) fn id(&self) -> (&str, &str) {
        (&self.family, &self.name)
    }

    /// Families whose translated packets it drops, and the chain that does.
    pub(crate) fn drops(&self) -> Option<(&'static [Family], String)> {
        let families: &[Family] = match self.family.as_str() {
            "ip" => &[Family::V4],
            "ip6" => &[Family::V6],
            "inet" => &[Family::V4, Family::V6],
            _ => return None,
        };
        let (name, _) = self.chains.iter().find(|(name, chain)| {
            let policy = if chain.drop { Verdict::Drop } else { Verdict::Accept };
            chain.forward && self.verdict(name, DEPTH).unwrap_or(policy) == Verdict::Drop
        })?;
        Some((families, format!("table {} {} chain {name}", self.family, self.name)))
    }

    fn verdict(&self, chain: &str, depth: usize) -> Option<Verdict> {
        let chain = self.chains.get(chain)?;
        for rule in &chain.rules {
            let rule = rule.strip_prefix("ct status dnat ").unwrap_or(rule);
            let words: Vec<&str> = rule.split_whitespace().collect();
            let (found, ends) = match words[..] {
                ["accept"] => (Some(Verdict::Accept), true),
                ["drop"] | ["reject", ..] => (Some(Verdict::Drop), true),
                ["return"] => (None, true),
                ["jump", to] if depth > 0 => (self.verdict(to, depth - 1), false),
                ["goto", to] if depth > 0 => (self.verdict(to, depth - 1), true),
                _ => continue,
            };
            if ends || found.is_some() {
                return found;
            }
        }
        None
    }
}

impl Chain {
    fn read(&mut self, line: &str, words: &[&str]) {
        if words.first() == Some(&"type") && words.contains(&"hook") {
            self.forward = words.windows(2).any(|pair| pair == ["hook", "forward"]);
            self.drop = line.contains("policy drop");
        } else if !words.is_empty() {
            self.rules.push(plain(words));
        }
    }
}

/// The rule without its counters and comments, which decide nothing.
fn plain(words: &[&str]) -> String {
    let mut kept = Vec::new();
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        match word {
            "comment" | "#" => break,
            "counter" => drop(rest.by_ref().nth(3)),
            word => kept.push(word),
        }
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Family] = &[Family::V4, Family::V6];

    fn drops(text: &str) -> Vec<(&'static [Family], String)> {
        Table::parse(text).iter().filter_map(Table::drops).collect()
    }

    fn filter(family: &str, policy: &str, rules: &str) -> String {
        format!(
            "table {family} filter {{\n\tchain FORWARD {{\n\t\ttype filter hook forward priority \
             filter; policy {policy};\n{rules}\n\t}}\n\n\tchain DOCKER-USER {{\n\t\tct status \
             dnat counter packets 0 bytes 0 accept\n\t}}\n\n\tchain LAST {{\n\t\treturn\n\t}}\n}}\n"
        )
    }

    #[test]
    fn firewalls_are_told_apart() {
        let v4: &[Family] = &[Family::V4];
        let table: &[(&str, &str, &str, Option<&[Family]>)] = &[
            ("ip", "accept", "", None),
            ("ip", "drop", "", Some(v4)),
            ("inet", "drop", "", Some(BOTH)),
            ("bridge", "drop", "", None),
            (
                "ip",
                "drop",
                "ct state related,established counter packets 1 bytes 2 accept",
                Some(v4),
            ),
            ("ip", "drop", "ct status dnat accept", None),
            ("ip", "drop", "counter packets 9 bytes 9 jump DOCKER-USER", None),
            ("ip", "drop", "oifname \"docker0\" jump DOCKER-USER", Some(v4)),
            ("ip", "drop", "counter packets 9 bytes 9 jump LAST", Some(v4)),
            ("ip", "drop", "jump FORWARD", Some(v4)),
            ("inet", "accept", "ct status dnat accept\nreject with icmpx admin-prohibited", None),
            (
                "inet",
                "accept",
                "iifname \"lo\" accept\nreject with icmpx admin-prohibited",
                Some(BOTH),
            ),
            ("ip", "accept", "counter packets 0 bytes 0 drop comment \"all\"", Some(v4)),
            ("ip", "accept", "ip saddr 10.0.0.0/8 drop", None),
        ];
        for (family, policy, rules, want) in table {
            let found = drops(&filter(family, policy, rules));
            let found = found.first().map(|(families, _)| *families);
            assert_eq!(found, *want, "{family} {policy} {rules}");
        }
    }

    #[test]
    fn the_chain_is_named_and_other_hooks_are_left_alone() {
        let named = drops(&filter("ip", "drop", ""));
        assert_eq!(named[0].1, "table ip filter chain FORWARD");
        let input = filter("ip", "drop", "").replace("hook forward", "hook input");
        assert_eq!(drops(&input), []);
    }

    #[test]
    fn anything_is_read_without_a_panic() {
        for text in ["", "}", "chain x {", "table ip", "table ip a {\nchain b {\ncounter\n#\n}"] {
            assert_eq!(drops(text), []);
        }
    }
}
