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
        ("entryPoints: [web], tls: [x]", Some(true)),
        ("entryPoints: [web], tls: []", Some(true)),
        ("entryPoints: [web], middlewares: [x], Middlewares: [y]", Some(false)),
        ("entryPoints: [web], entrypoints: [other], priority: 1, Priority: 2", Some(false)),
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

const INGRESS: &str = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x}\nspec: \
                       {ingressClassName: traefik, rules: [{host: a.test, http: {paths: [{path: \
                       /admin, pathType: Prefix, backend: {service: {name: s, port: {number: \
                       80}}}}]}}]}\n";

/// Whatever it is that keeps an object from being read, what can be read of its rules is closed.
#[test]
fn what_is_not_read_as_a_whole() {
    let route = format!(
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: x}}\n\
         spec: {{entryPoints: [web], routes: [{{match: '{RULE}', services: [{{name: s, port: \
         80}}]}}]}}\n"
    );
    let versions = ["networking.k8s.io/v1beta1", "extensions/v1beta1", "networking.k8s.io/v2"];
    let mut rows: Vec<String> =
        versions.iter().map(|it| INGRESS.replace("networking.k8s.io/v1", it)).collect();
    for (from, to) in [
        ("pathType: Prefix, ", "pathType: Prefix, pathType: Prefix, "),
        ("ingressClassName: traefik, ", "ingressClassName: traefik, ingressClassName: traefik, "),
        ("name: x", "name: yes"),
        ("name: x", "name: x, namespace: 5"),
        ("name: x", "nam: x"),
        ("host: a.test", "host: A.Test"),
        ("host: a.test", "host: 'a.test:80'"),
        ("rules: [{", "rules: {"),
        ("http: {paths: [", "http: [{paths: ["),
        ("name: s, port", "name: '{{ .Values.x }}', port"),
    ] {
        rows.push(INGRESS.replace(from, to).replace(
            "}]}}]}\n",
            match to {
                "rules: {" => "}]}}}\n",
                "http: [{paths: [" => "}]}]}]}\n",
                _ => "}]}}]}\n",
            },
        ));
    }
    for (from, to) in [
        ("traefik.io/v1alpha1", "traefik.io/v1"),
        ("match:", "middlewares: [], middlewares: [], match:"),
        ("spec:", "kind: IngressRoute\nspec:"),
        ("name: x", "name: y"),
        ("name: x", "name: 1e3"),
        ("name: x", "name: ~"),
    ] {
        rows.push(route.replace(from, to));
    }
    for text in rows {
        let source = Source::new("/x.yml", text.as_bytes());
        let loaded = load(&source, &ReadLimits::default());
        let [object] = &loaded.objects[..] else { panic!("{text}: {:?}", loaded.objects) };
        let lowered = lower(object, &LowerOptions::default());
        assert!(lowered.items.is_empty() && lowered.is_refused, "{text}");
        let all = lowered.diagnostics.iter().chain(&loaded.diagnostics);
        assert_eq!(all.filter(|it| it.is_error()).count(), 1, "{text}");
        let closes = |host: &str, path: &str| match &lowered.stand_in[..] {
            [Item::Routers(set)] => set.routers.iter().any(|it| it.rule.holds(&get(host, path))),
            [Item::Routes(set)] => set.routes.iter().any(|it| it.rule.holds(&get(host, path))),
            other => panic!("{text}: {other:?}"),
        };
        assert!(closes("a.test", "/admin") && !closes("a.test", "/"), "{text}");
        assert!(!closes("b.test", "/admin"), "{text}");
    }
}

/// Where a `---` is missing there are two.
#[test]
fn two_objects_in_one_document() {
    let text = format!("{INGRESS}{}", INGRESS.replace("a.test", "b.test").replace("x}", "z}"));
    let loaded = load(&Source::new("/x.yml", text.as_bytes()), &ReadLimits::default());
    assert_eq!(loaded.diagnostics.len(), 1, "{:?}", loaded.diagnostics);
    let names: Vec<&str> = loaded.objects.iter().map(|it| &*it.reference.name).collect();
    assert_eq!(names, ["x", "z"]);
    for object in &loaded.objects {
        let lowered = lower(object, &LowerOptions::default());
        assert!(matches!(lowered.stand_in[..], [Item::Routes(_)]), "{object:?}");
    }
}

/// What of a file of dynamic configuration stands where it does not count.
#[test]
fn places_that_do_not_count() {
    let router = format!("{{rule: '{RULE}', entryPoints: [web], service: s}}");
    let terms = "{clientAuth: {clientAuthType: RequireAndVerifyClientCert}}";
    let rows = [
        (format!("http: {{routerz: {{x: {router}}}}}"), Some(false)),
        (format!("htp: {{routers: {{x: {router}}}}}"), Some(false)),
        (format!("http: [{{routers: [{{x: {router}}}]}}]"), Some(false)),
        (format!("http: {{routers: {{x: {router}}}, routers: {{}}}}"), Some(false)),
        (format!("http: {{routers: {{x@docker: {router}}}}}"), Some(false)),
        (format!("http: {{routers: {{'': {router}}}}}"), Some(false)),
        (format!("tls: {{options: [{{default: {terms}}}]}}"), Some(true)),
        (format!("tls: {{optionz: {{default: {terms}}}}}"), Some(true)),
        (format!("tls: [{{options: {{default: {terms}}}}}]"), Some(true)),
        (format!("tls: {{options: {{default: {terms}, default: {{}}}}}}"), Some(true)),
        ("tls: {options: 5}".to_owned(), Some(true)),
        ("tls: 5".to_owned(), Some(true)),
        (format!("tls: {{options: {{other: {terms}, other: {terms}}}}}"), None),
    ];
    for (text, closed) in rows {
        let loaded = load_dynamic(&Source::new("/d.yml", text.as_bytes()), &ReadLimits::default());
        assert!(loaded.broken && !loaded.diagnostics.is_empty(), "{text}");
        let [object] = &loaded.objects[..] else { panic!("{text}: {:?}", loaded.objects) };
        let lowered = lower(object, &LowerOptions::default());
        assert!(lowered.items.is_empty() && lowered.is_refused, "{text}");
        match (&lowered.stand_in[..], closed) {
            ([Item::Policy(draft)], Some(true)) => {
                assert_eq!(draft.clients, AskedClients::RequireAndVerify, "{text}");
                assert_eq!(draft.policy.id.as_str(), "default", "{text}");
            }
            ([Item::Routers(set)], Some(false)) => {
                assert!(set.routers[0].rule.holds(&get("a.test", "/admin")), "{text}");
            }
            ([], None) => {}
            (other, _) => panic!("{text}: {other:?}"),
        }
    }
    // Objects of nobody's sections are none.
    let text = format!("log: {{level: DEBUG}}\nhttp: {{models: {{x: {router}}}}}");
    let loaded = load_dynamic(&Source::new("/d.yml", text.as_bytes()), &ReadLimits::default());
    assert_eq!((loaded.objects.len(), loaded.diagnostics.len()), (0, 2));
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
