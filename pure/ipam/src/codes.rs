//! Kinds of diagnostics about addresses.

use steelyard_model::Code;

/// A Service gets no address: no pool serves it, or all that do are full.
pub const NO_ADDRESS: Code = Code::new("no-address");
/// A requested address is in no pool, or not in the requested one.
pub const ADDRESS_OUTSIDE_POOLS: Code = Code::new("address-outside-pools");
/// A requested address is held by a Service that does not share it.
pub const ADDRESS_TAKEN: Code = Code::new("address-taken");
/// A requested address is a machine's own.
pub const ADDRESS_RESERVED: Code = Code::new("address-reserved");
/// A Service has an address that is a machine's own, too.
pub const ADDRESS_OF_MACHINE: Code = Code::new("address-of-machine");
/// What is written is no request for addresses.
pub const INVALID_ADDRESS_REQUEST: Code = Code::new("invalid-address-request");
/// The requested addresses are not of the Service's families.
pub const REQUEST_FAMILIES: Code = Code::new("request-families");
/// The requested pool, or the pool of a requested address, is for other Services.
pub const POOL_NOT_FOR_SERVICE: Code = Code::new("pool-not-for-service");
/// The requested pool does not exist.
pub const UNKNOWN_POOL: Code = Code::new("unknown-pool");
/// Two families are required and the cluster gave the Service one.
pub const CLUSTER_IP_FAMILIES: Code = Code::new("cluster-ip-families");
/// A Service that prefers two families gets one.
pub const SECOND_FAMILY_MISSING: Code = Code::new("second-family-missing");
/// A Service is of a load balancer class that is not ours.
pub const FOREIGN_CLASS: Code = Code::new("foreign-class");
/// An annotation has its older prefix.
pub const DEPRECATED_ANNOTATION: Code = Code::new("deprecated-annotation");
