//! After what another server is asked.

use serde_json::Value;

use super::super::View;
use super::super::location::Location;
use crate::duration::seconds;
use crate::shape::Shape;

impl View<'_> {
    pub(super) fn retry(self, of: &Location<'_>) -> Option<Value> {
        let (asks, options) = (of.ingress.asks, self.options);
        let conditions = asks.written("proxy-next-upstream").unwrap_or(&options.next_upstream);
        let conditions: Vec<&str> = conditions.split_whitespace().collect();
        if conditions.is_empty() || conditions.contains(&"off") {
            return None;
        }
        let tries = asks.number("proxy-next-upstream-tries").unwrap_or(options.next_upstream_tries);
        let all = i64::try_from(of.servers.len()).unwrap_or(i64::MAX);
        let attempts = Some(if tries == 0 { all } else { tries }).filter(|it| *it > 0)?;
        let status: Vec<&str> =
            conditions.iter().filter_map(|it| it.strip_prefix("http_")).collect();
        let time = asks.number("proxy-next-upstream-timeout");
        let time = time.unwrap_or(options.next_upstream_timeout).max(0);
        let has = |name: &str| conditions.contains(&name);
        let body = self.held(of, !status.is_empty());
        let shape = Shape::default()
            .with("attempts", attempts)
            .with("status", status)
            .with("disableRetryOnNetworkError", !has("error") && !has("timeout"))
            .with("retryNonIdempotentMethod", has("non_idempotent"))
            .timed("timeout", &seconds(time))
            .kept("maxRequestBodyBytes", body);
        Some(shape.done())
    }

    /// The largest body that is held to be sent again: minus one is any, and zero none, which is
    /// so where a server may have had a part of it already and it is not held otherwise.
    fn held(self, of: &Location<'_>, after_answers: bool) -> i64 {
        match self.largest_body(of) {
            _ if after_answers && !self.holds_requests(of) => 0,
            0 => -1,
            largest => largest,
        }
    }
}
