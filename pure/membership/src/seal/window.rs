//! Which counters of a session were there already: the last 128, as a sliding window of bits
//! (RFC 4303 §3.4.3 in shape).

/// The window of one session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    highest: u64,
    /// Bit n is set once `highest - n` was there.
    seen: u128,
}

impl Window {
    /// Nothing up to `highest` is taken any more.
    pub(crate) fn full(highest: u64) -> Self {
        Self { highest, seen: u128::MAX }
    }

    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// Takes note of a counter; false if it was there before, or is too old to know.
    pub(crate) fn take(&mut self, counter: u64) -> bool {
        if counter > self.highest {
            let shift = u32::try_from(counter - self.highest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.highest = counter;
            return true;
        }
        let back = u32::try_from(self.highest - counter).unwrap_or(u32::MAX);
        let Some(bit) = 1_u128.checked_shl(back) else { return false };
        let new = self.seen & bit == 0 && counter != 0;
        self.seen |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn each_counter_once_and_none_too_old() {
        let mut window = Window::default();
        for (counter, taken) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (0, false),
            (131, true),
            (3, false),
            (4, true),
            (4, false),
            (u64::MAX, true),
            (131, false),
        ] {
            assert_eq!(window.take(counter), taken, "{counter}");
        }
    }
}
