//! Diagnostics of the running whole.

use steelyard_model::Code;

/// The objects of a cluster, without some that say where things are.
pub const DUMP_INCOMPLETE: Code = Code::new("dump-incomplete");
/// An entry point does not listen where it should.
pub const NOT_LISTENING: Code = Code::new("not-listening");
/// Something on this host keeps clients from a port.
pub const UNREACHABLE: Code = Code::new("unreachable");
/// kube-proxy in IPVS mode has the kernel of each node answer for vips.
pub const IPVS_ANSWERS_ARP: Code = Code::new("ipvs-answers-arp");
/// Something on this host may keep clients from a port.
pub const PERHAPS_UNREACHABLE: Code = Code::new("perhaps-unreachable");
