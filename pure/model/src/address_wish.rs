//! What a Service asks of the addresses it gets.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use crate::object::FieldPath;

/// All that it asks for; by default any address, to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressWish {
    /// These addresses; none where any will do.
    pub request: Option<AddressRequest>,
    /// A pool.
    pub pool: Option<PoolRequest>,
    /// The key under which it may share an address. An empty one shares with nobody, but counts
    /// where MetalLB asks only whether there is one.
    pub sharing_key: Option<String>,
    /// Annotations under their older prefix, whether they mean something or not.
    pub deprecated: Vec<DeprecatedAnnotation>,
}

impl AddressWish {
    /// Itself; to want nothing, as nearly all Services do, lies in memory once.
    pub fn shared(self) -> Arc<Self> {
        static NOTHING: LazyLock<Arc<AddressWish>> = LazyLock::new(Arc::default);
        if self == **NOTHING { NOTHING.clone() } else { Arc::new(self) }
    }
}

/// Addresses asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRequest {
    /// Exactly these: one, or one of each family. Something else is no request.
    pub addresses: Result<Vec<IpAddr>, BadRequest>,
    /// Where they are written.
    pub path: FieldPath,
}

/// What is written where addresses are asked for, and is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// Both the annotation and the field ask.
    Twice,
    /// The field holds no address.
    Field(String),
    /// The annotation holds something that is no address.
    List(String),
    /// The annotation holds addresses that no Service can have together.
    Families(Vec<IpAddr>),
}

/// A pool asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRequest {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub path: FieldPath,
}

/// An annotation under a prefix of before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeprecatedAnnotation {
    /// The whole key.
    pub key: String,
    /// Whether it asks for something.
    pub is_request: bool,
}
