//! What stands in for objects with mistakes: whom their rules name, and nothing that leads on.

use steelyard_manifest::load_dynamic;
use steelyard_model::handshake_draft::AskedClients;
use steelyard_model::router_draft::WayTarget;
use steelyard_model::routing::backend::RefusalReason;
use steelyard_testbed::probe::get;

use super::*;

/// What the first object of a file of dynamic configuration, or else of a manifest, comes to.
fn of(text: &str, is_dynamic: bool) -> Lowered {
    let source = Source::new("/dyn.yml", text.as_bytes());
    let loaded = match is_dynamic {
        true => load_dynamic(&source, &ReadLimits::default()),
        false => load(&source, &ReadLimits::default()),
    };
    lower(&loaded.objects[0], &LowerOptions::default())
}

/// Checks that what stands in for an object closes `/admin` of `a.test`, over TLS if `is_tls`, or
/// that nothing does.
fn closes(text: &str, is_dynamic: bool, expected: Option<bool>) {
    let lowered = of(text, is_dynamic);
    assert!(lowered.items.is_empty(), "{text}");
    assert!(lowered.diagnostics.iter().any(|it| it.severity == Severity::Error), "{text}");
    let found = match &lowered.stand_in[..] {
        [] => None,
        [Item::Routers(set)] => {
            let [router] = &set.routers[..] else { panic!("{text}: {:?}", set.routers) };
            assert!(matches!(router.refusal, Some(RefusalReason::Mistake(_))), "{text}");
            assert!(router.ways.iter().all(|way| way.to == WayTarget::Nowhere), "{text}");
            let holds = |host, path| router.rule.holds(&get(host, path));
            assert!(holds("a.test", "/admin") && !holds("a.test", "/"), "{text}");
            assert_eq!(set.entry_points, ["web".into()], "{text}");
            Some(set.tls.is_some())
        }
        [Item::Routes(set)] => {
            assert!(matches!(set.refusal, Some(RefusalReason::Mistake(_))), "{text}");
            let holds = |path| set.routes.iter().any(|it| it.rule.holds(&get("a.test", path)));
            assert!(holds("/admin") && !holds("/"), "{text}");
            Some(set.tls.is_some())
        }
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(found, expected, "{text}");
}

const RULE: &str = "Host(`a.test`) && PathPrefix(`/admin`)";

#[test]
fn a_router_of_a_file() {
    let rows = [
        ("middleware: [deny], entryPoints: [web]", Some(false)),
        ("middlewares: {deny: 1}, entryPoints: web", Some(false)),
        ("priority: x, entryPoint: [web]", Some(false)),
        ("entryPoints: [web], service: [s]", Some(false)),
        ("entryPoints: [web, {}], observability: 5", Some(false)),
        ("entryPoints: [web], tls: 5", Some(true)),
        ("entryPoints: [web], tsl: {}", Some(true)),
        ("entryPoints: [web], tls: {option: mtls}", Some(true)),
        ("entryPoints: [web], ruleSyntax: v4", Some(false)),
    ];
    for (more, expected) in rows {
        let text = format!("http: {{routers: {{r: {{rule: '{RULE}', {more}}}}}}}\n");
        closes(&text, true, expected);
        // Whose rule is nearly called so.
        let text = text.replace("rule:", "rulez:");
        closes(&text, true, expected);
    }
    for rule in ["5", "[x]", "Host(`a", "'Hots(`a.test`)'"] {
        let text = format!("http: {{routers: {{r: {{rule: {rule}, middleware: [deny]}}}}}}\n");
        closes(&text, true, None);
    }
    // Behind whom it is cannot be read: by itself it would take what is others'.
    for parents in ["{a: p}", "5", "[{name: p}]"] {
        let text = format!(
            "http: {{routers: {{r: {{rule: '{RULE}', entryPoints: [web], parentRefs: {parents}, \
             middleware: []}}}}}}\n"
        );
        let lowered = of(&text, true);
        let is_root = |it: &Item| matches!(it, Item::Routers(set) if set.parents.is_empty());
        assert!(!lowered.stand_in.iter().any(is_root), "{text}: {:?}", lowered.stand_in);
    }
    // Who names what has a mistake is refused without it.
    closes("http: {services: {s: {loadBalancer: {server: []}}}}\n", true, None);
    closes("http: {middlewares: {m: {ipAllowList: {sourceRanges: [x]}}}}\n", true, None);
}

#[test]
fn an_object_of_traefiks_kinds_and_an_ingress() {
    let rows = [
        ("middlewares: deny", "", Some(false)),
        ("middlewares: [{name: 5}]", "", Some(false)),
        ("priority: x", ", tls: {}", Some(true)),
        ("services: [{name: s, port: [80]}]", ", tls: true", Some(true)),
        ("syntax: v4", "", Some(false)),
    ];
    for (route, more, expected) in rows {
        let text = format!(
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: x}}\n\
             spec: {{entryPoints: [web], routes: [{{match: '{RULE}', {route}}}]{more}}}\n"
        );
        closes(&text, false, expected);
    }
    // Names that are nearly those of fields, and a kind of route that is none.
    for (routes, rule, kind) in [
        ("route", "match", "Rule"),
        ("routs", "macth", "Rule"),
        ("routes", "macth", "Rule"),
        ("routes", "match", "rule"),
        ("routes", "match", "Path"),
    ] {
        let text = format!(
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: x}}\nspec: \
             {{entryPoints: [web], {routes}: [{{{rule}: '{RULE}', kind: {kind}, services: [{{name: s, \
             port: 80}}]}}]}}\n"
        );
        closes(&text, false, Some(false));
        // As a child of others it is theirs to lead to, and no root.
        let text = text.replace("entryPoints: [web]", "parentRef: [{name: p}]");
        let lowered = of(&text, false);
        assert!(lowered.items.is_empty(), "{text}");
        let is_root = |it: &Item| matches!(it, Item::Routers(set) if set.parents.is_empty());
        assert!(!lowered.stand_in.iter().any(is_root), "{text}");
    }
    // Of a route without a rule nothing is known, and it costs no other.
    let text = "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: x}\nspec: \
                {routes: [{match: '', kind: Rule}, {match: 'Host(`b`)', services: [{name: s, port: \
                80}]}]}\n";
    assert!(matches!(&of(text, false).items[..], [Item::Routers(set)] if set.routers.len() == 1));
    let backend = "backend: {service: {name: s, port: {number: 80}}}";
    let rows = [
        (format!("{{path: /admin, pathType: Prefix, {backend}}}"), "ingressClassName: 5"),
        (format!("{{path: /admin, {backend}}}"), "ingressClassName: traefik"),
        ("{path: /admin, pathType: Exact}".to_owned(), "ingressClassName: traefik"),
        (format!("{{path: /admin, pathType: Prefx, {backend}}}"), "ingressClassName: traefik"),
        (format!("{{path: admin, pathType: Prefix, {backend}}}"), "ingressClassName: traefik"),
    ];
    for (path, class) in rows {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: x}}\n\
             spec: {{{class}, rules: [{{host: a.test, http: {{paths: [{path}]}}}}]}}\n"
        );
        let whose = class.ends_with('5');
        closes(&text, false, (!whose).then_some(false));
    }
}

/// A host that cannot be read names nobody: its rule closes nothing, and least of all every host.
#[test]
fn a_rule_of_an_ingress_whose_host_cannot_be_read() {
    let path = "http: {paths: [{path: /admin, pathType: Prefx, backend: {service: {name: s, port: \
                {number: 80}}}}]}";
    for (host, rules) in [("host: 5, ", 1), ("host: [a.test], ", 1), ("", 2), ("host: b.test, ", 2)]
    {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: x}}\n\
             spec: {{ingressClassName: traefik, rules: [{{{host}{path}}}, \
             {{host: a.test, {path}}}]}}\n"
        );
        let lowered = of(&text, false);
        let [Item::Routes(set)] = &lowered.stand_in[..] else { panic!("{:?}", lowered.stand_in) };
        assert_eq!(set.routes.len(), rules, "{host}");
    }
}

/// Other names of its hosts are closed with them.
#[test]
fn other_names_of_an_ingress() {
    let text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x, annotations: \
                {nginx.ingress.kubernetes.io/server-alias: 'b.test'}}\nspec: {ingressClassName: nginx, \
                rules: [{host: a.test, http: {paths: [{path: /}]}}]}\n";
    let lowered = of(text, false);
    let [Item::Routes(set)] = &lowered.stand_in[..] else { panic!("{:?}", lowered.stand_in) };
    let aliases = set.readings.nginx.nginx.as_ref().and_then(|it| it.aliases.as_ref());
    assert_eq!(aliases.map(|(all, _)| all.len()), Some(1));
}

/// Terms of handshakes with a mistake that are for all who name none are for nobody: who names
/// nothing is not to be let in by less. Others are for nobody without that.
#[test]
fn terms_of_handshakes() {
    let asks = "clientAuthType: RequireAndVerifyClientCert";
    for (name, terms, is_closed) in [
        ("default", format!("{{clientAuth: {{caFiles: [ca.pem], {asks}}}, bogus: 1}}"), true),
        ("default", "{clientAuth: {clientAuthType: RequireAndVerify}}".to_owned(), true),
        ("default", "{clientAuthTyp: x}".to_owned(), true),
        ("default", "{clientAuth: [x]}".to_owned(), true),
        ("default", "5".to_owned(), true),
        ("other", "{clientAuth: {clientAuthType: RequireAndVerify}}".to_owned(), false),
    ] {
        let lowered = of(&format!("tls: {{options: {{{name}: {terms}}}}}\n"), true);
        assert!(lowered.items.is_empty(), "{name}: {terms}");
        let [Item::Policy(draft)] = &lowered.stand_in[..] else {
            assert!(!is_closed && lowered.stand_in.is_empty(), "{name}: {terms}");
            continue;
        };
        assert!(is_closed, "{name}: {terms}");
        assert_eq!(draft.clients, AskedClients::RequireAndVerify, "{terms}");
        assert!(draft.authorities.is_empty(), "{terms}");
    }
    let text = "apiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata: {name: default}\n\
                spec: {clientAuth: {secretNames: nope}}\n";
    assert!(matches!(of(text, false).stand_in[..], [Item::Policy(_)]));
}
