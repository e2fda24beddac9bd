//! Follows a packet through the chains of this host.

use steelyard_model::{Family, Protocol};

use crate::matching::{Condition, Fits, Traits};
use crate::packet::{BACK_TRANSLATION, Leg, Packet, TRANSLATION, Way};
use crate::rule::{Rule, Step, Verdict};
use crate::ruleset::{Base, Origin, Place, Ruleset, Table};
use crate::words::number;

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

/// A rule that keeps what clients send to a port of a vip, or what they are answered, from
/// arriving.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hindrance {
    /// What it does.
    pub deed: Deed,
    /// To which packet.
    pub leg: Leg,
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
/// The priority at which connection tracking looks at a packet.
const TRACKING: i32 = -200;
/// The priority, in the hook prerouting, at which packets are led to listeners.
const LEADING: i32 = -150;
/// Rules looked at for one packet. A ruleset of chains that all lead to all others ends as well.
const EFFORT: usize = 100_000;

/// Why a packet or its answer does not arrive, or may not: the first rule that is certain, or else
/// possible.
pub fn judge(ruleset: &Ruleset, packet: &Packet) -> Option<Hindrance> {
    let there = Walk::new(packet, Leg::There).go(ruleset);
    if there.as_ref().is_some_and(|it| it.is_certain) {
        return there;
    }
    let back = Walk::new(packet, Leg::Back).go(ruleset);
    if back.as_ref().is_some_and(|it| it.is_certain) { back } else { there.or(back) }
}

impl Packet {
    fn hooks(&self, leg: Leg) -> &'static [&'static str] {
        match (&self.way, leg) {
            (Way::On { is_own: false, .. }, _) => {
                &["ingress", "prerouting", "forward", "postrouting", "egress"]
            }
            (Way::Here { .. } | Way::On { .. }, Leg::There) => &["ingress", "prerouting", "input"],
            (Way::Here { .. } | Way::On { .. }, Leg::Back) => &["output", "postrouting", "egress"],
        }
    }

    /// The interface that the packet comes in by, and the one it leaves by; empty where there is
    /// none, none where it is not known.
    fn links(&self, leg: Leg) -> (Option<&str>, Option<&str>) {
        let client = self.iif.as_deref();
        let endpoint = match &self.way {
            Way::On { oif, is_own: false, .. } => oif.as_deref(),
            Way::Here { .. } | Way::On { .. } => Some(""),
        };
        match leg {
            Leg::There => (client, endpoint),
            Leg::Back => (endpoint, client),
        }
    }
}

impl Ruleset {
    /// Chains that the packet enters at a hook, in their order.
    fn bases<'a>(
        &'a self,
        hook: &str,
        packet: &Packet,
        leg: Leg,
    ) -> Vec<(&'a Table, &'a str, &'a Base)> {
        let family = if packet.vip.is_ipv4() { "ip" } else { "ip6" };
        let mut found: Vec<(&Table, &str, &Base)> = Vec::new();
        for table in &self.tables {
            let sees = match &*table.family {
                "inet" => true,
                "netdev" => matches!(hook, "ingress" | "egress"),
                own => own == family,
            };
            if !sees {
                continue;
            }
            for (name, chain) in &table.chains {
                let Some(base) = chain.base.as_ref().filter(|base| base.hook == hook) else {
                    continue;
                };
                // Only the first packet of a connection is asked how to translate it.
                let is_asked = leg == Leg::There || base.kind != "nat";
                let (iif, oif) = packet.links(leg);
                let at = if hook == "egress" { oif } else { iif };
                let is_at = |link: &str| base.devices.iter().any(|it| it == link);
                if is_asked && (base.devices.is_empty() || at.is_some_and(is_at)) {
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
    fn new(packet: &'a Packet, leg: Leg) -> Self {
        let vip = (packet.vip, packet.port);
        let mut traits = Traits {
            leg,
            family: Family::of(packet.vip),
            protocol: packet.protocol,
            ours: vip,
            vip,
            iif: packet.links(leg).0,
            oif: None,
            is_tracked: true,
            is_translated: false,
            mark: 0,
            connection_mark: 0,
            is_local: false,
        };
        match (&packet.way, leg) {
            (Way::Here { mark, .. }, Leg::Back) => traits.connection_mark = *mark,
            (Way::On { to, is_own, .. }, Leg::Back) => {
                traits.translate((to.ip(), to.port()), *is_own)
            }
            (_, Leg::There) => {}
        }
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

    /// The whole way; until something certain is found.
    fn go(mut self, ruleset: &Ruleset) -> Option<Hindrance> {
        let leg = self.traits.leg;
        for hook in self.packet.hooks(leg) {
            for (table, name, base) in ruleset.bases(hook, self.packet, leg) {
                self.enter(hook, base);
                self.base(table, name, base);
                if self.found.as_ref().is_some_and(|it| it.is_certain) {
                    return self.found;
                }
            }
        }
        self.found
    }

    /// What we did to the packet before it comes to `base`.
    fn enter(&mut self, hook: &str, base: &Base) {
        self.base = (base.priority, base.kind == "nat");
        let is_routed = !matches!(hook, "ingress" | "prerouting");
        let is_behind = |priority| match hook {
            "ingress" => false,
            "prerouting" => base.priority > priority,
            _ => true,
        };
        let (traits, packet) = (&mut self.traits, self.packet);
        traits.oif = packet.links(traits.leg).1.filter(|_| is_routed);
        match (&packet.way, traits.leg) {
            (Way::Here { mark, marked_at, .. }, Leg::There) if is_behind(*marked_at) => {
                traits.mark |= mark;
            }
            (Way::On { to, is_own, .. }, Leg::There) if is_behind(TRANSLATION) => {
                traits.translate((to.ip(), to.port()), *is_own);
            }
            (Way::On { .. }, Leg::Back) => {
                let is_last = hook == "postrouting" && base.priority > BACK_TRANSLATION;
                if is_last || hook == "egress" {
                    (traits.ours, traits.is_local) = (traits.vip, false);
                }
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
                Step::Redirect | Step::RedirectHere => {
                    if *step == Step::Redirect || !self.has_socket() {
                        self.redirect(rule, fits.max(doubt));
                    }
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
            let (leg, is_ufw) = (self.traits.leg, self.is_ufw);
            self.found = Some(Hindrance { deed, leg, is_certain, is_ufw, place, rule });
        }
    }

    fn set_mark(&mut self, value: &[String], rule: &Rule, doubt: Doubt) {
        let Some(mark) = computed(value, self.traits.mark) else { return };
        let (Way::Here { mark: ours, .. }, Leg::There) = (&self.packet.way, self.traits.leg) else {
            return;
        };
        let had = self.traits.mark & ours == *ours;
        if had && mark & ours != *ours {
            self.note(Deed::Unmarks, doubt, &rule.text);
        }
        if doubt == Fits::Yes {
            self.traits.mark = mark;
        }
    }

    fn untrack(&mut self, rule: &Rule, doubt: Doubt) {
        let is_early = match self.traits.leg {
            Leg::There => !self.traits.is_translated,
            Leg::Back => self.base.0 < TRACKING,
        };
        if matches!(self.packet.way, Way::On { .. }) && is_early {
            self.note(Deed::Untracks, doubt, &rule.text);
        }
        if doubt == Fits::Yes {
            self.traits.is_tracked = false;
        }
    }

    /// Whether the packet was led to a listener already: it stays with it as long as it is for this
    /// host.
    fn has_socket(&self) -> bool {
        let leads = matches!(self.packet.way, Way::Here { leads: true, .. });
        leads && self.packet.protocol == Protocol::Tcp && self.base.0 > LEADING
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
