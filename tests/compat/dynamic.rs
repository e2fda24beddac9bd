//! What Traefik's providers make of objects: its own tests' expectations, held against ours.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use steelyard_dynamic::{DynamicOptions, dynamic};
use steelyard_manifest::{ReadLimits, Source, load_unnamed};
use steelyard_model::{ProviderOptions, Selector};

use super::{Case, nginx};

/// What differs between the configuration that a case expects and the one that is made.
pub(crate) fn of_kinds(case: &Case) -> Vec<String> {
    let options = DynamicOptions { crd: options(case), ..DynamicOptions::default() };
    differing(case, &options, "kubernetescrd")
}

/// The same of Ingresses.
pub(crate) fn of_ingresses(case: &Case) -> Vec<String> {
    let is_v2 = case.content["options"]["defaultRuleSyntax"] == "v2";
    let options = DynamicOptions { ingress: options(case), is_v2, ..DynamicOptions::default() };
    differing(case, &options, "kubernetes")
}

/// The same of Ingresses of class nginx.
pub(crate) fn of_nginx(case: &Case) -> Vec<String> {
    let nginx = nginx::options(&case.content["options"]);
    let options = DynamicOptions { nginx, ..DynamicOptions::default() };
    differing(case, &options, "kubernetesingressnginx")
}

pub(crate) fn options(case: &Case) -> ProviderOptions {
    let all = &case.content["options"];
    let is = |name: &str| all[name].as_bool().unwrap_or_default();
    let texts = |name: &str| {
        let texts = all[name].as_array()?.iter().filter_map(Value::as_str);
        Some(texts.map(str::to_owned).collect::<BTreeSet<_>>())
    };
    ProviderOptions {
        namespaces: texts("namespaces").unwrap_or_default(),
        labels: all["labelSelector"].as_str().and_then(Selector::read).unwrap_or_default(),
        ingress_class: all["ingressClass"].as_str().unwrap_or_default().to_owned(),
        allow_cross_namespace: is("allowCrossNamespace"),
        allow_external_name_services: Some(is("allowExternalNameServices")),
        allow_empty_services: is("allowEmptyServices"),
        native_lb_by_default: is("nativeLBByDefault"),
        disable_cluster_scope_resources: is("disableClusterScopeResources"),
        disable_ingress_class_lookup: is("disableIngressClassLookup"),
        strict_prefix_matching: is("strictPrefixMatching"),
        cross_provider_namespaces: texts("crossProviderNamespaces"),
    }
}

fn differing(case: &Case, options: &DynamicOptions, provider: &str) -> Vec<String> {
    let files = case.content["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let loaded = files.flat_map(|name| {
        let source = Source::new(name, case.manifest(name).into_bytes());
        load_unnamed(&source, &ReadLimits::default())
    });
    let objects: Vec<_> = loaded.collect();
    let mut made = of_provider(&dynamic(&objects, options), provider);
    let mut expected = without_metadata(&case.content["expected"]);
    for path in case.content["unordered"].as_array().into_iter().flatten() {
        for side in [&mut made, &mut expected] {
            let mut place = Some(side);
            for step in path.as_array().into_iter().flatten().filter_map(Value::as_str) {
                place = place.and_then(|it| it.get_mut(step));
            }
            if let Some(items) = place.and_then(Value::as_array_mut) {
                items.sort_by_key(Value::to_string);
            }
        }
    }
    let mut wrong = Vec::new();
    compare("", &expected, &made, &mut wrong);
    wrong
}

/// The part of a configuration that one provider makes, under its own names. Certificates are
/// nobody's.
fn of_provider(made: &Value, provider: &str) -> Value {
    let own = |section: &Value| match section {
        Value::Object(named) => {
            let named = named.iter().filter_map(|(name, value)| {
                let (name, of) = name.rsplit_once('@')?;
                (of == provider).then(|| (name.to_owned(), value.clone()))
            });
            Value::Object(named.collect())
        }
        other => other.clone(),
    };
    let part = |part: &Value| {
        let sections = part.as_object().into_iter().flatten();
        let sections = sections.map(|(section, value)| (section.clone(), own(value)));
        Value::Object(sections.filter(|(_, value)| *value != Value::Object(Map::new())).collect())
    };
    let parts = made.as_object().into_iter().flatten();
    let parts = parts.map(|(name, value)| (name.clone(), without_metadata(&part(value))));
    Value::Object(parts.filter(|(_, value)| *value != Value::Object(Map::new())).collect())
}

/// Without what names the objects behind routers, which says nothing of what they do.
fn without_metadata(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| *key != "metadata");
            let kept = kept.map(|(key, value)| (key.clone(), without_metadata(value)));
            let said = |(key, value): &(String, Value)| {
                key != "observability" || *value != Value::Object(Map::new())
            };
            Value::Object(kept.filter(said).collect())
        }
        Value::Array(items) => items.iter().map(without_metadata).collect(),
        other => other.clone(),
    }
}

/// Says where two values differ, each place once.
fn compare(path: &str, expected: &Value, made: &Value, wrong: &mut Vec<String>) {
    match (expected, made) {
        (Value::Object(expected), Value::Object(made)) => {
            let keys: BTreeSet<&String> = expected.keys().chain(made.keys()).collect();
            for key in keys {
                let side = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}/{key}"), &side(expected), &side(made), wrong);
            }
        }
        _ if expected == made => {}
        // Nothing at all is an empty section too.
        (Value::Null, Value::Object(map)) | (Value::Object(map), Value::Null)
            if map.is_empty() && path.matches('/').count() < 3 => {}
        _ => wrong.push(format!("{path}: expected {expected}, made {made}")),
    }
}
