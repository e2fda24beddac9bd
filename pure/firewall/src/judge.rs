//! Follows a packet through the chains of this host.

use steelyard_model::Family;

use crate::matching::{Condition, Fits, Traits};
use crate::packet::{Packet, TRANSLATION, Way};
use crate::rule::{Rule, Step, Verdict, number};
use crate::ruleset::{Base, Origin, Place, Ruleset, Table};

/// What a rule does that keeps a packet from where we lead it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Drops or refuses it.
    Drops,
    /// Takes our bit off its mark.
    Unmarks,
    /// Keeps connection tracking from it, without which nothing is translated.
    Untracks,
    /// Sends it elsewhere.
    Redirects,
}

/// A rule that keeps what clients send to a port of a vip from arriving.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hindrance {
    /// What it does.
    pub deed: Deed,
    /// Every client's packets meet it. Otherwise something before it is not understood, and they
    /// may.
    pub is_certain: bool,
    /// In which chain.
    pub place: Place,
    /// The table is one of ufw's.
    pub(crate) is_ufw: bool,
    /// The rule; for the end of a chain `policy drop`.
    pub rule: String,
}

/// Chains refer to each other at most this deep (the kernel's own bound).
const DEPTH: usize = 16;
/// Rules looked at for one packet. A ruleset of chains that all lead to all others ends as well.
const EFFORT: usize = 100_000;

/// Why a packet does not arrive, or may not: the first rule that is certain, or else possible.
pub fn judge(ruleset: &Ruleset, packet: &Packet) -> Option<Hindrance> {
    let mut walk = Walk::new(packet);
    for hook in packet.hooks() {
        for (table, name, base) in ruleset.bases(hook, packet) {
            walk.enter(hook, base);
            walk.base(table, name, base);
            if walk.found.as_ref().is_some_and(|it| it.is_certain) {
                return walk.found;
            }
        }
    }
    walk.found
}

impl Packet {
    fn hooks(&self) -> &'static [&'static str] {
        match &self.way {
            Way::On { is_own: false, .. } => &["ingress", "prerouting", "forward", "postrouting"],
            Way::Here { .. } | Way::On { .. } => &["ingress", "prerouting", "input"],
        }
    }
}

impl Ruleset {
    /// Chains that the packet enters at a hook, in their order.
    fn bases<'a>(&'a self, hook: &str, packet: &Packet) -> Vec<(&'a Table, &'a str, &'a Base)> {
        let family = if packet.vip.is_ipv4() { "ip" } else { "ip6" };
        let mut found: Vec<(&Table, &str, &Base)> = Vec::new();
        for table in &self.tables {
            let sees = match &*table.family {
                "inet" => true,
                "netdev" => hook == "ingress",
                own => own == family,
            };
            if !sees {
                continue;
            }
            for (name, chain) in &table.chains {
                let Some(base) = chain.base.as_ref().filter(|base| base.hook == hook) else {
                    continue;
                };
                let known = packet.iif.as_ref();
                let is_for =
                    base.devices.is_empty() || known.is_some_and(|iif| base.devices.contains(iif));
                if is_for {
                    found.push((table, name, base));
                }
            }
        }
        found.sort_by_key(|(table, _, base)| (base.priority, table.origin));
        found
    }
}

/// How sure it is that a packet meets the next rule: what was not understood, or holds for some
/// clients, may have ended its way before.
type Doubt = Fits;

struct Walk<'a> {
    packet: &'a Packet,
    traits: Traits<'a>,
    place: Place,
    /// Priority, and whether the chain is one of translation.
    base: (i32, bool),
    is_ufw: bool,
    effort: usize,
    found: Option<Hindrance>,
}

/// What came of a chain.
#[derive(PartialEq, Eq)]
enum End {
    /// The packet goes on behind it; with how much doubt.
    Through(Doubt),
    /// Its way through the base chain ended.
    Ended(Fate),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Accepted,
    Dropped,
}

impl<'a> Walk<'a> {
    fn new(packet: &'a Packet) -> Self {
        let traits = Traits {
            family: Family::of(packet.vip),
            protocol: packet.protocol,
            destination: packet.vip,
            port: packet.port,
            vip: (packet.vip, packet.port),
            iif: packet.iif.as_deref(),
            oif: None,
            is_tracked: true,
            is_translated: false,
            mark: 0,
            is_local: false,
        };
        let place = Place {
            origin: Origin::Nftables,
            family: String::new(),
            hook: String::new(),
            table: String::new(),
            base: String::new(),
            chain: String::new(),
        };
        Self { packet, traits, place, base: (0, false), is_ufw: false, effort: EFFORT, found: None }
    }

    /// What we did to the packet before it comes to `base`.
    fn enter(&mut self, hook: &str, base: &Base) {
        self.base = (base.priority, base.kind == "nat");
        let is_behind = |priority| match hook {
            "ingress" => false,
            "prerouting" => base.priority > priority,
            _ => true,
        };
        match &self.packet.way {
            Way::Here { mark, marked_at } if is_behind(*marked_at) => self.traits.mark |= mark,
            Way::On { to, oif, is_own } if is_behind(TRANSLATION) => {
                (self.traits.destination, self.traits.port) = (to.ip(), to.port());
                (self.traits.is_translated, self.traits.is_local) = (true, *is_own);
                self.traits.oif = oif.as_deref().filter(|_| hook != "prerouting");
            }
            _ => {}
        }
    }

    fn base(&mut self, table: &Table, name: &str, base: &Base) {
        self.place.origin = table.origin;
        self.place.family.clone_from(&table.family);
        self.place.hook.clone_from(&base.hook);
        self.place.table.clone_from(&table.name);
        name.clone_into(&mut self.place.base);
        self.is_ufw = table.chains.keys().any(|it| it.starts_with("ufw"));
        if let End::Through(doubt) = self.chain(table, name, Fits::Yes, DEPTH)
            && base.drops
        {
            name.clone_into(&mut self.place.chain);
            self.note(Deed::Drops, doubt, "policy drop");
        }
    }

    fn chain(&mut self, table: &Table, name: &str, doubt: Doubt, depth: usize) -> End {
        let Some(chain) = table.chains.get(name) else { return End::Through(doubt) };
        let (outside, mut doubt) = (doubt, doubt);
        // Of those who go on behind this chain, and of those who went there early.
        let (mut after, mut returned) = (Fits::Yes, None);
        for rule in &chain.rules {
            if self.effort == 0 {
                return End::Through(Fits::Unknown);
            }
            self.effort -= 1;
            name.clone_into(&mut self.place.chain);
            match self.rule(table, rule, doubt, depth) {
                Next::Rule => {}
                Next::Less(more) => {
                    (doubt, after) = (doubt.max(more), after.max(more));
                }
                // Whoever returned goes on behind this chain, so there the doubt is not.
                Next::LessHere(more) => {
                    doubt = doubt.max(more);
                    returned = returned.max(Some(more));
                }
                Next::Return => break,
                Next::Ended(fate) => {
                    return match (fate, returned) {
                        (_, None) => End::Ended(fate),
                        // Behind this chain there are only those who returned: nobody else came
                        // through.
                        (Fate::Dropped, Some(_)) => End::Through(outside.max(after)),
                        (Fate::Accepted, Some(more)) => End::Through(outside.max(after).max(more)),
                    };
                }
            }
        }
        End::Through(outside.max(after))
    }

    fn rule(&mut self, table: &Table, rule: &Rule, doubt: Doubt, depth: usize) -> Next {
        let mut fits = Fits::Yes;
        for step in &rule.steps {
            match step {
                Step::If(condition) => match self.meets(condition) {
                    Fits::No => return Next::Rule,
                    more => fits = fits.max(more),
                },
                Step::Do(verdict) => {
                    return self.act(table, verdict, rule, (fits, doubt), depth);
                }
                Step::Choose(key, choices) => {
                    let mut doubt = doubt;
                    for (value, verdict) in choices {
                        let fits = match key.fits(None, value, &self.traits) {
                            Fits::No => continue,
                            more => fits.max(more),
                        };
                        match self.act(table, verdict, rule, (fits, doubt), depth) {
                            Next::Rule => {}
                            Next::Less(more) | Next::LessHere(more) => doubt = doubt.max(more),
                            end => return end,
                        }
                    }
                }
                Step::SetMark(value) => self.set_mark(value, rule, fits.max(doubt)),
                Step::Untrack => self.untrack(rule, fits.max(doubt)),
                Step::Redirect => {
                    self.redirect(rule, fits.max(doubt));
                    return end_in(fits, Fate::Accepted);
                }
            }
        }
        Next::Rule
    }

    fn meets(&self, condition: &Condition) -> Fits {
        condition.fits(&self.traits)
    }

    fn act(
        &mut self,
        table: &Table,
        verdict: &Verdict,
        rule: &Rule,
        (fits, doubt): (Fits, Doubt),
        depth: usize,
    ) -> Next {
        match verdict {
            Verdict::GoOn => Next::Rule,
            Verdict::Accept => end_in(fits, Fate::Accepted),
            Verdict::Drop => {
                self.note(Deed::Drops, fits.max(doubt), &rule.text);
                end_in(fits, Fate::Dropped)
            }
            Verdict::Return if fits == Fits::Yes => Next::Return,
            Verdict::Return => Next::LessHere(fits),
            Verdict::Jump(to) | Verdict::Goto(to) if depth > 0 => {
                let inside = fits.max(doubt);
                let came = self.chain(table, to, inside, depth - 1);
                let goes = matches!(verdict, Verdict::Goto(_));
                match came {
                    End::Ended(fate) => end_in(fits, fate),
                    End::Through(_) if goes && fits == Fits::Yes => Next::Return,
                    End::Through(_) if goes => Next::LessHere(fits),
                    End::Through(after) if after > inside => Next::Less(after),
                    End::Through(_) => Next::Rule,
                }
            }
            Verdict::Jump(_) | Verdict::Goto(_) => Next::Less(Fits::Unknown),
        }
    }

    fn note(&mut self, deed: Deed, doubt: Doubt, rule: &str) {
        // What is done to some clients is meant so.
        if matches!(doubt, Fits::Some | Fits::No) {
            return;
        }
        let is_certain = doubt == Fits::Yes;
        if is_certain || self.found.is_none() {
            let (place, rule) = (self.place.clone(), rule.to_owned());
            let is_ufw = self.is_ufw;
            self.found = Some(Hindrance { deed, is_certain, is_ufw, place, rule });
        }
    }

    fn set_mark(&mut self, value: &[String], rule: &Rule, doubt: Doubt) {
        let Some(mark) = computed(value, self.traits.mark) else { return };
        let Way::Here { mark: ours, .. } = self.packet.way else { return };
        let had = self.traits.mark & ours == ours;
        if had && mark & ours != ours {
            self.note(Deed::Unmarks, doubt, &rule.text);
        }
        if doubt == Fits::Yes {
            self.traits.mark = mark;
        }
    }

    fn untrack(&mut self, rule: &Rule, doubt: Doubt) {
        if matches!(self.packet.way, Way::On { .. }) && !self.traits.is_translated {
            self.note(Deed::Untracks, doubt, &rule.text);
        }
        if doubt == Fits::Yes {
            self.traits.is_tracked = false;
        }
    }

    /// Whoever translates first has the packet: we, or this rule. At our own priority that is a
    /// matter of who came first.
    fn redirect(&mut self, rule: &Rule, doubt: Doubt) {
        let (priority, is_nat) = self.base;
        let first = match self.packet.way {
            Way::On { .. } if is_nat && priority > TRANSLATION => return,
            Way::On { .. } if is_nat && priority == TRANSLATION => Fits::Unknown,
            _ => Fits::Yes,
        };
        self.note(Deed::Redirects, doubt.max(first), &rule.text);
    }
}

/// What follows a rule.
enum Next {
    /// The next one.
    Rule,
    /// The next one, for those whose way did not end: so surely.
    Less(Doubt),
    /// The same, but only in this chain.
    LessHere(Doubt),
    /// What is behind this chain.
    Return,
    /// The next base chain.
    Ended(Fate),
}

/// The way of those who meet a rule ends there. If it drops them, the others meet the next rule as
/// surely as before: whoever is left, nobody came through.
fn end_in(fits: Fits, fate: Fate) -> Next {
    match fate {
        _ if fits == Fits::Yes => Next::Ended(fate),
        Fate::Dropped => Next::Rule,
        Fate::Accepted => Next::Less(fits),
    }
}

/// `0x1`, `meta mark or 0x1`, `mark and 0xff xor 0x1`, `ct mark`
fn computed(words: &[String], now: u32) -> Option<u32> {
    let words: Vec<&str> =
        words.iter().map(|word| word.trim_matches(['(', ')'])).filter(|it| *it != "meta").collect();
    let (start, rest) = match words[..] {
        ["ct", "mark", ..] => (0, &words[2..]),
        ["mark", ..] => (now, &words[1..]),
        [value, ..] => (number(value)?, &words[1..]),
        [] => return None,
    };
    rest.chunks(2).try_fold(start, |mark, pair| {
        let value = number(pair.get(1)?)?;
        Some(match pair[0] {
            "or" | "|" => mark | value,
            "and" | "&" => mark & value,
            "xor" | "^" => mark ^ value,
            _ => return None,
        })
    })
}
