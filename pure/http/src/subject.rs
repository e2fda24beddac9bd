//! A request head as rules see it. Nothing is decoded or copied before a rule asks for it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;

use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::subject::Subject;

use crate::path::{decode_all, decoded};
use crate::readings::readings;
use crate::request::RequestHead;

/// A request over a plain connection.
pub struct RequestSubject<'a, 'h, 'b> {
    head: &'a RequestHead<'h, 'b>,
    /// In normal form.
    path: Cow<'a, str>,
    client: IpAddr,
    decoded: OnceCell<String>,
}

impl<'a, 'h, 'b> RequestSubject<'a, 'h, 'b> {
    /// The request `head` of `client`: where its connection comes from.
    pub fn new(head: &'a RequestHead<'h, 'b>, client: IpAddr) -> Self {
        Self { head, path: Cow::Borrowed(&head.path), client, decoded: OnceCell::new() }
    }

    /// The same with the other paths that some server sees in its path; nothing where the path has
    /// one reading.
    pub fn readings(&self) -> impl Iterator<Item = Self> {
        readings(&self.path)
            .map(|path| Self { path: Cow::Owned(path), ..Self::new(self.head, self.client) })
    }
}

impl Subject for RequestSubject<'_, '_, '_> {
    fn host(&self) -> &str {
        &self.head.authority.host
    }

    fn path(&self, form: PathForm) -> &str {
        match form {
            PathForm::Normal => &self.path,
            PathForm::Decoded => self.decoded.get_or_init(|| decoded(&self.path).into_owned()),
        }
    }

    fn method(&self) -> &str {
        self.head.method
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.head.headers_called(name).any(test)
    }

    fn any_query(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let query = self.head.query.strip_prefix('?').unwrap_or_default();
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut named = pairs.filter(|(key, _)| text(key) == name);
        named.any(|(_, value)| test(&text(value)))
    }

    fn client_ip(&self) -> Option<IpAddr> {
        Some(self.client)
    }

    fn server_name(&self) -> Option<&str> {
        None
    }

    fn offers(&self, _: &str) -> bool {
        false
    }
}

/// A part of a query, decoded as forms are (a plus is a space).
fn text(part: &str) -> Cow<'_, str> {
    if !part.contains(['%', '+']) {
        return Cow::Borrowed(part);
    }
    let bytes = decode_all(part.as_bytes(), |byte| if byte == b'+' { b' ' } else { byte });
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use steelyard_model::routing::matcher::{Matcher, Values};

    use super::*;
    use crate::head::Slots;

    fn holds(request: &str, matcher: &Matcher) -> bool {
        let mut slots = Slots::default();
        let head = RequestHead::parse(request.as_bytes(), &mut slots).ok().flatten();
        let head = head.expect("the request is whole");
        matcher.holds(&RequestSubject::new(&head, IpAddr::from([10, 0, 0, 1])))
    }

    #[test]
    fn what_rules_may_look_at() {
        let request = "GET /a%2Fb?q=1&r=x+y%21&s HTTP/1.1\r\nHost: A.b:80\r\nX-A: 1\r\nx-a: 2\r\n\
                       X-Real-Ip: 9.9.9.9\r\nX_B: 1\r\n\r\n";
        let query =
            |name: &str, value: &str| Matcher::Query(name.into(), Values::Exact(value.into()));
        let header =
            |name: &str, value: &str| Matcher::Header(name.into(), Values::Exact(value.into()));
        for (matcher, expected) in [
            (query("q", "1"), true),
            (query("r", "x y!"), true),
            (query("s", ""), true),
            (query("t", ""), false),
            (header("x-a", "2"), true),
            (header("x-a", "3"), false),
            (Matcher::Method("GET".into()), true),
            (Matcher::ClientIp("10.0.0.0/8".parse().expect("a range")), true),
            // Only a gateway may say these, and a name with underscores is another's.
            (Matcher::Header("x-real-ip".into(), Values::Present), false),
            (Matcher::Header("x-b".into(), Values::Present), false),
        ] {
            assert_eq!(holds(request, &matcher), expected, "{matcher}");
        }
    }
}
