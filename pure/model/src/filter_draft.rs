//! A filter as an object or a file asks for it, whose users, certificates, members and backends
//! are still names: Traefik's Middleware and MiddlewareTCP. The join looks them up and makes a
//! [`FilterNode`](crate::routing::filter::FilterNode) of it.

use std::sync::Arc;

use crate::handshake_draft::{MaterialPart, SecretLink};
use crate::object::{ObjectRef, Provenance};
use crate::router_draft::{ObjectLink, WayDraft};
use crate::routing::filter::Filter;
use crate::routing::id::FilterId;

/// A filter whose names are not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterDraft {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// Its id: namespace, name and provider.
    pub id: FilterId,
    /// Whether it is for connections as they come, and not for requests.
    pub is_for_bytes: bool,
    /// The part of the object that says what it does.
    pub place: Provenance,
    /// What it does; what is looked up is empty.
    pub filter: Filter,
    /// Secrets, and what they are for.
    pub secrets: Vec<(SecretPurpose, SecretLink)>,
    /// A file with users, beside those that are written.
    pub users_file: Option<MaterialPart>,
    /// Of a chain, and what else has others within it: these.
    pub members: Vec<ObjectLink>,
    /// Of error pages: who has them.
    pub pages: Option<Box<WayDraft>>,
}

/// What a filter needs a Secret for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretPurpose {
    /// Users with their passwords.
    Users,
    /// Whom to believe.
    Authorities,
    /// What is shown when asked who we are.
    Identity,
    /// A name and a password of our own.
    Credentials,
    /// A secret that who signs has too.
    Signing,
    /// What we are called by an issuer.
    ClientName,
    /// What proves that to it.
    ClientSecret,
    /// What sessions are sealed with.
    Sealing,
    /// Hashes of keys.
    Keys,
}

impl SecretPurpose {
    /// Whether it is for a login.
    pub fn is_of_login(self) -> bool {
        matches!(self, Self::ClientName | Self::ClientSecret | Self::Sealing)
    }
}
