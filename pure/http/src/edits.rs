//! Changes to a head: what is read through them is the head as it will be.
//!
//! Nobody can say by an edit where a message ends or what its connection does: these lines are
//! the gateway's own, as are line ends.

mod lines;

use steelyard_model::routing::transport::HopSpeech;

use crate::body::Framing;
use crate::name::is_token;
use crate::view::{Head, RequestView, ResponseView, Scheme};
pub use lines::LineEdits;

/// A header line that nobody may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLine {
    /// The name is no token (RFC 9110 §5.6.2).
    Name,
    /// The value has a byte that would end the line, or is none that a value may have.
    Value,
    /// The line frames the message, or is about the connection.
    Framing,
}

/// A request's head, and what is to be changed about it.
pub struct RequestEdits<'h> {
    head: &'h dyn RequestView,
    changes: Changes<'h>,
}

/// Whose changes they are.
enum Changes<'h> {
    Own(RequestChanges),
    /// Somebody's, who has them changed further.
    Lent(&'h mut RequestChanges),
    /// Somebody's, who has them looked at.
    Seen(&'h RequestChanges),
}

/// What is changed about a request, apart from its head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestChanges {
    /// Header lines.
    pub lines: LineEdits,
    /// Another method.
    pub method: Option<Box<str>>,
    /// Another site.
    pub authority: Option<Box<str>>,
    /// Another path.
    pub path: Option<Box<str>>,
    /// Another query, or none.
    pub query: Option<Option<Box<str>>>,
    /// Another end of the body: for who has another body to send.
    pub framing: Option<Framing>,
    /// What stands behind the answer is wanted, also where the client does not say so.
    pub takes_trailers: bool,
    /// How it is spoken, for endpoints on which that hangs.
    pub speech: HopSpeech,
}

/// A response's head, and what is to be changed about it.
pub struct ResponseEdits<'h> {
    head: &'h dyn ResponseView,
    changes: ResponseChanges,
}

/// What is changed about a response, apart from its head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseChanges {
    /// Header lines.
    pub lines: LineEdits,
    /// Another status.
    pub status: Option<u16>,
    /// Another end of the body: for who has another body to send.
    pub framing: Option<Framing>,
}

impl RequestChanges {
    /// Nothing is changed any more; memory stays, for the next request.
    pub fn clear(&mut self) {
        let Self { lines, method, authority, path, query, framing, takes_trailers, speech } = self;
        lines.clear();
        (*method, *authority, *path, *query) = (None, None, None, None);
        (*framing, *takes_trailers, *speech) = (None, false, HopSpeech::Usual);
    }
}

impl ResponseChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.status.is_none() && self.framing.is_none()
    }
}

/// Nothing is changed.
pub(crate) static UNCHANGED: RequestChanges = RequestChanges {
    lines: LineEdits::NONE,
    method: None,
    authority: None,
    path: None,
    query: None,
    framing: None,
    takes_trailers: false,
    speech: HopSpeech::Usual,
};

/// Nothing is changed.
pub(crate) static UNCHANGED_RESPONSE: ResponseChanges =
    ResponseChanges { lines: LineEdits::NONE, status: None, framing: None };

impl<'h> RequestEdits<'h> {
    /// A head that is not changed yet.
    pub fn new(head: &'h dyn RequestView) -> Self {
        Self::resume(head, RequestChanges::default())
    }

    /// A head that was changed before.
    pub fn resume(head: &'h dyn RequestView, changes: RequestChanges) -> Self {
        Self { head, changes: Changes::Own(changes) }
    }

    /// The same, for who keeps what is changed.
    pub fn over(head: &'h dyn RequestView, changes: &'h mut RequestChanges) -> Self {
        Self { head, changes: Changes::Lent(changes) }
    }

    /// The same, for who only reads.
    pub fn seen(head: &'h dyn RequestView, changes: &'h RequestChanges) -> Self {
        Self { head, changes: Changes::Seen(changes) }
    }

    /// What is changed about its lines.
    pub fn lines(&mut self) -> &mut LineEdits {
        &mut self.changes.to_mut().lines
    }

    /// Says that what stands behind the answer is wanted.
    pub fn take_trailers(&mut self) {
        self.changes.to_mut().takes_trailers = true;
    }

    /// Says how it is spoken to the next hop.
    pub fn speak(&mut self, speech: HopSpeech) {
        self.changes.to_mut().speech = speech;
    }

    /// Changes the method: a token.
    pub fn set_method(&mut self, method: &str) -> Result<(), BadLine> {
        if !is_token(method) {
            return Err(BadLine::Name);
        }
        self.changes.to_mut().method = Some(method.into());
        Ok(())
    }

    /// Changes whose site is meant.
    pub fn set_authority(&mut self, authority: &str) -> Result<(), BadLine> {
        check_target(authority)?;
        self.changes.to_mut().authority = Some(authority.into());
        Ok(())
    }

    /// Changes the path: it begins with `/` and is encoded.
    pub fn set_path(&mut self, path: impl Into<Box<str>>) -> Result<(), BadLine> {
        let path = path.into();
        check_target(&path)?;
        if !path.starts_with('/') || memchr::memchr2(b'?', b'#', path.as_bytes()).is_some() {
            return Err(BadLine::Value);
        }
        self.changes.to_mut().path = Some(path);
        Ok(())
    }

    /// Changes the query, encoded and without its question mark; none takes it away.
    pub fn set_query(&mut self, query: Option<&str>) -> Result<(), BadLine> {
        let text = query.unwrap_or_default();
        check_target(text)?;
        if text.contains('#') {
            return Err(BadLine::Value);
        }
        self.changes.to_mut().query = Some(query.map(Into::into));
        Ok(())
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self.changes == RequestChanges::default()
    }

    /// What is changed so far.
    pub fn changes(&self) -> &RequestChanges {
        &self.changes
    }

    /// What is changed is this, and nothing else.
    pub fn reset(&mut self, changes: RequestChanges) {
        *self.changes.to_mut() = changes;
    }

    /// What is changed, without the head.
    pub fn into_changes(self) -> RequestChanges {
        match self.changes {
            Changes::Own(changes) => changes,
            Changes::Lent(changes) => changes.clone(),
            Changes::Seen(changes) => changes.clone(),
        }
    }
}

impl Changes<'_> {
    /// To be changed: what is only looked at is copied before.
    fn to_mut(&mut self) -> &mut RequestChanges {
        if let Self::Seen(changes) = self {
            *self = Self::Own(changes.clone());
        }
        match self {
            Self::Own(changes) => changes,
            Self::Lent(changes) => changes,
            Self::Seen(_) => unreachable!("it was copied"),
        }
    }
}

impl std::ops::Deref for Changes<'_> {
    type Target = RequestChanges;

    fn deref(&self) -> &RequestChanges {
        match self {
            Self::Own(changes) => changes,
            Self::Lent(changes) => changes,
            Self::Seen(changes) => changes,
        }
    }
}

impl<'h> ResponseEdits<'h> {
    /// A head that is not changed yet.
    pub fn new(head: &'h dyn ResponseView) -> Self {
        Self::resume(head, ResponseChanges::default())
    }

    /// A head that was changed before.
    pub fn resume(head: &'h dyn ResponseView, changes: ResponseChanges) -> Self {
        Self { head, changes }
    }

    /// What is changed about its lines.
    pub fn lines(&mut self) -> &mut LineEdits {
        &mut self.changes.lines
    }

    /// Changes the status: a final one, of three digits.
    pub fn set_status(&mut self, status: u16) -> Result<(), BadLine> {
        if !(200..=999).contains(&status) {
            return Err(BadLine::Value);
        }
        self.changes.status = Some(status);
        Ok(())
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What is changed, without the head.
    pub fn into_changes(self) -> ResponseChanges {
        self.changes
    }
}

impl Head for RequestEdits<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let lines = &self.changes.lines;
        lines.first(self.head.first(name).filter(|_| !lines.hides(name.as_bytes())), name)
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        let lines = &self.changes.lines;
        self.head.each(&mut |name, value| {
            if !lines.hides(name.as_bytes()) {
                see(name, value);
            }
        });
        lines.added().for_each(|(name, value)| see(name, value));
    }
}

impl RequestView for RequestEdits<'_> {
    fn method(&self) -> &str {
        self.changes.method.as_deref().unwrap_or_else(|| self.head.method())
    }

    fn scheme(&self) -> Scheme {
        self.head.scheme()
    }

    fn authority(&self) -> &str {
        self.changes.authority.as_deref().unwrap_or_else(|| self.head.authority())
    }

    fn path(&self) -> &str {
        self.changes.path.as_deref().unwrap_or_else(|| self.head.path())
    }

    fn asked_path(&self) -> &str {
        self.changes.path.as_deref().unwrap_or_else(|| self.head.asked_path())
    }

    fn query(&self) -> Option<&str> {
        self.changes.query.as_ref().map_or_else(|| self.head.query(), Option::as_deref)
    }
}

impl Head for ResponseEdits<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let lines = &self.changes.lines;
        lines.first(self.head.first(name).filter(|_| !lines.removes(name.as_bytes())), name)
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        let lines = &self.changes.lines;
        self.head.each(&mut |name, value| {
            if !lines.removes(name.as_bytes()) {
                see(name, value);
            }
        });
        lines.added().for_each(|(name, value)| see(name, value));
    }
}

impl ResponseView for ResponseEdits<'_> {
    fn status(&self) -> u16 {
        self.changes.status.unwrap_or_else(|| self.head.status())
    }
}

/// What stands in a request line or in Host: printable ASCII.
fn check_target(text: &str) -> Result<(), BadLine> {
    // All of them are looked at, which is quicker than to stop at the first.
    let is_fine = text.bytes().fold(true, |fine, byte| fine & byte.is_ascii_graphic());
    if is_fine { Ok(()) } else { Err(BadLine::Value) }
}

#[cfg(test)]
mod tests;
