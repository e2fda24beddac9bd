//! Kinds of diagnostics about statuses that others write.

use steelyard_model::Code;

/// MetalLB's controller runs beside.
pub const METALLB_RUNS: Code = Code::new("metallb-runs");
/// k3s' ServiceLB serves a Service.
pub const SERVICE_LB_RUNS: Code = Code::new("service-lb-runs");
/// The status of a Service is somebody else's.
pub const STATUS_OF_ANOTHER: Code = Code::new("status-of-another");
