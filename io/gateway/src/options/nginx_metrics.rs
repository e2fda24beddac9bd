//! What is told of requests under ingress-nginx's names.

use std::sync::Arc;

use steelyard_metrics::{BucketBounds, table};

/// What is told of requests under ingress-nginx's names.
#[derive(Clone, Debug)]
pub struct NginxMetrics {
    /// Whether requests that no route takes are counted by the host that they are for.
    pub counts_strays: bool,
    /// Whether hosts are told apart.
    pub tells_hosts: bool,
    /// Whether statuses are told by their class alone: `2xx`.
    pub tells_classes: bool,
    /// Upper bounds of the buckets that times are counted in.
    pub times: BucketBounds,
    /// The same of bytes of requests and answers.
    pub lengths: BucketBounds,
    /// The same of bytes that were sent.
    pub sizes: BucketBounds,
    /// Names of those that are not told.
    pub excluded: Arc<[Arc<str>]>,
}

/// As ingress-nginx has it.
impl Default for NginxMetrics {
    fn default() -> Self {
        let bounds = |of: &[f64]| BucketBounds::new(of).unwrap_or_default();
        Self {
            counts_strays: false,
            tells_hosts: true,
            tells_classes: false,
            times: bounds(&table::NGINX_TIMES),
            lengths: bounds(&table::NGINX_LENGTHS),
            sizes: bounds(&table::NGINX_SIZES),
            excluded: Arc::default(),
        }
    }
}
