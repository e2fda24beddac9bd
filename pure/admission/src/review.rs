//! Whether an object may come in as it is.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::verdict::Verdict;
use crate::{Asked, Beside, Unanswerable, answer, asked};

/// Groups whose objects are ours to refuse. Others have more readers than us: of their mistakes we
/// warn only, since what is wrong to us may be right to somebody else.
const OURS: [&str; 2] = ["metallb.io", "traefik.io"];

/// HTTP's word for what is well-formed and wrong, as the API server itself answers it.
const INVALID: u16 = 422;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Admission<'a> {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource: GroupResource,
    #[serde(default)]
    sub_resource: String,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupResource {
    group: String,
}

impl Asked for Admission<'_> {
    const OF: (&'static str, &'static str) = ("admission.k8s.io/v1", "AdmissionReview");

    fn uid(&self) -> &str {
        &self.uid
    }
}

/// Answers an `AdmissionReview`: errors of what `check` would say refuse an object of a group of
/// ours, or that is judged `beside` others; everything else warns.
///
/// An object that had the same errors before is let in, with warnings: labels, finalizers and
/// statuses of what is wrong already have to stay writable, or it could not even be deleted. So is
/// one that is being deleted, and one that is too large to be judged while somebody waits.
///
/// # Errors
/// When the body is no AdmissionReview of `admission.k8s.io/v1`.
pub fn review(body: &[u8], beside: &dyn Beside) -> Result<String, Unanswerable> {
    let asked: Admission<'_> = asked(body)?;
    let Verdict { errors, mut warnings, is_beside_others } = Verdict::of(asked.object, beside);
    let is_ours = is_beside_others || OURS.contains(&&*asked.resource.group);
    let is_let = || {
        let before = Verdict::of(asked.old_object, beside).errors;
        errors.iter().all(|error| before.contains(error))
            || !asked.sub_resource.is_empty()
            || asked.object.is_some_and(is_leaving)
    };
    if errors.is_empty() || !is_ours || is_let() {
        warnings.splice(0..0, errors);
        let response = json!({ "uid": asked.uid, "allowed": true, "warnings": warnings });
        return Ok(answer::<Admission<'_>>(response));
    }
    let message = errors.join("\n");
    let status = json!({ "code": INVALID, "reason": "Invalid", "message": message });
    let uid = asked.uid;
    let response = json!({ "uid": uid, "allowed": false, "status": status, "warnings": warnings });
    Ok(answer::<Admission<'_>>(response))
}

/// Whether an object is being deleted, and waits for those who have to let go of it.
fn is_leaving(object: &RawValue) -> bool {
    let read: Option<Leaving> = serde_json::from_str(object.get()).ok();
    read.is_some_and(|it| it.metadata.deletion_timestamp.is_some())
}

#[derive(Deserialize)]
struct Leaving {
    #[serde(default)]
    metadata: LeavingMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LeavingMetadata {
    deletion_timestamp: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::NothingBeside;

    fn pool(addresses: &str) -> Value {
        json!({
            "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
            "metadata": { "name": "home", "namespace": "steelyard-system" },
            "spec": { "addresses": [addresses] },
        })
    }

    fn judged(body: &[u8]) -> Value {
        serde_json::from_str(&review(body, &NothingBeside).expect("it is one")).expect("JSON")
    }

    fn ask(group: &str, object: Value, old: Value) -> Value {
        let request = json!({
            "uid": "7", "operation": "UPDATE", "resource": { "group": group },
            "object": object, "oldObject": old,
        });
        let body = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request,
        });
        judged(body.to_string().as_bytes())
    }

    /// Which are let in, and whether something is said of it.
    #[test]
    fn what_is_wrong_is_kept_out_where_it_is_ours_and_new() {
        let (good, bad, worse) = (pool("192.0.2.0/28"), pool("192.0.2.0/99"), pool("nowhere"));
        let mut leaving = bad.clone();
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let rows = [
            ("metallb.io", good.clone(), Value::Null, true, 0),
            ("metallb.io", bad.clone(), Value::Null, false, 0),
            ("metallb.io", bad.clone(), good.clone(), false, 0),
            ("metallb.io", bad.clone(), bad.clone(), true, 1),
            ("metallb.io", leaving, Value::Null, true, 1),
            ("metallb.io", worse, bad.clone(), false, 0),
            ("metallb.io", good, bad.clone(), true, 0),
            ("metallb.io", Value::Null, bad.clone(), true, 0),
            ("somebody.else", bad, Value::Null, true, 1),
        ];
        for (group, object, old, allowed, warnings) in rows {
            let case = format!("{object} after {old} in {group}");
            let answer = ask(group, object, old);
            assert_eq!(answer["response"]["allowed"], allowed, "{case}");
            let said = answer["response"]["warnings"].as_array().expect("a list");
            assert_eq!(said.len(), warnings, "{case}: {said:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_check_says() {
        let answer = ask("metallb.io", pool("192.0.2.0/99"), Value::Null);
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], "7");
        let status = &answer["response"]["status"];
        assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
        let message = status["message"].as_str().expect("a text");
        assert!(message.starts_with("spec.addresses[0]: "), "{message}");
        assert!(message.contains("192.0.2.0/99"), "{message}");
    }

    #[test]
    fn warnings_are_told_with_what_is_let_in() {
        let mut object = pool("192.0.2.0/28");
        object["spec"]["autoAsign"] = json!(false);
        let answer = ask("metallb.io", object, Value::Null);
        assert_eq!(answer["response"]["allowed"], true);
        let said = answer["response"]["warnings"][0].as_str().expect("one");
        assert!(said.contains("autoAsign"), "{said}");
    }

    /// Judged is what is written, not how a text could be understood that has it in it.
    #[test]
    fn every_text_that_an_api_server_takes_is_well() {
        for text in ["\u{7f}", "\u{feff}", "\u{85}\u{2028}\u{ffff}", "{{ .Values }}", "&a", "😀"]
        {
            let mut object = pool("192.0.2.0/28");
            object["metadata"]["annotations"] = json!({ "a": text });
            let field = format!("v:\"{}\"", "x".repeat(2_000));
            object["metadata"]["managedFields"] = json!([{ "fieldsV1": { field: {} } }]);
            let answer = ask("metallb.io", object, Value::Null);
            let response = &answer["response"];
            assert_eq!(
                (&response["allowed"], &response["warnings"]),
                (&json!(true), &json!([])),
                "{text:?}: {answer}"
            );
        }
    }

    /// However large, deep or wrong an object is: the answer is there soon, and short.
    #[test]
    fn no_question_costs_much() {
        let mut many = pool("nowhere");
        many["spec"]["addresses"] = (0..10_000).map(|it| json!(format!("no-{it}"))).collect();
        let answer = ask("metallb.io", many.clone(), Value::Null);
        assert_eq!(answer["response"]["allowed"], false);
        let text = answer.to_string();
        assert!(text.len() < 10_000 && text.contains("and 9980 more"), "{}", &text[..2_000]);
        many["spec"]["addresses"] = (0..100_000).map(|it| json!(format!("no-{it}"))).collect();
        let answer = ask("metallb.io", many, Value::Null);
        assert_eq!(answer["response"]["allowed"], true);
        assert!(answer["response"]["warnings"][0].as_str().expect("one").contains("not judged"));
        let deep = format!(
            r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request":
                {{"uid": "7", "resource": {{"group": "traefik.io"}}, "object": {}{}}}}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000),
        );
        let answer = judged(deep.as_bytes());
        assert_eq!(answer["response"]["allowed"], true);
    }

    #[test]
    fn what_is_no_review_is_not_answered() {
        for (body, why) in [
            ("", Unanswerable::NotJson),
            ("{", Unanswerable::NotJson),
            ("[]", Unanswerable::NotA("AdmissionReview")),
            (
                r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
                Unanswerable::NotA("AdmissionReview"),
            ),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}"#,
                Unanswerable::NoRequest,
            ),
        ] {
            assert_eq!(review(body.as_bytes(), &NothingBeside), Err(why), "{body}");
        }
    }
}
