//! Who has a session at a port, in the order in which they were last heard: bounded in number and
//! in time, whoever sends.
//!
//! Who was heard again after an answer is at the address that it sends from, most likely: who makes
//! room is somebody else, as long as there is one. So whoever sends from addresses that are not its
//! own keeps out others like it, and ends few who are there. (Linux' conntrack has it the same way,
//! by the status `ASSURED`.)
//!
//! Each step costs the same however many there are; who is heard of is the newest.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// Sessions, by whose they are.
pub(crate) struct Sessions<K, V> {
    /// Keys are of clients' choice, so they are hashed with a secret.
    places: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    free: Vec<usize>,
    most: usize,
}

/// A session among its neighbours in time, of those who are proven or those who are not. The first
/// two slots are nobody's, and each stands between the newest and the oldest of its own.
struct Slot<K, V> {
    held: Option<(K, V)>,
    /// The slot of those it is among.
    among: usize,
    heard: Instant,
    older: usize,
    newer: usize,
}

/// The slots that are nobody's: of those who may be anybody, and of those who are proven.
const ANYBODY: usize = 0;
const PROVEN: usize = 1;

impl<K: Hash + Eq + Clone, V> Sessions<K, V> {
    /// None yet, and `most` at a time.
    pub(crate) fn new(most: usize, now: Instant) -> Self {
        let end = |at| Slot { held: None, among: at, heard: now, older: at, newer: at };
        let slots = [ANYBODY, PROVEN].map(end).into();
        Self { places: HashMap::new(), slots, free: Vec::new(), most }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The session of `key`, who is heard now: again after an answer, if `is_answered` says so.
    pub(crate) fn hear(
        &mut self,
        key: &K,
        now: Instant,
        is_answered: impl FnOnce(&V) -> bool,
    ) -> Option<&V> {
        let at = *self.places.get(key)?;
        self.unlink(at);
        if self.slots[at].held.as_ref().is_some_and(|(_, value)| is_answered(value)) {
            self.slots[at].among = PROVEN;
        }
        self.link(at, now);
        self.slots[at].held.as_ref().map(|(_, value)| value)
    }

    /// Begins a session; the one that makes room for it, if it has to.
    pub(crate) fn begin(&mut self, key: K, value: V, now: Instant) -> Option<V> {
        let former = self.end(&key);
        let silent = (self.len() >= self.most).then(|| self.end_oldest()).flatten();
        let held = Some((key.clone(), value));
        let slot = Slot { held, among: ANYBODY, heard: now, older: ANYBODY, newer: ANYBODY };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.link(at, now);
        self.places.insert(key, at);
        former.or(silent)
    }

    /// Ends the session of `key`.
    pub(crate) fn end(&mut self, key: &K) -> Option<V> {
        let at = self.places.remove(key)?;
        self.unlink(at);
        self.free.push(at);
        self.slots[at].held.take().map(|(_, value)| value)
    }

    /// Ends the session that was silent longest, of those who are not proven if there are any.
    pub(crate) fn end_oldest(&mut self) -> Option<V> {
        let oldest = |end: usize| self.slots[self.slots[end].newer].held.as_ref();
        let (key, _) = oldest(ANYBODY).or_else(|| oldest(PROVEN))?;
        let key = key.clone();
        self.end(&key)
    }

    /// Ends those who were not heard since `since`, unless `heard` of them tells of a later time.
    pub(crate) fn end_silent(&mut self, since: Instant, heard: impl Fn(&V) -> Instant) -> usize {
        let before = self.len();
        for end in [ANYBODY, PROVEN] {
            loop {
                let at = self.slots[end].newer;
                let Some((key, value)) = &self.slots[at].held else { break };
                if self.slots[at].heard > since {
                    break;
                }
                let (key, last) = (key.clone(), heard(value));
                if last > since {
                    self.unlink(at);
                    self.link(at, last);
                } else {
                    self.end(&key);
                }
            }
        }
        before - self.len()
    }

    /// All of them.
    pub(crate) fn each(&self, mut see: impl FnMut(&K, &V)) {
        let all = self.slots.iter().filter_map(|slot| slot.held.as_ref());
        all.for_each(|(key, value)| see(key, value));
    }

    /// Ends those that are not to stay.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&K, &V) -> bool) {
        let all = self.slots.iter().filter_map(|slot| slot.held.as_ref());
        let gone = all.filter(|(key, value)| !stays(key, value)).map(|(key, _)| key.clone());
        for key in gone.collect::<Vec<_>>() {
            self.end(&key);
        }
    }

    fn link(&mut self, at: usize, heard: Instant) {
        let end = self.slots[at].among;
        let newest = self.slots[end].older;
        let slot = &mut self.slots[at];
        (slot.heard, slot.older, slot.newer) = (heard, newest, end);
        self.slots[newest].newer = at;
        self.slots[end].older = at;
    }

    fn unlink(&mut self, at: usize) {
        let Slot { older, newer, .. } = self.slots[at];
        self.slots[older].newer = newer;
        self.slots[newer].older = older;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn at(begin: Instant, second: u64) -> Instant {
        begin + Duration::from_secs(second)
    }

    /// Against a plain list, for a thousand steps of a few clients.
    #[test]
    fn it_is_what_a_plain_list_would_be() {
        const MOST: usize = 5;
        let begin = Instant::now();
        let mut sessions: Sessions<u64, u64> = Sessions::new(MOST, begin);
        // The value, when it was heard, and whether it is proven: those of odd values are.
        let mut plain: BTreeMap<u64, (u64, u64, bool)> = BTreeMap::new();
        let mut seed = 1_u64;
        for second in 1..1_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (step, key) = ((seed >> 33) % 4, (seed >> 40) % 9);
            match step {
                0 | 1 => {
                    let is_odd = |value: &u64| value % 2 == 1;
                    let heard = sessions.hear(&key, at(begin, second), is_odd).copied();
                    assert_eq!(heard, plain.get(&key).map(|it| it.0));
                    if let Some(known) = plain.get_mut(&key) {
                        (known.1, known.2) = (second, is_odd(&known.0));
                    } else {
                        let silent = plain.iter().min_by_key(|(_, it)| (it.2, it.1));
                        let silent = silent.map(|it| *it.0);
                        let silent = silent.filter(|_| plain.len() >= MOST);
                        let silent = silent.and_then(|it| plain.remove(&it)).map(|it| it.0);
                        assert_eq!(sessions.begin(key, second, at(begin, second)), silent);
                        plain.insert(key, (second, second, false));
                    }
                }
                2 => {
                    let ended = sessions.end(&key);
                    assert_eq!(ended, plain.remove(&key).map(|it| it.0));
                }
                _ => {
                    let since = second.saturating_sub(12);
                    sessions.end_silent(at(begin, since), |_| begin);
                    plain.retain(|_, it| it.1 > since);
                }
            }
            assert_eq!(sessions.len(), plain.len());
            assert!(sessions.slots.len() <= MOST + 3, "slots are used again");
        }
    }

    #[test]
    fn who_is_answered_is_not_silent() {
        let begin = Instant::now();
        let mut sessions: Sessions<&str, u64> = Sessions::new(9, begin);
        sessions.begin("answered", 8, at(begin, 1));
        sessions.begin("silent", 0, at(begin, 2));
        let answered = |second: &u64| at(begin, *second);
        assert_eq!(sessions.end_silent(at(begin, 5), answered), 1);
        assert!(sessions.hear(&"answered", at(begin, 6), |_| false).is_some());
        sessions.retain(|key, _| *key != "answered");
        assert_eq!(sessions.len(), 0);
    }
}
