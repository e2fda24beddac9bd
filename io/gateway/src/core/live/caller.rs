//! Who asks, as far as a choice among backends hangs on it.

use std::cell::OnceCell;
use std::net::IpAddr;

use steelyard_balance::pick::hash;
use steelyard_balance::sticky;
use steelyard_balance::tree::Asker;
use steelyard_http::{RequestView, Scheme};
use steelyard_model::routing::backend::HashKey;

/// A client, and what it asks, where that is a request.
pub(crate) struct Caller<'h> {
    address: IpAddr,
    head: Option<&'h dyn RequestView>,
    is_tls: bool,
    text: OnceCell<String>,
    /// All its cookies, as one line.
    cookies: OnceCell<String>,
}

impl<'h> Caller<'h> {
    /// Who sends bytes.
    pub(crate) fn at(address: IpAddr) -> Self {
        let (head, is_tls) = (None, false);
        Self { address, head, is_tls, text: OnceCell::new(), cookies: OnceCell::new() }
    }

    /// Who sends a request.
    pub(crate) fn of(head: &'h dyn RequestView, address: IpAddr) -> Self {
        let is_tls = head.scheme() == Scheme::Https;
        Self { head: Some(head), is_tls, ..Self::at(address) }
    }

    /// The same, who came over TLS or did not.
    pub(crate) fn secured(self, is_tls: bool) -> Self {
        Self { is_tls, ..self }
    }

    /// Whether it came over TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether it takes `SameSite=None` of a cookie for something else.
    pub(super) fn misreads_none(&self) -> bool {
        sticky::misreads_none(str::from_utf8(self.header_bytes("user-agent")).unwrap_or_default())
    }

    /// A hash of what keeps requests together; none where it has nothing of it.
    pub(super) fn key(&self, key: &HashKey) -> Option<u64> {
        let mut bytes = Vec::new();
        self.add(key, &mut bytes);
        (!bytes.is_empty()).then(|| hash(bytes))
    }

    fn add(&self, key: &HashKey, bytes: &mut Vec<u8>) {
        match key {
            HashKey::Client => bytes.extend_from_slice(self.client().as_bytes()),
            HashKey::Header(name) => bytes.extend_from_slice(self.header_bytes(name)),
            HashKey::Cookie(name) => {
                bytes.extend_from_slice(self.cookie(name).unwrap_or_default().as_bytes());
            }
            HashKey::Target => {
                let Some(head) = self.head else { return };
                bytes.extend_from_slice(head.path().as_bytes());
                if let Some(query) = head.query() {
                    bytes.push(b'?');
                    bytes.extend_from_slice(query.as_bytes());
                }
            }
            HashKey::Query(name) => {
                let query = self.head.and_then(|head| head.query()).unwrap_or_default();
                let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
                bytes.extend_from_slice(found.map_or("", |(_, value)| value).as_bytes());
            }
            HashKey::Host => {
                let host = self.head.map(|head| head.authority().to_ascii_lowercase());
                bytes.extend_from_slice(host.unwrap_or_default().as_bytes());
            }
            HashKey::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            HashKey::All(keys) => keys.iter().for_each(|key| self.add(key, bytes)),
        }
    }

    fn header_bytes(&self, name: &str) -> &[u8] {
        self.head.and_then(|head| head.first(name)).unwrap_or_default()
    }

    fn cookies(&self) -> &str {
        self.cookies.get_or_init(|| {
            let mut all = String::new();
            let Some(head) = self.head else { return all };
            head.each(&mut |name, value| {
                if name.eq_ignore_ascii_case("cookie") {
                    all.push_str(&String::from_utf8_lossy(value));
                    all.push(';');
                }
            });
            all
        })
    }
}

impl Asker for Caller<'_> {
    fn cookie(&self, name: &str) -> Option<&str> {
        sticky::cookie(self.cookies(), name)
    }

    fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.head?.first(name)?).ok()
    }

    fn client(&self) -> &str {
        self.text.get_or_init(|| self.address.to_canonical().to_string())
    }
}
