//! A BGPPeer in its other version.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::peer::{self, NoPeer};
use crate::{Asked, Unanswerable, answer, asked, tree};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conversion<'a> {
    #[serde(default)]
    uid: String,
    #[serde(default, rename = "desiredAPIVersion")]
    wanted: Value,
    #[serde(borrow)]
    objects: Vec<&'a RawValue>,
}

impl Asked for Conversion<'_> {
    const OF: (&'static str, &'static str) = ("apiextensions.k8s.io/v1", "ConversionReview");

    fn uid(&self) -> &str {
        &self.uid
    }
}

/// Answers a `ConversionReview` of BGPPeers: each object as it is in the version that is asked
/// for. One that cannot be converted fails all of them, as the API demands.
///
/// # Errors
/// When the body is no ConversionReview of `apiextensions.k8s.io/v1`.
pub fn convert(body: &[u8]) -> Result<String, Unanswerable> {
    let asked: Conversion<'_> = asked(body)?;
    let converted = asked.objects.iter().map(|object| one(object, &asked.wanted));
    let converted: Result<Vec<Box<RawValue>>, NoPeer> = converted.collect();
    let (result, objects) = match converted {
        Ok(objects) => (json!({ "status": "Success" }), Some(objects)),
        Err(why) => (json!({ "status": "Failure", "message": why.to_string() }), None),
    };
    let response = Converted { uid: &asked.uid, result, converted_objects: objects };
    Ok(answer::<Conversion<'_>>(response))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Converted<'a> {
    uid: &'a str,
    result: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    converted_objects: Option<Vec<Box<RawValue>>>,
}

/// As a text again before the next one becomes a tree.
fn one(object: &RawValue, wanted: &Value) -> Result<Box<RawValue>, NoPeer> {
    let object = tree(object).ok_or(NoPeer::TooLarge)?;
    let converted = peer::to_version(object, wanted)?;
    Ok(serde_json::value::to_raw_value(&converted).expect("a tree is JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(version: &str, objects: &Value) -> Value {
        let request = json!({ "uid": "7", "desiredAPIVersion": version, "objects": objects });
        let body = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "request": request,
        });
        answered(body.to_string().as_bytes())
    }

    fn answered(body: &[u8]) -> Value {
        let answer = convert(body).expect("it is one");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["response"].clone()
    }

    /// Nobody's tree is made of what is no BGPPeer, before it is its turn.
    #[test]
    fn what_is_nested_without_an_end_is_not_converted() {
        let body = format!(
            r#"{{"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request":
                {{"uid": "7", "desiredAPIVersion": "metallb.io/v1beta2", "objects": [{}{}]}}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000),
        );
        assert_eq!(answered(body.as_bytes())["result"]["status"], "Failure");
    }

    /// Each small mapping is a hundred times as large as its text.
    #[test]
    fn what_would_be_a_huge_tree_is_not_converted() {
        let peer = |mappings: usize| {
            json!({
                "apiVersion": "metallb.io/v1beta1", "kind": "BGPPeer", "metadata": {},
                "spec": { "nodeSelectors": vec![json!({ "a": 0 }); mappings] },
            })
        };
        let status =
            |mappings| ask("metallb.io/v1beta2", &json!([peer(mappings)]))["result"].clone();
        assert_eq!(status(1_000)["status"], "Success");
        let refused = status(100_000);
        assert_eq!(refused["status"], "Failure");
        assert!(
            refused["message"].as_str().is_some_and(|it| it.contains("too large")),
            "{refused}"
        );
    }

    #[test]
    fn every_object_is_converted_or_none() {
        let peer = json!({
            "apiVersion": "metallb.io/v1beta1", "kind": "BGPPeer",
            "metadata": { "name": "router" }, "spec": { "myASN": 64512 },
        });
        let answer = ask("metallb.io/v1beta2", &json!([peer, peer]));
        assert_eq!((&answer["uid"], &answer["result"]["status"]), (&json!("7"), &json!("Success")));
        assert_eq!(answer["convertedObjects"].as_array().map(Vec::len), Some(2));
        assert_eq!(answer["convertedObjects"][1]["apiVersion"], "metallb.io/v1beta2");
        let pool = json!({ "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool" });
        let answer = ask("metallb.io/v1beta2", &json!([peer, pool]));
        assert_eq!(answer["result"]["status"], "Failure");
        assert_eq!(answer["convertedObjects"], Value::Null);
    }
}
