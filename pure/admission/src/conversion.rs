//! A BGPPeer in its other version.

use serde_json::{Value, json};

use crate::peer;
use crate::{Question, Unanswerable};

/// Answers a `ConversionReview` of BGPPeers: each object as it is in the version that is asked
/// for. One that cannot be converted fails all of them, as the API demands.
///
/// # Errors
/// When the body is no ConversionReview of `apiextensions.k8s.io/v1`.
pub fn convert(body: &[u8]) -> Result<Value, Unanswerable> {
    let mut question = Question::read(body, "apiextensions.k8s.io/v1", "ConversionReview")?;
    let wanted = question.take("desiredAPIVersion");
    let Value::Array(objects) = question.take("objects") else {
        return Err(Unanswerable::NoRequest);
    };
    let converted = objects.into_iter().map(|object| peer::to_version(object, &wanted));
    let converted: Result<Vec<Value>, peer::NoPeer> = converted.collect();
    let response = match converted {
        Ok(objects) => {
            json!({ "result": { "status": "Success" }, "convertedObjects": objects })
        }
        Err(why) => {
            json!({ "result": { "status": "Failure", "message": why.to_string() } })
        }
    };
    Ok(question.answer(response))
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
