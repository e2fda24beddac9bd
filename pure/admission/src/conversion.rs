//! A BGPPeer in its other version.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::peer::{self, NoPeer};
use crate::{Asked, Unanswerable, answer, asked};

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
pub fn convert(body: &[u8]) -> Result<Value, Unanswerable> {
    let asked: Conversion<'_> = asked(body)?;
    let converted = asked.objects.iter().map(|object| one(object, &asked.wanted));
    let converted: Result<Vec<Value>, NoPeer> = converted.collect();
    let response = match converted {
        Ok(objects) => {
            json!({ "result": { "status": "Success" }, "convertedObjects": objects })
        }
        Err(why) => {
            json!({ "result": { "status": "Failure", "message": why.to_string() } })
        }
    };
    Ok(answer(&asked, response))
}

fn one(object: &RawValue, wanted: &Value) -> Result<Value, NoPeer> {
    let object = serde_json::from_str(object.get());
    peer::to_version(object.map_err(|_| NoPeer::Other("what is nested too deep".into()))?, wanted)
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
        convert(body.to_string().as_bytes()).expect("it is one")["response"].clone()
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
        let answer = convert(body.as_bytes()).expect("it is one");
        assert_eq!(answer["response"]["result"]["status"], "Failure");
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
