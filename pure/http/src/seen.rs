//! Any head as rules see it: that of a request as filters have made it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;

use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::subject::Subject;

use crate::host::{Authority, is_rooted};
use crate::name::is_of_message;
use crate::path::{decoded, normalize, readable};
use crate::readings::{is_certain, readings, spellings};
use crate::reject::Reject;
use crate::subject::text;
use crate::view::RequestView;

/// A request as filters have made it.
pub struct HeadSubject<'h> {
    head: &'h dyn RequestView,
    host: Cow<'h, str>,
    path: Cow<'h, str>,
    client: IpAddr,
    server_name: Option<&'h str>,
    decoded: OnceCell<String>,
    readable: OnceCell<String>,
}

impl<'h> HeadSubject<'h> {
    /// The request `head` of `client`, perhaps over TLS with this server name.
    ///
    /// # Errors
    /// Where its host or its path is none that is routed.
    pub fn new(
        head: &'h dyn RequestView,
        client: IpAddr,
        server_name: Option<&'h str>,
    ) -> Result<Self, Reject> {
        let host = match head.authority() {
            "" => Cow::Borrowed(""),
            authority => Authority::parse(authority.as_bytes())?.host,
        };
        let path = normalize(head.path())?;
        let (decoded, readable) = (OnceCell::new(), OnceCell::new());
        Ok(Self { head, host, path, client, server_name, decoded, readable })
    }

    /// Whether nobody sees another path in its own than we do, but those that
    /// [`readings`](Self::readings) has.
    pub fn is_certain(&self) -> bool {
        is_certain(&self.path)
    }

    /// The same with the other paths that some server sees in its path, and with each spelling that
    /// an expression may be written for; nothing where the path has one reading and one spelling.
    pub fn readings(&self) -> impl Iterator<Item = Self> {
        let spelled =
            move |path: String| spellings(&path).map(move |text| self.seen(&path, Some(text)));
        let others = readings(&self.path).flat_map(move |path| {
            let read = self.seen(&path, None);
            std::iter::once(read).chain(spelled(path))
        });
        spelled(self.path.to_string()).chain(others)
    }

    /// The same with this path, and perhaps with what expressions see of it.
    fn seen(&self, path: &str, readable: Option<String>) -> Self {
        Self {
            head: self.head,
            host: self.host.clone(),
            path: Cow::Owned(path.to_owned()),
            client: self.client,
            server_name: self.server_name,
            decoded: OnceCell::new(),
            readable: readable.map(OnceCell::from).unwrap_or_default(),
        }
    }
}

/// The values of a query's parameters of this name, decoded; of one without `=` it is empty.
pub fn parameters_called<'q>(query: &'q str, name: &str) -> impl Iterator<Item = Cow<'q, str>> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(key, _)| text(key) == name).map(|(_, value)| text(value))
}

/// A query without its parameters of this name; none where nothing is left of it.
pub fn without_parameters(query: &str, name: &str) -> Option<String> {
    let key = |pair: &&str| text(pair.split_once('=').map_or(*pair, |(key, _)| key)) != name;
    let rest: Vec<&str> = query.split('&').filter(key).collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

impl Subject for HeadSubject<'_> {
    fn host(&self) -> &str {
        &self.host
    }

    fn is_rooted(&self) -> bool {
        is_rooted(self.head.authority())
    }

    fn path(&self, form: PathForm) -> &str {
        match form {
            PathForm::Normal => &self.path,
            PathForm::Decoded => self.decoded.get_or_init(|| decoded(&self.path).into_owned()),
            PathForm::Readable => self.readable.get_or_init(|| readable(&self.path).into_owned()),
        }
    }

    fn method(&self) -> &str {
        self.head.method()
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if is_of_message(name) {
            return false;
        }
        let mut is_any = false;
        self.head.each(&mut |line, value| {
            is_any = is_any || line.eq_ignore_ascii_case(name) && test(value);
        });
        is_any
    }

    fn any_query(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let query = self.head.query().unwrap_or_default();
        parameters_called(query, name).any(|value| test(&value))
    }

    fn client_ip(&self) -> Option<IpAddr> {
        Some(self.client)
    }

    fn server_name(&self) -> Option<&str> {
        self.server_name
    }

    fn offers(&self, _: &str) -> bool {
        false
    }
}
