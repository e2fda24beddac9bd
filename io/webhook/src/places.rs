//! Who is listened to, where more come than there are places: each address as much as any other.
//!
//! A place is taken from nobody whose address has no more of them than the others; whoever has many
//! makes room for one who has few. So whoever reaches the port, and comes again and again, keeps no
//! API server out. Addresses are all that is known of who comes: behind one address all are one.

use std::net::IpAddr;

/// Places: they bound what questions hold of memory.
pub(crate) const PLACES: usize = 16;
/// Who waits for one, of whom nothing is read.
pub(crate) const WAITING: usize = 128;

/// Those who have a place, and those who wait, each in the order in which they came.
#[derive(Debug)]
pub(crate) struct Places<S, W> {
    seated: Vec<(IpAddr, S)>,
    waiting: Vec<(IpAddr, W)>,
}

/// One to be listened to from now on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turn<S, W> {
    pub(crate) address: IpAddr,
    pub(crate) guest: W,
    /// Whoever makes room for it.
    pub(crate) ousted: Option<S>,
}

impl<S, W> Default for Places<S, W> {
    fn default() -> Self {
        Self { seated: Vec::new(), waiting: Vec::new() }
    }
}

impl<S, W> Places<S, W> {
    /// Somebody came. Where too many wait, the last of the address with the most of them goes.
    pub(crate) fn come(&mut self, address: IpAddr, guest: W) {
        self.waiting.push((address, guest));
        if self.waiting.len() > WAITING
            && let Some(crowd) = fullest(&self.waiting)
            && let Some(last) = self.waiting.iter().rposition(|it| it.0 == crowd)
        {
            self.waiting.remove(last);
        }
    }

    /// The next who gets a place: whose address has the fewest, and of those the first.
    pub(crate) fn next(&mut self) -> Option<Turn<S, W>> {
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, it)| self.seats(it.0))?;
        let few = self.seats(self.waiting[at].0);
        let mut ousted = None;
        if self.seated.len() >= PLACES {
            let crowd = fullest(&self.seated).filter(|it| self.seats(*it) > few + 1)?;
            let first = self.seated.iter().position(|it| it.0 == crowd)?;
            ousted = Some(self.seated.remove(first).1);
        }
        let (address, guest) = self.waiting.remove(at);
        Some(Turn { address, guest, ousted })
    }

    /// It has its place.
    pub(crate) fn sit(&mut self, address: IpAddr, seat: S) {
        self.seated.push((address, seat));
    }

    /// Those stay of whom this is so.
    pub(crate) fn retain(&mut self, stays: impl Fn(&S) -> bool) {
        self.seated.retain(|it| stays(&it.1));
    }

    fn seats(&self, address: IpAddr) -> usize {
        self.seated.iter().filter(|it| it.0 == address).count()
    }
}

/// The address that is there most often; of several the one that came first.
fn fullest<T>(all: &[(IpAddr, T)]) -> Option<IpAddr> {
    let count = |address: IpAddr| all.iter().filter(|it| it.0 == address).count();
    // Of equals the last would be found.
    all.iter().rev().map(|it| it.0).max_by_key(|it| count(*it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    /// Lets in whoever may; who did, and who made room.
    fn let_in(places: &mut Places<u32, u32>) -> Vec<(u32, Option<u32>)> {
        let mut turns = Vec::new();
        while let Some(Turn { address, guest, ousted }) = places.next() {
            places.sit(address, guest);
            turns.push((guest, ousted));
        }
        turns
    }

    #[test]
    fn whoever_has_few_places_gets_one_of_whoever_has_many() {
        let mut places = Places::default();
        (0..20).for_each(|number| places.come(address(1), number));
        assert_eq!(let_in(&mut places).len(), PLACES);
        // Those of its own wait; another one does not, until it has as much.
        for number in 100..110 {
            places.come(address(2), number);
        }
        let turns = let_in(&mut places);
        let expected: Vec<_> = (0..8).map(|number| (100 + number, Some(number))).collect();
        assert_eq!(turns, expected.iter().map(|it| (it.0, it.1)).collect::<Vec<_>>());
        // What becomes free goes to whoever has the fewest.
        places.come(address(3), 200);
        assert_eq!(let_in(&mut places), [(200, Some(8))]);
        places.retain(|seat| *seat != 100);
        assert_eq!(let_in(&mut places), [(16, None)]);
    }

    #[test]
    fn those_who_wait_are_so_many_at_most() {
        let mut places: Places<u32, u32> = Places::default();
        (0..1000).for_each(|number| places.come(address(1), number));
        assert_eq!(places.waiting.len(), WAITING);
        places.come(address(2), 5000);
        assert_eq!(places.waiting.len(), WAITING);
        assert_eq!(let_in(&mut places).len(), PLACES);
        assert!(places.seated.iter().any(|it| it.1 == 5000));
    }

    #[test]
    fn where_all_have_the_same_nobody_makes_room() {
        let mut places = Places::default();
        (0..40).for_each(|number| places.come(address(number), u32::from(number)));
        assert_eq!(let_in(&mut places).len(), PLACES);
        assert_eq!(places.waiting.len(), 40 - PLACES);
    }
}
