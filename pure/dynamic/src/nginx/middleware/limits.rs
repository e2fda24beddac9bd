//! How much a client may ask.

use serde_json::{Value, json};

use super::super::asks::Asks;

/// How many times as much a client may ask at once.
const BURST: i64 = 5;

/// Requests in a minute, and in a second.
pub(super) fn rates(asks: Asks<'_>) -> [Option<Value>; 2] {
    let times = asks.number("limit-burst-multiplier").filter(|it| *it >= 1).unwrap_or(BURST);
    [("limit-rpm", "1m0s"), ("limit-rps", "1s")].map(|(name, period)| {
        let average = asks.number(name).filter(|it| *it > 0)?;
        let burst = average.saturating_mul(times);
        Some(json!({ "average": average, "period": period, "burst": burst }))
    })
}

/// Requests at the same time.
pub(super) fn connections(asks: Asks<'_>) -> Option<Value> {
    let amount = asks.number("limit-connections").filter(|it| *it > 0)?;
    Some(json!({ "amount": amount, "sourceCriterion": { "ipStrategy": {} } }))
}
