//! What a rule may look at.

use std::net::IpAddr;

use crate::routing::pattern::PathForm;

/// A request, or a connection before its first request, as rules see it.
pub trait Subject {
    /// The host asked for: lower case, without port and trailing dot; empty where there is none.
    fn host(&self) -> &str;

    /// Whether that host is written with the dot of the root, which nobody sees but expressions of
    /// Traefik's rules.
    fn is_rooted(&self) -> bool {
        false
    }

    /// The path in the form that the rule asks for; `/` for a connection.
    fn path(&self, form: PathForm) -> &str;

    /// The method, as written.
    fn method(&self) -> &str;

    /// Whether any value of the header `name` (lower case) passes `test`.
    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;

    /// Whether any value of the query parameter `name`, decoded, passes `test`. A parameter
    /// without `=` has the empty value.
    fn any_query(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool;

    /// The address the connection comes from, never one that a header claims.
    fn client_ip(&self) -> Option<IpAddr>;

    /// The server name of the TLS handshake: lower case, without trailing dot.
    fn server_name(&self) -> Option<&str>;

    /// Whether the TLS handshake offered this application protocol.
    fn offers(&self, protocol: &str) -> bool;
}
