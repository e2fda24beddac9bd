//! What a connection meets before a request on it is looked at. For people: a connection itself
//! asks [`EntryTable`] alone, which this agrees with.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::id::{EntryPointId, TlsPolicyId};
use steelyard_model::routing::route::Route;

use crate::compile::RoutingTable;
use crate::entry_table::{EntryTable, Opening, PlainPath, TlsPath};
use crate::named::Named;

/// What takes a connection.
#[derive(Clone, Debug)]
pub enum Met<'t> {
    /// Its requests are looked at; over TLS by this policy, none being the usual one.
    Requests(Option<&'t TlsPolicyId>),
    /// It goes to a TCP route as it is.
    Bytes(&'t Arc<Route>),
    /// No handshake is held: routes of the host ask for different terms.
    Disagreement,
}

impl RoutingTable {
    /// What takes a connection to an entry point, if there is one: over TLS one that is for
    /// `host`, in lower case, which names nobody where it is an address (RFC 6066 §3).
    pub fn met(
        &self,
        entry_point: &EntryPointId,
        (host, is_tls): (&str, bool),
        client: IpAddr,
    ) -> Option<Met<'_>> {
        let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let name = if is_address || !is_tls { "" } else { host };
        let caller = Named(name, Some(client));
        let table: &EntryTable<Route> = self.entry_point(entry_point)?;
        if let Opening::Serve(choice) = table.opening(&caller) {
            return Some(Met::Bytes(choice.candidate));
        }
        Some(match is_tls {
            false => match table.plain(&caller) {
                PlainPath::Tcp(choice) => Met::Bytes(choice.candidate),
                PlainPath::Http => Met::Requests(None),
            },
            true => match table.hello(&caller) {
                TlsPath::Tcp(choice) => Met::Bytes(choice.candidate),
                TlsPath::Https(policy) => Met::Requests(policy),
                TlsPath::Challenge => Met::Requests(None),
                TlsPath::Refuse => Met::Disagreement,
            },
        })
    }
}
