//! What of a request says who asks, and how he can be answered.

use steelyard_http::{Head as _, RequestEdits, RequestView as _, Scheme};
use steelyard_login::{Jar, LONGEST_TARGET, return_path};

/// What of a request counts.
pub(super) struct Visit {
    pub(super) method: String,
    pub(super) is_tls: bool,
    /// Scheme and authority: `https://app.example`.
    pub(super) site: String,
    pub(super) path: String,
    pub(super) query: String,
    /// A person sees the answer.
    pub(super) is_page: bool,
    /// A page of this very site asks.
    pub(super) is_own: bool,
    /// What is sent is a form that can be kept.
    pub(super) is_form: bool,
    cookies: String,
}

impl Visit {
    pub(super) fn of(head: &RequestEdits<'_>, is_tls: bool) -> Self {
        let is_tls = is_tls || head.scheme() == Scheme::Https;
        let scheme = if is_tls { "https" } else { "http" };
        let site = format!("{scheme}://{}", head.authority());
        let text = |name: &str| head.first(name).and_then(|it| str::from_utf8(it).ok());
        let has = |name: &str, part: &str| {
            text(name).is_some_and(|it| it.to_ascii_lowercase().contains(part))
        };
        let is_page = has("accept", "text/html")
            && head.first("x-requested-with").is_none()
            && text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
        let is_own = match text("sec-fetch-site") {
            Some(from) => from == "same-origin",
            None => text("origin").is_some_and(|origin| origin.eq_ignore_ascii_case(&site)),
        };
        let mut cookies = String::new();
        head.each(&mut |name, value| {
            if name.eq_ignore_ascii_case("cookie") {
                cookies.push_str(&String::from_utf8_lossy(value));
                cookies.push(';');
            }
        });
        Self {
            method: head.method().to_owned(),
            is_tls,
            site,
            path: head.path().to_owned(),
            query: head.query().unwrap_or_default().to_owned(),
            is_page,
            is_own,
            is_form: has("content-type", "application/x-www-form-urlencoded"),
            cookies,
        }
    }

    /// Its cookies.
    pub(super) fn jar(&self) -> Jar<'_> {
        let mut jar = Jar::default();
        jar.add(self.cookies.as_bytes());
        jar
    }

    /// It changes nothing, and can be made again.
    pub(super) fn is_look(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD")
    }

    /// What was asked for, where a browser may be led back to it.
    pub(super) fn target(&self) -> Option<String> {
        if self.is_cut() {
            // It is not kept whole, but who logs in comes back near to it.
            return Some(return_path(&self.path).unwrap_or("/").to_owned());
        }
        let target = match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        return_path(&target).map(str::to_owned)
    }

    /// What was asked for is too long to be led back to.
    pub(super) fn is_cut(&self) -> bool {
        let query = if self.query.is_empty() { 0 } else { 1 + self.query.len() };
        self.path.len() + query > LONGEST_TARGET
    }
}
