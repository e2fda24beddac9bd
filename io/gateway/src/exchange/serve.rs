//! What is done beside a request: copies of it go to others, whose answers nobody gets, and another
//! backend is asked when the first one's answer is a failure.
//!
//! Invariants: a copy waits for nobody and nobody waits for it; what is copied and kept is bounded,
//! in number and in bytes, and where there is too much the request goes on alone; another backend
//! is asked as long as nothing of an answer has gone on.

use steelyard_balance::tree::{Copied, EdgePath, Rescue};
use steelyard_http::{Framing, RequestHead, Slots};

use crate::core::live::{Chosen, Leaf, Picked, Standing};
use crate::core::stock::Stocked;
use crate::exchange::copy::{self, CopiedRequest};
use crate::exchange::dispatch::{Dispatch, Done};
use crate::exchange::drive::Tap;
use crate::wire::Wire;

/// Bytes of one request's body that are kept, where nothing says that fewer are enough.
const MOST_KEPT: u64 = 4 * 1024 * 1024;

impl<T: Tap, C: Wire> Dispatch<'_, '_, T, C> {
    /// Has the request answered by who was picked for it, and does what else is to be done.
    pub(crate) async fn serve(&mut self, chosen: &Chosen) -> Done {
        match &chosen.picked {
            Picked::Leaf(leaf) if self.aside.is_some() => {
                Box::pin(self.serve_aside(chosen, leaf)).await
            }
            _ => self.run(chosen).await,
        }
    }

    async fn serve_aside(&mut self, chosen: &Chosen, leaf: &Leaf) -> Done {
        // What switches protocols is no request that could be made twice.
        let is_request = self.exchange.upgrade().is_empty();
        let (now, later) = if is_request { self.copies(leaf) } else { Default::default() };
        now.into_iter().for_each(|copied| self.send(chosen, &copied));
        let _kept = self.keep(&later);
        if !self.rescues().is_empty() {
            self.exchange.hold();
        }
        let mut done = self.run(chosen).await;
        while let Some(next) = self.next_after(&done) {
            self.exchange.begin_anew();
            if let Some(aside) = &mut self.aside {
                aside.rescues.extend_from_slice(next.rescues());
            }
            let chosen = Chosen { route: chosen.route.clone(), picked: Picked::Leaf(next) };
            done = self.run(&chosen).await;
        }
        later.into_iter().for_each(|copied| self.send(chosen, &copied));
        done
    }

    /// Copies that can be sent at once, and those for which more is to come.
    fn copies(&self, leaf: &Leaf) -> (Vec<Copied<Standing>>, Vec<Copied<Standing>>) {
        let is_here = self.exchange.whole_request().is_some();
        let has_body = |copied: &Copied<Standing>| copied.of(0) == Some(true);
        leaf.copies().iter().cloned().partition(|copied| is_here || !has_body(copied))
    }

    /// Has as much of the request kept as somebody may need again, if there is room for so much.
    fn keep(&mut self, copies: &[Copied<Standing>]) -> Option<Stocked> {
        if self.exchange.whole_request().is_some() {
            return None;
        }
        let for_copies = copies.iter().filter_map(|copied| copied.max());
        let for_others = self.rescues().iter().map(|rescue| rescue.replay);
        let most = for_copies.chain(for_others).map(|max| max.unwrap_or(MOST_KEPT)).max()?;
        let most = match self.head(|head, _| head.framing)? {
            Framing::Length(length) => most.min(length),
            Framing::Chunked | Framing::UntilClose | Framing::None => most,
        };
        let most = usize::try_from(most.min(MOST_KEPT)).ok()?;
        let stocked = self.place.core.stock.bytes(most)?;
        self.exchange.keep_request(most);
        Some(stocked)
    }

    /// Sends a copy, if there is a place for it, and all of the request that it is of.
    fn send(&self, chosen: &Chosen, copied: &Copied<Standing>) {
        let core = self.place.core;
        let sent = self.copied(chosen, copied).and_then(|request| {
            let place = core.stock.copy(request.bytes.len())?;
            copy::send(core.clone(), request, place);
            Some(())
        });
        if sent.is_none() {
            core.counters.count_copy(copy::UNSENT);
        }
    }

    /// Where a copy goes, and what it says.
    fn copied(&self, chosen: &Chosen, copied: &Copied<Standing>) -> Option<CopiedRequest> {
        let aside = self.aside.as_ref()?;
        self.head(|head, opening| {
            let (lines, begun) = opening.split_at(head.len);
            let rest = self.exchange.whole_request().map(|[_, rest]| rest);
            let body = match copied.of(self.size())? {
                true => Some([begun, rest?]),
                false => None,
            };
            let (core, caller) = (self.place.core, aside.caller(head));
            let (leaf, recipes) = core.scene(&core.live()).pick_copy(copied, &caller)?;
            Some(CopiedRequest {
                route: chosen.route.clone(),
                leaf,
                recipes,
                journey: aside.journey(&chosen.route),
                bytes: copy::bytes(lines, body),
                listener: self.place.listener.clone(),
            })
        })
        .flatten()
    }

    /// Who is asked after that, if anybody is.
    fn next_after(&mut self, done: &Done) -> Option<Leaf> {
        if let Some(next) = self.aside.as_mut().and_then(|aside| aside.next.take()) {
            return Some(*next);
        }
        match done {
            Done::Answer(fault, _) if fault.is_ours() => self.rescuer(fault.status()),
            _ => None,
        }
    }

    /// Whether somebody else is asked now that an endpoint has answered with this status.
    pub(super) fn is_rescued(&mut self) -> bool {
        if self.rescues().is_empty() {
            return false;
        }
        let next = self.rescuer(self.exchange.status()).map(Box::new);
        let Some(aside) = &mut self.aside else { return false };
        aside.next = next;
        aside.next.is_some()
    }

    /// The next to be asked after this status.
    fn rescuer(&mut self, status: u16) -> Option<Leaf> {
        if !self.exchange.may_begin_anew() {
            return None;
        }
        let size = self.size();
        while let Some(rescue) = self.aside.as_mut().and_then(|aside| aside.rescues.pop()) {
            if rescue.takes(status, size) {
                let pick = |head: &RequestHead<'_, '_>, _: &[u8]| {
                    self.pick_aside(&rescue.node, rescue.path, head)
                };
                if let Some(leaf) = self.head(pick).flatten() {
                    return Some(leaf);
                }
            }
        }
        None
    }

    fn pick_aside(
        &self,
        from: &Standing,
        path: EdgePath,
        head: &RequestHead<'_, '_>,
    ) -> Option<Leaf> {
        let (core, aside) = (self.place.core, self.aside.as_ref()?);
        core.scene(&core.live()).pick_aside(from, path, &aside.caller(head))
    }

    /// Who is asked if the one that is asked fails: the last first.
    fn rescues(&self) -> &[Rescue<Standing>] {
        self.aside.as_deref().map(|aside| &aside.rescues[..]).unwrap_or_default()
    }

    /// Bytes of the request's body, as far as it came and is kept.
    fn size(&self) -> u64 {
        let begun = self.aside.as_ref().map_or(0, |aside| aside.begun);
        begun + self.exchange.kept() as u64
    }

    /// The request's head as it goes on, and what it is the beginning of.
    fn head<R>(&self, look: impl FnOnce(&RequestHead<'_, '_>, &[u8]) -> R) -> Option<R> {
        let (mut slots, opening) = (Slots::default(), self.exchange.opening());
        let head = RequestHead::parse(opening, &mut slots).ok().flatten()?;
        Some(look(&head, opening))
    }
}
