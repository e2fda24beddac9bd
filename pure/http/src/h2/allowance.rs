//! How many heads an endpoint may send: HTTP/2 holds back bodies, but not heads, and those of
//! interim responses have no end.

use super::frames::FrameHead;

/// The heads that may come on one connection. Each request that is sent brings some.
#[derive(Clone, Debug, Default)]
pub struct HeadAllowance {
    left: u32,
}

/// More heads came than anybody has to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyHeads;

/// Of one request: interim ones, the final one and trailers.
const OF_ONE: u32 = 34;

/// However many were asked for before: what may be kept for those who do not take it.
const MOST: u32 = 2_048;

impl HeadAllowance {
    /// A frame was sent to the endpoint.
    pub fn sent(&mut self, frame: FrameHead) {
        if frame.kind == FrameHead::HEADERS {
            self.left = (self.left + OF_ONE).min(MOST);
        }
    }

    /// A frame came from it.
    ///
    /// # Errors
    /// When that is beyond what was allowed.
    pub fn came(&mut self, frame: FrameHead) -> Result<(), TooManyHeads> {
        if frame.kind == FrameHead::HEADERS {
            self.left = self.left.checked_sub(1).ok_or(TooManyHeads)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8) -> FrameHead {
        FrameHead { kind, flags: 0, length: 9, reason: 0 }
    }

    #[test]
    fn each_request_brings_some() {
        for (requests, heads) in [(0, 0), (1, 34), (3, 102), (60, 2_040), (61, 2_048), (999, 2_048)]
        {
            let mut allowance = HeadAllowance::default();
            for _ in 0..requests {
                allowance.sent(frame(FrameHead::HEADERS));
                allowance.sent(frame(FrameHead::DATA));
            }
            for head in 0..heads {
                assert_eq!(allowance.came(frame(FrameHead::HEADERS)), Ok(()), "{requests} {head}");
                assert_eq!(allowance.came(frame(FrameHead::DATA)), Ok(()));
            }
            assert_eq!(allowance.came(frame(FrameHead::HEADERS)), Err(TooManyHeads), "{requests}");
            assert_eq!(allowance.came(frame(FrameHead::DATA)), Ok(()));
        }
    }
}
