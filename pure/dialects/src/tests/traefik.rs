use std::time::Duration;

use steelyard_manifest::load_dynamic;
use steelyard_model::handshake_draft::AskedClients;
use steelyard_model::router_draft::{
    AskedServers, BackendShape, LinkTarget, ServersDraft, WayDraft, WayTarget,
};
use steelyard_model::routing::backend::{Algorithm, CopiedBody, HashKey, SameSite, SentHost};
use steelyard_model::routing::care::CheckProbe;
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::tls::Resumption;
use steelyard_model::routing::transport::{OriginScheme, Pings, ProxyVersion};
use steelyard_model::{BackendDraft, PolicyDraft, PortRef, RouterSet, TransportDraft};

use super::*;

fn object(kind: &str, spec: &str) -> String {
    format!("apiVersion: traefik.io/v1alpha1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n")
}

/// An IngressRoute whose only route leads to one Service, written so.
fn to(service: &str) -> String {
    object("IngressRoute", &format!("{{routes: [{{match: 'Host(`a`)', services: [{service}]}}]}}"))
}

fn routers(item: Item) -> RouterSet {
    match item {
        Item::Routers(set) => *set,
        other => panic!("routers, not {other:?}"),
    }
}

fn backend(yaml: &str) -> BackendDraft {
    match only(lowered(yaml)) {
        Item::Backend(backend) => *backend,
        other => panic!("a backend, not {other:?}"),
    }
}

fn policy(item: Item) -> PolicyDraft {
    match item {
        Item::Policy(policy) => *policy,
        other => panic!("a policy, not {other:?}"),
    }
}

fn transport(item: Item) -> TransportDraft {
    match item {
        Item::Transport(transport) => *transport,
        other => panic!("a transport, not {other:?}"),
    }
}

fn servers(way: &WayDraft) -> &ServersDraft {
    match &way.to {
        WayTarget::Servers(servers) => servers,
        other => panic!("servers, not {other:?}"),
    }
}

#[test]
fn a_route_has_its_number_its_name_and_where_it_goes() {
    let set = routers(only(lowered(&object(
        "IngressRoute",
        "{ingressClassName: traefik, entryPoints: [web, websecure], tls: {secretName: s, options: \
         {name: o}}, routes: [{match: 'Host(`a.b`)', services: [{name: s, port: http, weight: 2, passHostHeader: false, \
         namespace: other}]}, {match: 'Host(`a.b`)', priority: 7, middlewares: [{name: m}, {name: \
         q@file}], services: [{name: t, kind: TraefikService}]}, {match: 'Host(`a`, `c`)', syntax: v2}]}",
    ))));
    let name = "default/x/7b3b1ee8f7f1c0c6d3f0@kubernetescrd";
    assert_eq!(set.class.as_ref().map(|class| &*class.name), Some("traefik"));
    assert_eq!(set.entry_points.len(), 2);
    let [first, second, third] = &*set.routers else { panic!("{:?}", set.routers) };
    assert_eq!(first.id.as_str().len(), name.len());
    assert_eq!(first.rank.number, 11);
    assert_eq!(second.rank.number, 7);
    assert!(second.id.as_str().contains("#1@"), "a twin has a name of its own: {}", second.id);
    assert_eq!(second.filters.len(), 2);
    assert_eq!(second.filters[1].to, LinkTarget::Provided("q@file".into()));
    // Two arguments are one thing of version 2.
    assert!(matches!(third.rule, ref rule if matches!(**rule, Rule::Any(_))), "{third:?}");
    let servers = servers(&first.ways[0]);
    let backend = |servers: &ServersDraft| servers.backend.service().unwrap().clone();
    assert_eq!(backend(servers).service.to_string(), "other/s");
    assert_eq!(backend(servers).port, PortRef::Name("http".into()));
    assert_eq!((first.ways[0].weight, servers.host), (2, SentHost::Endpoint));
    let tls = set.tls.unwrap();
    assert_eq!(tls.secret.unwrap().hosts, [Arc::from("a.b"), Arc::from("a.b")]);
    assert!(tls.options.unwrap().to.object().is_some());
}

/// Which findings an object of `kind` gives for `spec`, and how many routes it has all the same.
#[test]
fn what_is_wrong_costs_its_route_alone() {
    let long = "priority: 9223372036854775807";
    for (kind, spec, expected, routes) in [
        (
            "IngressRoute",
            "{parentRefs: [{}], routes: [{match: 'Host(`a`)'}]}",
            "error invalid-value spec.parentRefs[0]",
            0,
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host('}, {match: 'Host(`a`)'}]}",
            "error rule-invalid spec.routes[0].match",
            1,
        ),
        ("IngressRoute", "{routes: [{}]}", "error rule-invalid spec.routes[0].match", 0),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`) && Path(`a`)'}]}",
            "error rule-invalid spec.routes[0].match",
            1,
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Path(`a`)'}]}",
            "error rule-invalid spec.routes[0].match",
            0,
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', services: [{port: 80}]}]}",
            "error invalid-value spec.routes[0].services[0].name",
            1,
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', services: [{name: a}]}]}",
            "error invalid-value spec.routes[0].services[0].port",
            1,
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', services: [{name: a, port: 70000}]}]}",
            "error invalid-value spec.routes[0].services[0].port",
            1,
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', services: [{name: a, kind: Pod}]}]}",
            "error invalid-value spec.routes[0].services[0].kind",
            1,
        ),
        (
            "IngressRoute",
            &format!("{{routes: [{{match: 'Host(`a`)', {long}}}]}}"),
            "warning invalid-value spec.routes[0].priority",
            1,
        ),
        (
            "IngressRoute",
            "{tls: {certResolver: le}, routes: [{match: 'Host(`a`)'}]}",
            "warning field-not-honoured spec.tls.certResolver",
            1,
        ),
        (
            "IngressRoute",
            "{tls: {store: {name: s}}, routes: [{match: 'Host(`a`)'}]}",
            "info field-not-honoured spec.tls.store",
            1,
        ),
        (
            "IngressRouteTCP",
            "{routes: [{match: 'HostSNI(`a`)'}]}",
            "error rule-invalid spec.routes[0].match",
            0,
        ),
        (
            "IngressRouteTCP",
            "{routes: [{match: 'Host(`a`)'}]}",
            "error rule-invalid spec.routes[0].match",
            0,
        ),
    ] {
        let lowered = taken(&object(kind, spec), &[expected]);
        let set = routers(lowered.items.into_iter().next().unwrap());
        assert_eq!(set.routers.len(), routes, "{spec}");
    }
}

#[test]
fn what_no_such_object_has_costs_it_whole() {
    for (kind, spec, expected) in [
        ("IngressRoute", "{}", "error missing-field spec.routes"),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', syntax: v4}]}",
            "error invalid-value spec.routes[0].syntax",
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', services: [{name: a, port: 1, scheme: ftp}]}]}",
            "error invalid-value spec.routes[0].services[0].scheme",
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', services: [{name: a, port: 1, strategy: x}]}]}",
            "error invalid-value spec.routes[0].services[0].strategy",
        ),
        (
            "IngressRoute",
            "{routes: [{match: 'Host(`a`)', services: [{name: a, port: 1, weight: -1}]}]}",
            "error invalid-value spec.routes[0].services[0].weight",
        ),
        (
            "TraefikService",
            "{weighted: {services: [{name: a, port: 1, healthCheck: {path: \"/\\r\\nX: y\"}}]}}",
            "error invalid-value spec.weighted.services[0].healthCheck.path",
        ),
        (
            "TraefikService",
            "{weighted: {services: [{name: a, port: 1, healthCheck: {headers: {x: \"a\\nb\"}}}]}}",
            "error invalid-value spec.weighted.services[0].healthCheck.headers.x",
        ),
        ("TraefikService", "{}", "error missing-field spec.weighted"),
        (
            "TraefikService",
            "{weighted: {}, highestRandomWeight: {}}",
            "error fields-exclusive spec.highestRandomWeight",
        ),
        (
            "TraefikService",
            "{failover: {service: {name: a, port: 1}}}",
            "error missing-field spec.failover.fallback",
        ),
        (
            "TraefikService",
            "{failover: {service: {name: a, port: 1}, fallback: {name: a, port: 1}, errors: {status: ['600']}}}",
            "error invalid-value spec.failover.errors.status[0]",
        ),
        (
            "TraefikService",
            "{mirroring: {name: a, port: 1, mirrors: [{name: a, port: 1, percent: 101}]}}",
            "error invalid-value spec.mirroring.mirrors[0].percent",
        ),
        ("TLSOption", "{minVersion: TLS12}", "error invalid-value spec.minVersion"),
        (
            "TLSOption",
            "{clientAuth: {clientAuthType: VerifyClientCertIfGiven}}",
            "error missing-field spec.clientAuth.secretNames",
        ),
        (
            "ServersTransport",
            "{peerCertURI: 'spiffe://a'}",
            "error access-not-honoured spec.peerCertURI",
        ),
        ("ServersTransport", "{rootCAs: [{}]}", "error missing-field spec.rootCAs[0].secret"),
        (
            "ServersTransport",
            "{rootCAs: [{secret: s, configMap: c}]}",
            "error fields-exclusive spec.rootCAs[0].configMap",
        ),
        (
            "ServersTransport",
            "{forwardingTimeouts: {dialTimeout: soon}}",
            "error invalid-value spec.forwardingTimeouts.dialTimeout",
        ),
        (
            "ServersTransportTCP",
            "{proxyProtocol: {version: 3}}",
            "error invalid-value spec.proxyProtocol.version",
        ),
    ] {
        refused(&object(kind, spec), &[expected]);
    }
    let spec = "{cipherSuites: [TLS_RSA_WITH_AES_256_GCM_SHA384], curvePreferences: [CurveP521]}";
    refused(
        &object("TLSOption", spec),
        &[
            "warning field-not-honoured spec.cipherSuites[0]",
            "error invalid-value spec.cipherSuites",
            "warning field-not-honoured spec.curvePreferences[0]",
            "error invalid-value spec.curvePreferences",
        ],
    );
}

#[test]
fn endpoints_are_asked_as_a_service_says() {
    let set = routers(only(lowered(&to(
        "{name: s, port: '8080', scheme: h2c, strategy: hrw, nodePortLB: \
         true, serversTransport: t, sticky: {cookie: {name: c, sameSite: lax, maxAge: 5, secure: \
         true, httpOnly: true, path: /p, domain: d}}, healthCheck: {path: /h, interval: 5, status: \
         204}, passiveHealthCheck: {maxFailedAttempts: 3}}",
    ))));
    let found = servers(&set.routers[0].ways[0]);
    assert_eq!(found.backend.service().unwrap().port, PortRef::Number(8080));
    assert_eq!(found.scheme, Some(OriginScheme::H2c));
    assert_eq!(found.algorithm, Algorithm::Rendezvous(Box::new(HashKey::Client)));
    assert_eq!(found.asked, Some(AskedServers::Nodes));
    assert!(found.transport.is_some());
    let cookie = found.sticky.as_ref().unwrap();
    assert_eq!((cookie.same_site, cookie.max_age), (Some(SameSite::Lax), 5));
    assert!(cookie.is_secure && cookie.is_http_only);
    assert_eq!((cookie.path.as_deref(), cookie.domain.as_deref()), (Some("/p"), Some("d")));
    let check = found.care.check.as_ref().unwrap();
    assert_eq!(check.interval, Duration::from_secs(5));
    assert_eq!(check.unhealthy_interval, Duration::from_secs(5));
    let CheckProbe::Http(probe) = &check.probe else { panic!("{check:?}") };
    assert_eq!((&*probe.path, probe.status, probe.follows), ("/h", Some(204), true));
    let passive = found.care.passive.unwrap();
    assert_eq!((passive.failures, passive.window), (3, Duration::from_secs(10)));

    let set = routers(only(lowered(&object(
        "IngressRouteTCP",
        "{routes: [{match: 'HostSNI(`*`)', services: [{name: s, port: 1, tls: true, nativeLB: true, \
         proxyProtocol: {}, terminationDelay: 100}]}]}",
    ))));
    assert_eq!(set.routers[0].rank.number, -1);
    let found = servers(&set.routers[0].ways[0]);
    assert_eq!(
        (found.scheme, found.asked),
        (Some(OriginScheme::Https), Some(AskedServers::ClusterAddress))
    );
    assert_eq!(found.proxy_protocol, Some(ProxyVersion::V2));
    assert_eq!(found.half_closed, Some(Duration::from_millis(100)));
}

#[test]
fn backends_that_objects_describe() {
    let mirror = "{mirroring: {name: a, port: 1, mirrorBody: false, mirrors: [{name: b, kind: \
                  TraefikService, percent: 20}]}}";
    let BackendShape::Mirror { main, copies, body } =
        backend(&object("TraefikService", mirror)).shape
    else {
        panic!("a mirror")
    };
    assert_eq!(servers(&main).backend.service().unwrap().service.to_string(), "default/a");
    assert_eq!((copies.len(), copies[0].1, body), (1, 20, CopiedBody::Without));
    assert!(matches!(&copies[0].0.to, WayTarget::Backend(LinkTarget::Object(_))));
    let limited = mirror.replace("mirrorBody: false", "maxBodySize: 9");
    let shape = backend(&object("TraefikService", &limited)).shape;
    assert!(matches!(shape, BackendShape::Mirror { body: CopiedBody::UpTo(Some(9)), .. }));
    let failover = "{failover: {service: {name: a, port: 1}, fallback: {name: b, port: 1}, errors: \
                    {status: ['500-504', '404'], maxRequestBodyBytes: 7}}}";
    let BackendShape::Failover { statuses, replay, .. } =
        backend(&object("TraefikService", failover)).shape
    else {
        panic!("a failover")
    };
    assert_eq!((statuses, replay), (vec![(500, 504), (404, 404)], Some(7)));
}

#[test]
fn terms_of_handshakes_are_those_that_are_to_be_had() {
    let lowered = taken(
        &object(
            "TLSOption",
            "{minVersion: VersionTLS10, cipherSuites: [TLS_RSA_WITH_AES_128_CBC_SHA, \
             TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305], curvePreferences: [CurveP384, CurveP521], \
             clientAuth: {secretNames: [ca]}, sniStrict: true, disableSessionTickets: true, \
             alpnProtocols: [http/1.1, acme-tls/1]}",
        ),
        &[
            "warning field-not-honoured spec.minVersion",
            "warning field-not-honoured spec.cipherSuites[0]",
            "warning field-not-honoured spec.curvePreferences[1]",
        ],
    );
    let draft = policy(lowered.items.into_iter().next().unwrap());
    assert_eq!(draft.clients, AskedClients::RequireAndVerify);
    let policy = draft.policy;
    assert_eq!(policy.id.as_str(), "default-x");
    // One of TLS 1.2, and those of TLS 1.3.
    assert_eq!(policy.ciphers.len(), 4);
    assert_eq!(policy.groups, [Arc::from("secp384r1")]);
    assert_eq!(policy.alpn, [Arc::from("http/1.1")]);
    assert!(policy.is_strict && policy.resumes == Resumption::Never);
}

#[test]
fn ways_of_speaking_to_endpoints() {
    let made = transport(only(lowered(&object(
        "ServersTransport",
        "{serverName: inner, rootCAs: [{secret: ca}, {configMap: more}], certificatesSecrets: [own], disableHTTP2: true, \
         forwardingTimeouts: {dialTimeout: 5, idleConnTimeout: 1m30s}}",
    ))));
    assert_eq!(made.connect, Some(Duration::from_secs(5)));
    assert_eq!(made.idle, Some(Duration::from_secs(90)));
    assert!(made.is_http1_only && !made.is_for_bytes);
    let tls = made.tls.unwrap();
    assert!(tls.is_verified && tls.client.is_some());
    assert_eq!((tls.server_name.as_deref(), tls.roots.len()), (Some("inner"), 2));
    let spec = "{tls: {insecureSkipVerify: true}, terminationDelay: '50ms', dialKeepAlive: 20s}";
    let made = transport(only(lowered(&object("ServersTransportTCP", spec))));
    assert!(made.is_for_bytes && !made.tls.unwrap().is_verified);
    assert_eq!(made.half_closed, Some(Duration::from_millis(50)));
    assert_eq!(made.alive, Some(Duration::from_secs(20)));
    for never in ["-1", "'-1s'"] {
        let spec = format!("{{dialKeepAlive: {never}}}");
        let finding = "warning field-not-honoured spec.dialKeepAlive";
        let made = taken(&object("ServersTransportTCP", &spec), &[finding]);
        assert_eq!(transport(made.items.into_iter().next().unwrap()).alive, None, "{never}");
    }
    let upkeep = |spec: &str| {
        let made = taken(&object("ServersTransport", spec), &[]);
        let upkeep = transport(made.items.into_iter().next().unwrap()).upkeep;
        let seconds = |it: Pings| (it.silence.as_secs(), it.answer.as_secs());
        (upkeep.most_idle, upkeep.pings.map(seconds))
    };
    for (spec, most_idle, pings) in [
        ("{}", None, None),
        ("{forwardingTimeouts: {readIdleTimeout: 10s, pingTimeout: 5s}}", None, Some((10, 5))),
        ("{forwardingTimeouts: {readIdleTimeout: 10}}", None, Some((10, 15))),
        ("{forwardingTimeouts: {readIdleTimeout: 0s, pingTimeout: 5s}}", None, None),
        ("{maxIdleConnsPerHost: 0}", None, None),
        ("{maxIdleConnsPerHost: 7}", Some(7), None),
        ("{maxIdleConnsPerHost: -1}", Some(0), None),
    ] {
        assert_eq!(upkeep(spec), (most_idle, pings), "{spec}");
    }
    let others = taken(
        &object("ServersTransport", "{certificatesSecrets: [a, b]}"),
        &["warning field-not-honoured spec.certificatesSecrets[1]"],
    );
    assert!(transport(others.items.into_iter().next().unwrap()).tls.unwrap().client.is_some());
}

/// In Traefik's files `n`, `on` and `yes` are texts, as in YAML 1.2; in objects they are booleans.
#[test]
fn words_that_were_booleans_are_texts_in_files() {
    let read = |name: &str, health: &str| {
        let text = format!(
            "http: {{services: {{s: {{loadBalancer: {{servers: [{{url: 'http://10.0.0.1'}}], \
             passHostHeader: {health}, sticky: {{cookie: {{name: {name}}}}}}}}}}}}}"
        );
        let source = Source::new("/dyn.yml", text.as_bytes());
        let loaded = load_dynamic(&source, &ReadLimits::default());
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        lower(&loaded.objects[0], &LowerOptions::default()).diagnostics
    };
    for name in ["n", "on", "Yes", "'off'"] {
        assert_eq!(read(name, "true"), [], "{name}");
    }
    assert_eq!((read("true", "True").len(), read("lb", "yes").len()), (0, 1));
}

/// Whatever is written, it is read by what is wanted where it stands.
#[test]
fn values_of_files_are_texts() {
    let text = "
http:
  routers: {w: {rule: 'Host(`a`)', entryPoints: 'web, websecure', middlewares: m, service: s, priority: '12', tls: true}}
  services:
    s: {loadBalancer: {servers: [{url: 'http://10.0.0.1', weight: '3'}], passHostHeader: 'false', sticky: {cookie: {maxAge: '5', secure: 1}}}}
  middlewares:
    m: {headers: {customRequestHeaders: {X-A: 1, X-B: on, X-C: 1.50, X-D: true}, stsSeconds: '31536000', forceSTSHeader: 'true'}}
    i: {ipAllowList: {sourceRange: '127.0.0.1,10.0.0.0/8'}}
    c: {compress: true}
";
    let usual = "
http:
  routers: {w: {rule: 'Host(`a`)', entryPoints: [web, websecure], middlewares: [m], service: s, priority: 12, tls: {}}}
  services:
    s: {loadBalancer: {servers: [{url: 'http://10.0.0.1', weight: 3}], passHostHeader: false, sticky: {cookie: {maxAge: 5, secure: true}}}}
  middlewares:
    m: {headers: {customRequestHeaders: {X-A: '1', X-B: 'on', X-C: '1.50', X-D: 'true'}, stsSeconds: 31536000, forceSTSHeader: true}}
    i: {ipAllowList: {sourceRange: ['127.0.0.1', '10.0.0.0/8']}}
    c: {compress: {}}
";
    let read = |text: &str| {
        let loaded =
            load_dynamic(&Source::new("/dyn.yml", text.as_bytes()), &ReadLimits::default());
        let all = loaded.objects.iter().map(|object| {
            let lowered = lower(object, &LowerOptions::default());
            assert!(lowered.diagnostics.is_empty(), "{:?}", lowered.diagnostics);
            (object.reference.to_string(), lowered.items)
        });
        all.collect::<Vec<_>>()
    };
    let found = read(text);
    assert_eq!(found.len(), 5);
    assert_eq!(found, read(usual));
    let plain = |tls: &str| text.replace("tls: true", tls);
    assert_eq!(read(&plain("tls: false")), read(&usual.replace(", tls: {}", "")));
    assert_eq!(read(&plain("tls: 'F'")), read(&plain("tls: ~")));
    let wrong = "http: {services: {s: {loadBalancer: {servers: 'http://10.0.0.1'}}}}";
    let loaded = load_dynamic(&Source::new("/dyn.yml", wrong.as_bytes()), &ReadLimits::default());
    let found = lower(&loaded.objects[0], &LowerOptions::default()).diagnostics;
    assert!(found.iter().any(|it| it.message.contains("a list")), "{found:?}");
}

/// Traefik reads its files without a look at case, and an API server its objects with one.
#[test]
fn names_of_fields_in_files_have_no_case() {
    let text = "
HTTP:
  Routers: {Web: {rule: 'Host(`a`)', entrypoints: [web], service: S, TLS: {certresolver: ''}}}
  services:
    S: {loadbalancer: {servers: [{URL: 'http://10.0.0.1'}], healthcheck: {Path: /h, headers: {Path: p}}}}
  serverstransports: {t: {disablehttp2: true, forwardingtimeouts: {DialTimeout: 1s}}}
tls: {certificates: [{certfile: /c, keyfile: /k}]}
";
    let usual = "
http:
  routers: {Web: {rule: 'Host(`a`)', entryPoints: [web], service: S, tls: {certResolver: ''}}}
  services:
    S: {loadBalancer: {servers: [{url: 'http://10.0.0.1'}], healthCheck: {path: /h, headers: {Path: p}}}}
  serversTransports: {t: {disableHTTP2: true, forwardingTimeouts: {dialTimeout: 1s}}}
tls: {certificates: [{certFile: /c, keyFile: /k}]}
";
    let read = |text: &str| {
        let source = Source::new("/dyn.yml", text.as_bytes());
        let loaded = load_dynamic(&source, &ReadLimits::default());
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let all = loaded.objects.iter().map(|object| {
            let lowered = lower(object, &LowerOptions::default());
            assert!(lowered.diagnostics.is_empty(), "{:?}", lowered.diagnostics);
            (object.reference.to_string(), lowered.items)
        });
        all.collect::<Vec<_>>()
    };
    assert_eq!(read(text), read(usual));
    let route = "{entrypoints: [web], routes: [{match: 'Host(`a`)'}]}";
    let found = lowered(&object("IngressRoute", route)).diagnostics;
    assert!(found.iter().any(|it| it.path.to_string() == "spec.entrypoints"), "{found:?}");
}
