//! Highest random weight (Thaler and Ravishankar, 1998): each key has a score with each endpoint,
//! and goes where that is highest; where one goes, its keys alone move.
//!
//! All endpoints are scored for a key. Of many that is remembered for keys of late, so that who
//! comes again is found at once.

use std::cell::RefCell;

use super::hash::mixed;
use super::{Field, Member, is_open};

/// Of up to so many nothing is remembered.
const FEW: usize = 16;

/// How many keys are remembered: each has one of two places, by its last bits and by its first.
const REMEMBERED: usize = 8_192;

/// Where keys of late went.
#[derive(Debug, Default)]
pub(super) struct Rendezvous {
    /// A key, and the endpoint behind it by its number from 1 on; 0 is none.
    memo: RefCell<Vec<(u64, u32)>>,
}

impl Rendezvous {
    pub(super) fn follow(&self, members: &[Member]) {
        let size = if members.len() > FEW { REMEMBERED } else { 0 };
        *self.memo.borrow_mut() = vec![(0, 0); size];
    }

    #[allow(clippy::cast_possible_truncation, reason = "the last bits are meant, and few members")]
    pub(super) fn pick(&self, field: &impl Field, members: &[Member], key: u64) -> Option<usize> {
        let mut memo = self.memo.borrow_mut();
        let places = [key, key >> 40].map(|key| key as usize % REMEMBERED);
        let found = places.iter().filter_map(|place| memo.get(*place));
        for (_, at) in found.filter(|(known, at)| *known == key && *at > 0) {
            if is_open(field, *at as usize - 1) {
                return Some(*at as usize - 1);
            }
        }
        let all = members.iter().enumerate();
        let best = best(all.clone(), key)?;
        if is_open(field, best) {
            let is_free = |place: &&usize| memo.get(**place).is_some_and(|(_, at)| *at == 0);
            let place = *places.iter().find(is_free).unwrap_or(&places[1]);
            if let Some(kept) = memo.get_mut(place) {
                *kept = (key, best as u32 + 1);
            }
            return Some(best);
        }
        self::best(all.filter(|(at, _)| is_open(field, *at)), key)
    }
}

/// The one with the highest score.
fn best<'m>(members: impl Iterator<Item = (usize, &'m Member)> + Clone, key: u64) -> Option<usize> {
    let mut open = members.filter(|(_, member)| member.weight > 0).peekable();
    let weight = open.peek()?.1.weight;
    let mut best: Option<(f64, u64, usize)> = None;
    for (at, member) in open {
        let number = mixed(member.name ^ key);
        // Of equal weights the highest number has the highest score; no need to ask for it.
        let score = match best {
            Some((_, than, _)) if member.weight == weight && number <= than => continue,
            _ => score(number, member.weight),
        };
        if best.is_none_or(|(than, ..)| score > than) {
            let bar = if member.weight == weight { number } else { 0 };
            best = Some((score, bar, at));
        }
    }
    best.map(|(_, _, at)| at)
}

/// −w / ln h for h between 0 and 1: shares are as weighted.
#[allow(clippy::cast_precision_loss, reason = "more bits than a share needs")]
pub(crate) fn score(number: u64, weight: u32) -> f64 {
    let part = (number >> 11) as f64 + 0.5;
    -f64::from(weight) / (part / (1_u64 << 53) as f64).ln()
}
