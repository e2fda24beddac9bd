//! Tables, chains and rules as they are printed.

use std::collections::BTreeMap;
use std::fmt;

use crate::rule::Rule;
use crate::words::{Word, split};

/// All tables of this host that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    pub(crate) tables: Vec<Table>,
}

/// Which of the kernel's packet filters a table is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// nftables, and what iptables-nft makes.
    Nftables,
    /// iptables-legacy, which `nft` does not show.
    Legacy,
}

/// A chain, by which people find it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Where the table is.
    pub origin: Origin,
    /// `ip`, `ip6`, `inet`, `netdev` or `bridge`.
    pub family: String,
    /// Name of the table.
    pub table: String,
    /// The kernel's hook that the chain's base hangs on.
    pub hook: String,
    /// Name of the chain that a packet enters by.
    pub base: String,
    /// Name of the chain.
    pub chain: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) origin: Origin,
    pub(crate) family: String,
    pub(crate) name: String,
    pub(crate) chains: BTreeMap<String, Chain>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Where packets enter it; none for one that is only jumped to.
    pub(crate) base: Option<Base>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) kind: String,
    pub(crate) hook: String,
    /// Of the hook ingress: the interfaces it is for; empty for all.
    pub(crate) devices: Vec<String>,
    pub(crate) priority: i32,
    pub(crate) drops: bool,
}

impl Ruleset {
    /// What `nft --terse list ruleset` printed.
    pub fn parse(text: &str) -> Self {
        let mut tables: Vec<Table> = Vec::new();
        let mut chain: Option<String> = None;
        // Sets, maps, flowtables and the like: nothing in them is a rule.
        let mut inside_other = false;
        for line in text.lines() {
            let words = split(line);
            let plain: Vec<&str> = words.iter().filter_map(Word::plain).collect();
            match plain[..] {
                ["table", family, name] => {
                    tables.push(Table::new(Origin::Nftables, family, name));
                    (chain, inside_other) = (None, false);
                }
                ["chain", name] if !inside_other => chain = Some(name.to_owned()),
                ["set" | "map" | "flowtable" | "counter" | "quota" | "limit", _]
                    if chain.is_none() && line.trim_end().ends_with('{') =>
                {
                    inside_other = true;
                }
                _ if line.trim() == "}" => (chain, inside_other) = (None, false),
                _ => {
                    if let (Some(table), Some(name)) = (tables.last_mut(), &chain) {
                        table.chains.entry(name.clone()).or_default().read(
                            line,
                            &words,
                            &table.family,
                        );
                    }
                }
            }
        }
        Self { tables }
    }

    /// What `iptables-restore-translate` made of what `iptables-legacy-save` printed.
    pub fn parse_legacy(text: &str) -> Self {
        let mut ruleset = Self::default();
        for line in text.lines() {
            ruleset.read_translated(line);
        }
        ruleset
    }

    /// Adds the tables of `other`.
    pub fn merge(&mut self, other: Self) {
        self.tables.extend(other.tables);
    }

    /// Without the tables called `name`: our own.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.tables.retain(|table| table.origin != Origin::Nftables || table.name != name);
        self
    }

    fn read_translated(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["add", "table", family, name] => {
                self.tables.push(Table::new(Origin::Legacy, family, name));
            }
            ["add", "chain" | "rule", family, table, chain, ..] => {
                let Some(table) = self.legacy(table) else { return };
                let rest = line.split_once(&format!(" {chain}")).map_or("", |(_, rest)| rest);
                let chain = table.chains.entry(chain.to_owned()).or_default();
                if words[1] == "rule" {
                    chain.read(rest, &split(rest), family);
                } else {
                    let base = rest.trim().trim_start_matches('{').trim_end_matches('}');
                    chain.read(base, &split(base), family);
                }
            }
            // A rule that could not be translated.
            ["#", "-t", table, "-A", chain, ..] => {
                let Some(table) = self.legacy(table) else { return };
                let rule = Rule::untranslated(line.trim_start_matches("# "));
                table.chains.entry(chain.to_owned()).or_default().rules.push(rule);
            }
            _ => {}
        }
    }

    fn legacy(&mut self, name: &str) -> Option<&mut Table> {
        self.tables.iter_mut().rev().find(|table| table.name == name)
    }
}

impl Table {
    fn new(origin: Origin, family: &str, name: &str) -> Self {
        let (family, name) = (family.to_owned(), name.to_owned());
        Self { origin, family, name, chains: BTreeMap::new() }
    }
}

impl Chain {
    fn read(&mut self, line: &str, words: &[Word], family: &str) {
        let plain = |at: usize| words.get(at).and_then(Word::plain).unwrap_or_default();
        if words.is_empty() || plain(0) == "comment" {
            return;
        }
        if plain(0) == "type" && plain(2) == "hook" {
            self.base = Some(Base::read(line, words, family));
        } else {
            self.rules.push(Rule::read(words));
        }
    }
}

impl Base {
    fn read(line: &str, words: &[Word], family: &str) -> Self {
        let after = |name: &str| {
            let at = words.iter().position(|word| word.plain() == Some(name))?;
            words.get(at + 1)
        };
        let plain = |name: &str| after(name).and_then(Word::plain).unwrap_or_default();
        let devices = after("device").or_else(|| after("devices")).or_else(|| {
            let equals = words.iter().position(|word| word.plain() == Some("devices"))?;
            words.get(equals + 2)
        });
        let devices = match devices {
            Some(Word::Group(devices)) => devices.clone(),
            Some(Word::Plain(device)) if device == "=" => {
                match words.iter().find(|it| it.plain().is_none()) {
                    Some(group) => group.values(),
                    None => Vec::new(),
                }
            }
            Some(Word::Plain(device)) => vec![device.clone()],
            None => Vec::new(),
        };
        let priority = line.split_once("priority ").map_or("", |(_, rest)| rest);
        let priority = priority.split(';').next().unwrap_or_default();
        Self {
            kind: plain("type").to_owned(),
            hook: plain("hook").to_owned(),
            devices,
            priority: number(priority, family == "bridge"),
            drops: line.contains("policy drop"),
        }
    }
}

/// `mangle + 10`, `-90`, `filter`
fn number(text: &str, is_bridge: bool) -> i32 {
    let mut sum = 0;
    let mut sign = 1;
    for word in text.split_whitespace() {
        match word {
            "+" => sign = 1,
            "-" => sign = -1,
            word => {
                sum += sign * word.parse().unwrap_or_else(|_| named(word, is_bridge));
                sign = 1;
            }
        }
    }
    sum
}

/// Standard priorities: nft(8), "Standard priority names".
fn named(word: &str, is_bridge: bool) -> i32 {
    match (word, is_bridge) {
        ("raw", _) | ("dstnat", true) => -300,
        ("filter", true) => -200,
        ("mangle", _) => -150,
        ("dstnat", false) => -100,
        ("security", _) => 50,
        ("srcnat" | "out", false) | ("out", true) => 100,
        ("srcnat", true) => 300,
        _ => 0,
    }
}

/// `table ip filter chain INPUT`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, family, table, chain, .. } = self;
        match origin {
            Origin::Nftables => write!(f, "table {family} {table} chain {chain}"),
            Origin::Legacy => write!(f, "iptables-legacy table {table} chain {chain} ({family})"),
        }
    }
}
