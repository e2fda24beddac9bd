//! What of a request goes into one about it.

use steelyard_http::{Head as _, LineEdits, RequestEdits};

use crate::spellings::is_taken_for;
pub(crate) use crate::variables::uri;

/// Lines of the request that are for others than the next hop, as far as they are wanted. What
/// would make another request of this one is left out.
pub(crate) fn copied(head: &RequestEdits<'_>, is_wanted: impl Fn(&str) -> bool) -> LineEdits {
    let mut lines = LineEdits::default();
    head.each(&mut |name, value| {
        if !is_taken_for(name, "Expect") && is_wanted(name) {
            _ = lines.add(name, value);
        }
    });
    lines
}
