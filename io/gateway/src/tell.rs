//! What is told of requests: the access log, metrics, why something went wrong.

pub(crate) mod access_log;
pub(crate) mod carried;
pub(crate) mod date;
pub(crate) mod distrust;
pub(crate) mod endpoints;
pub(crate) mod exposition;
pub(crate) mod fault;
pub(crate) mod headed;
pub(crate) mod metrics;
pub(crate) mod nginx_totals;
pub(crate) mod recent;
pub(crate) mod request_id;
pub(crate) mod tracer;
pub(crate) mod turned_away;
