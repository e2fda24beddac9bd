//! Answers with a redirection. Who asks there already passes.

use std::fmt;
use std::sync::Arc;

use steelyard_http::{RequestEdits, RequestView};
use steelyard_model::routing::filter::Redirection;

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// Where a redirection leads.
#[derive(Clone, Debug)]
pub(crate) struct Redirect(pub(crate) Arc<Redirection>);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location<'a> {
    scheme: &'a str,
    host: &'a str,
    /// None is the scheme's own.
    port: Option<u16>,
    path: &'a str,
    query: Option<&'a str>,
}

impl Redirect {
    /// Where a request is led; none where it passes.
    pub(crate) fn leads<'h>(&'h self, head: &'h RequestEdits<'_>) -> Option<Location<'h>> {
        let asked = Location::asked(head);
        let wanted = asked.led(&self.0);
        (wanted != asked).then_some(wanted)
    }
}

impl Frame for Redirect {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let Some(wanted) = self.leads(head) else { return Enter::Next };
        // Who names no host cannot be led to one, and passes no more than others do.
        if wanted.host.is_empty() {
            cx.notes.push(Note::Reason("the request names no host, and cannot be led elsewhere"));
            return Enter::Answer(Box::new(Response::bare(400)));
        }
        cx.notes.push(Note::Reason("the request is led elsewhere"));
        let mut response = Response::of(self.0.status);
        let location = wanted.to_string().into_bytes();
        response.lines.push(("Location".into(), location.into()));
        Enter::Answer(Box::new(response))
    }
}

impl<'a> Location<'a> {
    fn asked(head: &'a impl RequestView) -> Self {
        let scheme = head.scheme().as_str();
        let authority = head.authority();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                (host, port.parse().ok())
            }
            _ => (authority, None),
        };
        let port = port.filter(|port| Some(*port) != own_port(scheme));
        Self { scheme, host, port, path: head.path(), query: head.query() }
    }

    fn led(self, to: &'a Redirection) -> Self {
        let scheme = to.scheme.as_deref().unwrap_or(self.scheme);
        let beside = |asked: u16| {
            let pair = to.beside.iter().find(|(from, _)| *from == asked);
            pair.map(|(_, to)| *to)
        };
        // Who names no port asks at the scheme's own.
        let asked = self.port.or_else(|| own_port(self.scheme));
        let port = match (to.port, asked.and_then(beside)) {
            (None, None) if scheme == self.scheme && to.host.is_none() => self.port,
            (None, beside) => beside,
            (given, _) => given,
        };
        Self {
            scheme,
            host: to.host.as_deref().unwrap_or(self.host),
            port: port.filter(|port| Some(*port) != own_port(scheme)),
            path: to.path.as_deref().unwrap_or(self.path),
            query: self.query,
        }
    }
}

fn own_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.path)?;
        self.query.map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

#[cfg(test)]
mod tests {
    use steelyard_http::{Head, Scheme};

    use super::*;
    use crate::tests::World;

    struct Asked(Scheme, &'static str, &'static str, Option<&'static str>);

    impl Head for Asked {
        fn first(&self, _: &str) -> Option<&[u8]> {
            None
        }

        fn each(&self, _: &mut dyn FnMut(&str, &[u8])) {}
    }

    impl RequestView for Asked {
        fn method(&self) -> &str {
            "GET"
        }

        fn scheme(&self) -> Scheme {
            self.0
        }

        fn authority(&self) -> &str {
            self.1
        }

        fn path(&self) -> &str {
            self.2
        }

        fn query(&self) -> Option<&str> {
            self.3
        }
    }

    /// Where a redirection leads who asks so, if it leads anywhere.
    fn led(to: &Redirection, asked: &Asked) -> Option<String> {
        let mut world = World::new();
        let mut request = RequestEdits::new(asked);
        let mut frame = Redirect(Arc::new(to.clone()));
        match frame.enter(&mut world.context(), &mut request, Got::Nothing) {
            Enter::Answer(answer) => {
                answer.first("location").map(|it| String::from_utf8_lossy(it).into_owned())
            }
            _ => None,
        }
    }

    /// Who asks where the one entry point is comes to where the other one is, also where the scheme
    /// stays the same.
    #[test]
    fn an_entry_point_leads_to_where_another_one_is() {
        use Scheme::{Http, Https};
        let to = |scheme: &str, port, beside| Redirection {
            scheme: Some(scheme.into()),
            host: None,
            port,
            beside,
            path: None,
            status: 301,
        };
        let (tls, plain) =
            (to("https", None, vec![(80, 8443)]), to("http", None, vec![(8081, 80)]));
        let fixed = to("http", Some(8080), vec![(8081, 8080)]);
        for (to, asked, expected) in [
            (&tls, Asked(Http, "a.b", "/", None), Some("https://a.b:8443/")),
            (&tls, Asked(Http, "a.b:80", "/", None), Some("https://a.b:8443/")),
            (&tls, Asked(Http, "a.b:8000", "/", None), Some("https://a.b/")),
            (&plain, Asked(Http, "a.b:8081", "/x", None), Some("http://a.b/x")),
            (&plain, Asked(Http, "a.b", "/x", None), None),
            (&plain, Asked(Https, "a.b:8081", "/x", None), Some("http://a.b/x")),
            (&fixed, Asked(Http, "a.b", "/x", None), Some("http://a.b:8080/x")),
            (&fixed, Asked(Http, "a.b:8081", "/x", None), Some("http://a.b:8080/x")),
        ] {
            assert_eq!(led(to, &asked).as_deref(), expected, "{to:?} {}", asked.1);
        }
    }

    #[test]
    fn who_asks_in_plain_is_led_to_tls() {
        use Scheme::{Http, Https};
        let to = Redirection {
            scheme: Some("https".into()),
            host: None,
            port: None,
            beside: vec![(8080, 8443)],
            path: None,
            status: 308,
        };
        for (asked, expected) in [
            (Asked(Http, "a.b", "/", None), Some("https://a.b/")),
            (Asked(Http, "a.b:80", "/x%2Fy/", Some("q=1")), Some("https://a.b/x%2Fy/?q=1")),
            (Asked(Http, "a.b:8080", "/", None), Some("https://a.b:8443/")),
            (Asked(Http, "a.b:9999", "/", None), Some("https://a.b/")),
            (Asked(Http, "[fd00::1]:8080", "/", Some("")), Some("https://[fd00::1]:8443/?")),
            (Asked(Http, "[fd00::1]", "/", None), Some("https://[fd00::1]/")),
            (Asked(Https, "", "/", None), None),
            (Asked(Https, "a.b", "/", None), None),
            (Asked(Https, "a.b:8443", "/", None), None),
        ] {
            let mut world = World::new();
            let mut request = RequestEdits::new(&asked);
            let mut frame = Redirect(Arc::new(to.clone()));
            let entered = frame.enter(&mut world.context(), &mut request, Got::Nothing);
            let location = match &entered {
                Enter::Answer(answer) => {
                    assert_eq!(answer.status, 308);
                    answer.first("location").map(|it| String::from_utf8_lossy(it).into_owned())
                }
                Enter::Next => None,
                Enter::Ask(ask) => panic!("{ask:?}"),
            };
            assert_eq!(location.as_deref(), expected, "{} {}", asked.1, asked.2);
        }
    }

    #[test]
    fn who_names_no_host_does_not_pass() {
        let to = Redirection {
            scheme: Some("https".into()),
            host: None,
            port: None,
            beside: Vec::new(),
            path: None,
            status: 308,
        };
        let asked = Asked(Scheme::Http, "", "/", None);
        let (mut world, mut request) = (World::new(), RequestEdits::new(&asked));
        let mut frame = Redirect(Arc::new(to));
        let entered = frame.enter(&mut world.context(), &mut request, Got::Nothing);
        let Enter::Answer(answer) = entered else { panic!("{entered:?}") };
        assert_eq!((answer.status, answer.first("location")), (400, None));
    }
}
