//! Parts of which options are made, that several middlewares have.

use serde_json::{Map, Value, json};
use steelyard_model::routing::filter::access::{AllowedClients, ClientPlace, ClientSource};

/// Which clients, and what others are answered.
pub(crate) fn clients(of: &AllowedClients) -> Value {
    let mut shape = json!({ "sourceRange": of.ranges.texts() });
    if let Some(strategy) = strategy(&of.source) {
        shape["ipStrategy"] = strategy;
    }
    if of.status != 403 {
        shape["rejectStatusCode"] = of.status.into();
    }
    shape
}

/// How the client is known, where that is not by its connection.
pub(crate) fn strategy(source: &ClientSource) -> Option<Value> {
    let mut shape = match &source.from {
        ClientPlace::Peer => json!({}),
        ClientPlace::Depth(depth) => json!({ "depth": depth }),
        ClientPlace::Excluding(nets) => json!({ "excludedIPs": nets.texts() }),
    };
    if let Some(subnet) = source.ipv6_subnet {
        shape["ipv6Subnet"] = subnet.into();
    }
    shape.as_object().is_some_and(|it| !it.is_empty()).then_some(shape)
}
/// Without what says nothing.
pub(crate) fn trimmed(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let says = |(_, value): &(String, Value)| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) => true,
    };
    Value::Object(map.into_iter().filter(says).collect::<Map<_, _>>())
}
