//! HTTP/2 messages (RFC 9113) spelled as those of HTTP/1, and back, so that whatever comes by
//! either is read by the same rules.
//!
//! What it is: the head of a request or response as lines that [`RequestHead`](crate::RequestHead)
//! and [`ResponseHead`](crate::ResponseHead) parse, with what must not cross (RFC 9113 §8.2, §8.3,
//! §10.3) refused before; who wears a connection out ([`Calm`]); and what is odd about heads that
//! cannot be seen in the messages made of them ([`RequestHeads`]).
//! What it is not: frames, header compression and flow control are the `h2` crate's.
//!
//! Invariants: no field becomes more or less than one line, but for crumbs of a cookie; what says
//! where a message ends is written here and nowhere else; a name or value that some other reader
//! could take for something else is refused, not mended.

mod allowance;
mod calm;
mod field;
mod frames;
mod heads;
mod hpack;
mod huffman;
mod request;
mod response;

pub use allowance::{HeadAllowance, TooManyHeads};
pub use calm::{Calm, Flood};
pub use field::{crosses, may_trail};
pub use frames::{FrameHead, Frames};
pub use heads::{OddHead, RequestHeads};
pub use request::{H2Request, request_to_h1};
pub use response::response_to_h1;
