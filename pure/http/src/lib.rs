//! HTTP without the sockets: heads, bodies and paths.
//!
//! What it is: a strict codec (RFC 9110, RFC 9112) that parses a message once, tells where it
//! ends, and rewrites its head as a list of edits over the original bytes; the machine of an
//! exchange, which decides what is read, written, repeated and reused; and a request as routes see
//! it.
//! What it is not: it reads and writes nothing and keeps no time.
//!
//! Invariants: what could be read in two ways is refused; what is routed means what is forwarded;
//! input of any content and size ends in a value, never in a panic.

pub mod blame;
pub mod body;
pub mod chunked;
pub mod edits;
pub mod excerpt;
pub mod exchange;
pub mod exercise;
pub mod forwarded;
pub mod h2;
pub mod head;
pub mod host;
mod list;
mod name;
pub mod page;
pub mod path;
pub mod query;
mod readings;
pub mod reject;
pub mod request;
pub mod response;
mod seen;
pub mod span;
mod subject;
mod trace;
mod trailers;
pub mod upgrade;
pub mod view;

#[cfg(test)]
mod sim;

pub use blame::blame;
pub use body::{Body, Fed, Framing, SizeLine, Wrapping};
pub use chunked::{BadChunk, LAST_CHUNK};
pub use edits::{BadLine, LineEdits, RequestChanges, RequestEdits, ResponseChanges, ResponseEdits};
pub use excerpt::Excerpt;
pub use exchange::{
    After, Break, Came, Clean, Exchange, LetThrough, Limits, Loan, Look, Reuse, Seen, Terms,
    Verdict, Watch, Witness, release,
};
pub use exercise::exercise;
pub use forwarded::{
    ForwardedPolicy, NginxVouching, PassedList, Underscores, Vouched, Vouching, first_site,
};
pub use h2::{
    Calm, Flood, FrameHead, Frames, H2Request, HeadAllowance, OddHead, RequestHeads, TooManyHeads,
    crosses, may_trail, request_to_h1, response_to_h1,
};
pub use head::{
    MAX_REQUEST_LINES, MAX_RESPONSE_LINES, RequestSlots, Slots, may_be_complete, push_number,
};
pub use host::Authority;
pub use name::{is_kept_by_nginx, is_taken_for};
pub use page::{Page, wants_html};
pub use path::Spelling;
pub use query::{Semicolons, respell_query};
pub use reject::{BadResponse, Reject};
pub use request::{Hop, RequestHead, USUAL_LIST, client_lines, empty_lines};
pub use response::{Asked, Persistence, ResponseHead};
pub use seen::{HeadSubject, parameters_called, without_parameters};
pub use span::{AttemptSpan, InnerSpan, RequestSpan, SpanCounts, SpanSink};
pub use subject::RequestSubject;
pub use trace::TraceParent;
pub use trailers::TrailerLine;
pub use upgrade::Upgrades;
pub use view::{Head, RequestView, ResponseView, Scheme};
