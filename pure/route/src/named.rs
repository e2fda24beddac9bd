//! A handshake of which nothing is known but the name that it is for.

use std::net::IpAddr;

use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::subject::Subject;

/// A name in lower case, without a trailing dot, empty where it names nobody; and who asks, where
/// that is known.
pub(crate) struct Named<'n>(pub(crate) &'n str, pub(crate) Option<IpAddr>);

impl Subject for Named<'_> {
    fn host(&self) -> &str {
        ""
    }

    fn path(&self, _: PathForm) -> &str {
        "/"
    }

    fn method(&self) -> &str {
        ""
    }

    fn any_header(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }

    fn any_query(&self, _: &str, _: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }

    fn client_ip(&self) -> Option<IpAddr> {
        self.1
    }

    fn server_name(&self) -> Option<&str> {
        Some(self.0).filter(|name| !name.is_empty())
    }

    fn offers(&self, _: &str) -> bool {
        false
    }
}
