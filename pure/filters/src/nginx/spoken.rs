//! How endpoints are spoken to (`proxy_http_version`, and `Connection`).
//!
//! In HTTP/1.0 a body has a length that is said before it, so one of a request is kept until it is
//! whole; a larger one than is kept goes on in HTTP/1.1.

use steelyard_http::RequestEdits;
use steelyard_model::routing::transport::HopSpeech;

use crate::ask::{Ask, Got};
use crate::frame::Enter;

/// Bytes of a body that are kept.
const MOST: usize = 1 << 20;

pub(super) fn enter(speech: HopSpeech, head: &mut RequestEdits<'_>, got: &Got) -> Enter {
    match (speech, got) {
        (HopSpeech::Old, Got::Nothing) => return Enter::Ask(Ask::Body { max: MOST }),
        (HopSpeech::Old, Got::Body(_)) => head.speak(speech),
        (HopSpeech::Old, _) => {}
        (speech, _) => head.speak(speech),
    }
    Enter::Next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Asked;

    #[test]
    fn the_old_way_waits_for_bodies() {
        let asked = Asked::get("http://a.b", "/");
        let spoken = |speech, got| {
            let mut head = RequestEdits::new(&asked);
            let said = enter(speech, &mut head, &got);
            (matches!(said, Enter::Ask(Ask::Body { .. })), head.changes().speech)
        };
        use HopSpeech::{KeepAlive, Old, Usual};
        assert_eq!(spoken(KeepAlive, Got::Nothing), (false, KeepAlive));
        assert_eq!(spoken(Old, Got::Nothing), (true, Usual));
        assert_eq!(spoken(Old, Got::Body("x".into())), (false, Old));
        assert_eq!(spoken(Old, Got::TooLarge), (false, Usual));
    }
}
