//! A response that a frame makes.

use bytes::Bytes;
use steelyard_http::{Head, ResponseView};
use steelyard_model::routing::filter::access::AnswerPage;

use crate::words::{nginx_page, words};

/// A response, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Header lines, without those that frame it.
    pub lines: Vec<(Box<str>, Box<[u8]>)>,
    /// Body.
    pub body: Bytes,
}

impl Response {
    /// One that says its status in words, as Go's servers do.
    pub fn bare(status: u16) -> Self {
        let words = words(status);
        let lines = vec![("Content-Type".into(), (*b"text/plain; charset=utf-8").into())];
        Self { status, lines, body: Bytes::from_static(words.as_bytes()) }
    }

    /// One that says its status on the page that nginx has for it.
    pub fn of_nginx(status: u16) -> Self {
        Self::of_nginx_because(status, "")
    }

    /// The same with a reason, where there is one.
    pub(crate) fn of_nginx_because(status: u16, why: &str) -> Self {
        let lines = vec![("Content-Type".into(), (*b"text/html").into())];
        Self { status, lines, body: Bytes::from(nginx_page(status, why)) }
    }

    /// One that says its status on such a page.
    pub(crate) fn paged(status: u16, page: AnswerPage) -> Self {
        match page {
            AnswerPage::Words => Self::bare(status),
            AnswerPage::Nginx => Self::of_nginx(status),
        }
    }

    /// One without lines and body.
    pub fn of(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

impl Head for Response {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let found = self.lines.iter().find(|(line, _)| line.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        self.lines.iter().for_each(|(name, value)| see(name, value));
    }
}

impl ResponseView for Response {
    fn status(&self) -> u16 {
        self.status
    }
}
