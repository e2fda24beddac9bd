mod files;
mod forms;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use steelyard_gateway::MetricViews;
use steelyard_http::{Semicolons, Spelling};
use steelyard_metrics::BucketBounds;
use steelyard_model::routing::entry_point::OWN;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::trust::Trust;

use super::*;

fn take(line: &str) -> Result<(StaticOptions, Vec<OsString>), String> {
    taken(line.split_whitespace().map(OsString::from))
}

/// The same, with all mistakes in one text.
fn taken(
    line: impl IntoIterator<Item = OsString>,
) -> Result<(StaticOptions, Vec<OsString>), String> {
    StaticOptions::take(line, []).map_err(|wrong| wrong.join("\n"))
}

#[test]
fn options_are_taken_and_the_rest_stays() {
    let (options, rest) =
        take("up dir --entryPoints.web.address=:8000 -o json --accesslog --entrypoints.x.address [::1]:9 a")
            .unwrap();
    assert_eq!(rest, ["up", "dir", "-o", "json", "a"]);
    assert!(options.access_log().is_some());
    let ports =
        options.entry_points((80, 443)).into_iter().map(|point| (point.id.to_string(), point.port));
    let expected = [("web", 8000), ("websecure", 443), ("x", 9)];
    assert!(ports.eq(expected.map(|(name, port)| (name.to_owned(), port))));
}

#[test]
fn paths_are_sanitized_unless_told_otherwise() {
    for (line, names) in [
        ("up", &[][..]),
        ("up --entryPoints.web.http.sanitizePath", &[]),
        ("up --entryPoints.web.http.sanitizePath=true", &[]),
        ("up --entryPoints.web.http.sanitizePath=false", &["web"]),
        ("up --entrypoints.a.http.sanitizepath=false --entrypoints.a.address=:8081", &["a"]),
    ] {
        let (options, rest) = take(line).unwrap();
        assert_eq!(rest, ["up"], "{line}");
        let terms = options.terms();
        let kept = terms.iter().filter(|(_, it)| it.path == Spelling::Unresolved);
        assert!(kept.map(|(name, _)| name).eq(names), "{line}");
    }
}

#[test]
fn entry_points_of_udp() {
    let line = "up --entryPoints.dns.address=:53/udp --entrypoints.vpn.address=[::1]:51820/UDP \
                --entryPoints.dns.udp.timeout=30s";
    let (options, _) = take(line).unwrap();
    let points = options.entry_points((80, 443));
    let shown: Vec<String> =
        points.iter().map(|it| format!("{} {}/{}", it.id, it.port, it.protocol)).collect();
    assert_eq!(shown, ["dns 53/UDP", "vpn 51820/UDP", "web 80/TCP", "websecure 443/TCP"]);
    assert_eq!(options.terms()["dns"].udp_silent, Some(Duration::from_secs(30)));
    for (line, why) in [
        ("up --entrypoints.web.address=:80/udp", "web is of TCP"),
        ("up --entrypoints.a.address=:80/sctp", "is not an address"),
        ("up --entrypoints.a.address=:80 --entrypoints.a.udp.timeout=3s", "is of TCP"),
        ("up --entrypoints.a.address=:8/udp --entrypoints.a.udp.timeout=soon", "wants a time"),
        ("up --entrypoints.a.address=:8/udp --entrypoints.a.udp.timeout=0s", "wants a time"),
        ("up --entrypoints.a.address=:8/udp --entrypoints.a.proxyprotocol.insecure", "is of UDP"),
    ] {
        let error = take(line).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }
}

#[test]
fn what_of_the_program_itself_is_shown() {
    let shown = |line: &str| {
        let (options, _) = take(line).unwrap();
        let exposure = options.exposure();
        let services = exposure.services.iter().map(|it| it.name().replace("@internal", ""));
        let place = |it: &steelyard_model::routing::exposure::ExposedRoute| {
            format!("{}:{}{}", it.name, it.entry_point, it.prefix)
        };
        let own = options.entry_points((80, 443)).into_iter().find(|it| it.id.as_str() == OWN);
        let services: Vec<String> = services.collect();
        let routes: Vec<String> = exposure.routes.iter().map(place).collect();
        (services.join(" "), routes.join(" "), own.map(|it| it.port))
    };
    for (line, services, routes, port) in [
        ("up", "", "", None),
        ("up --api=false --ping=false", "", "", None),
        ("up --metrics.prometheus.addRoutersLabels", "", "", None),
        ("up --api", "api dashboard", "", None),
        ("up --api.dashboard=false", "api", "", None),
        ("up --api.insecure", "api dashboard", "api:traefik/api dashboard:traefik/", Some(8080)),
        (
            "up --api.insecure --api.dashboard=false --api.basePath=/t/",
            "api",
            "api:traefik/t/api",
            Some(8080),
        ),
        (
            "up --api.insecure --api.basePath=/traefik",
            "api dashboard",
            "api:traefik/traefik/api dashboard:traefik/traefik",
            Some(8080),
        ),
        ("up --ping", "ping", "ping:traefik/ping", Some(8080)),
        ("up --ping.manualRouting", "ping", "", Some(8080)),
        ("up --ping.entryPoint=web", "ping", "ping:web/ping", None),
        ("up --ping --entrypoints.traefik.address=:9", "ping", "ping:traefik/ping", Some(9)),
        ("up --ping --entrypoints.web.address=:8080", "ping", "ping:traefik/ping", Some(8081)),
        ("up --metrics.prometheus.entryPoint=web", "prometheus", "prometheus:web/metrics", None),
    ] {
        let expected = (services.to_owned(), routes.to_owned(), port);
        assert_eq!(shown(line), expected, "{line}");
    }
    for (line, part) in [
        ("up --ping.entryPoint=nowhere", "there is no entry point \"nowhere\""),
        ("up --ping.terminatingStatusCode=7", "wants a status"),
        ("up --api.basePath=traefik", "--api.basepath: it wants a path"),
        ("up --api.basePath=/../x", "--api.basepath: it wants a path"),
        ("up --api.basePath=/a%20b", "--api.basepath: it wants a path"),
        ("up --api.basePath=/a//b", "--api.basepath: it wants a path"),
    ] {
        assert!(take(line).unwrap_err().contains(part), "{line}");
    }
}

#[test]
fn entry_points_are_shown_as_they_are_set() {
    let line = "up --entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.1,10.0.0.2 \
                --entryPoints.web.http.sanitizePath=false --entryPoints.db.address=:5432";
    let shown = take(line).unwrap().0.shown_entry_points();
    assert_eq!(
        serde_json::Value::from(shown),
        serde_json::json!([
            { "address": ":5432", "name": "db" },
            {
                "address": ":80",
                "forwardedHeaders": { "trustedIPs": ["10.0.0.1", "10.0.0.2"] },
                "http": { "sanitizePath": false },
                "name": "web",
            },
            { "address": ":443", "name": "websecure" },
        ])
    );
}

#[test]
fn what_all_pass_at_an_entry_point() {
    let line = "up --entryPoints.web.http.middlewares=a@file,default-b@kubernetescrd \
                --entryPoints.db.address=:1 --entryPoints.db.http.tls.options=strong@file";
    let points = take(line).unwrap().0.entry_points((80, 443));
    let [db, web, _] = &points[..] else { panic!("{points:?}") };
    assert_eq!(web.filters, ["a@file", "default-b@kubernetescrd"].map(Into::into));
    assert_eq!((db.tls_options.as_deref(), db.is_secure), (Some("strong@file"), true));
}

#[test]
fn how_long_what_may_take_at_an_entry_point() {
    let line = "up --entryPoints.web.transport.respondingTimeouts.readTimeout=0 \
                --entryPoints.web.transport.respondingTimeouts.writeTimeout=1m30s \
                --entryPoints.web.transport.respondingTimeouts.idleTimeout=9 \
                --entryPoints.web.transport.keepAliveMaxRequests=100 \
                --entryPoints.web.transport.keepAliveMaxTime=1h \
                --entryPoints.web.http.maxHeaderBytes=8192 \
                --entryPoints.web.http.encodeQuerySemicolons \
                --entryPoints.web.http2.maxConcurrentStreams=7 \
                --entryPoints.web.http2.maxDecoderHeaderTableSize=0 \
                --entryPoints.websecure.transport.lifeCycle.requestAcceptGraceTimeout=5s \
                --entryPoints.websecure.transport.lifeCycle.graceTimeOut=1m10s \
                --entryPoints.websecure.transport.keepAliveMaxRequests=0";
    let (options, _) = take(line).unwrap();
    assert_eq!(options.remarks(), [""; 0]);
    let all = options.terms();
    let (web, secure) = (&all["web"], &all["websecure"]);
    let hours = |hours| Some(Duration::from_hours(hours));
    assert_eq!((web.read, web.age), (hours(24), hours(1)), "none is no limit");
    assert_eq!(web.answer, Some(Duration::from_secs(90)));
    assert_eq!(web.idle, Some(Duration::from_secs(9)));
    assert_eq!((web.requests, web.head, web.streams), (Some(100), Some(8192), Some(7)));
    assert_eq!((web.table, web.semicolons), (Some(0), Semicolons::Encoded));
    assert_eq!((secure.requests, secure.read, secure.age), (None, None, None));
    assert_eq!(secure.semicolons, Semicolons::Split);
    assert_eq!(options.accepts_on(), Some(Duration::from_secs(5)));
    assert_eq!(options.grace(), Some(Duration::from_secs(70)));
}

#[test]
fn which_series_are_told() {
    let views = |line: &str| {
        let MetricViews { entry_points, routers, services } = take(line).unwrap().0.views();
        [entry_points, routers, services]
    };
    assert_eq!(views("up"), [true; 3]);
    let line = "up --metrics.prometheus.addRoutersLabels=false \
                --metrics.prometheus.addServicesLabels";
    assert_eq!(views(line), [true, false, true]);
}

#[test]
fn what_counts_are_told_apart_by() {
    let labels = |line: &str| {
        let labels = take(line).unwrap().0.header_labels();
        labels.iter().map(|it| format!("{}={}", it.label, it.header)).collect::<Vec<_>>()
    };
    assert_eq!(labels("up"), [""; 0]);
    let line = "up --metrics.prometheus.headerLabels.userAgent=User-Agent \
                --metrics.prometheus.headerLabels.a_1=X-A";
    assert_eq!(labels(line), ["a_1=X-A", "useragent=User-Agent"]);
    for (label, header, why) in [
        ("code", "X-A", "have a label \"code\" of their own"),
        ("1a", "X-A", "begins with no digit"),
        ("a-b", "X-A", "letters, digits and underscores"),
        ("__a", "X-A", "unlike \"__a\""),
        ("a", "X A", "wants the name of a header"),
    ] {
        let line = format!("up --metrics.prometheus.headerLabels.{label}={header}");
        let line = [OsString::from("up"), OsString::from(&line[3..])];
        let error = taken(line).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn lines_that_connection_may_name() {
    let line = "up --entryPoints.web.forwardedHeaders.connection=X-A,x-b";
    let shown = take(line).unwrap().0.forwarded()["web"].shown.clone();
    assert_eq!(shown, ["X-A", "x-b"].map(Into::into));
    let error = take("up --entryPoints.web.forwardedHeaders.connection=X-A,b:").unwrap_err();
    assert!(error.contains("wants names of headers, unlike \"b:\""), "{error}");
}

#[test]
fn which_buckets_there_are() {
    assert_eq!(take("up").unwrap().0.buckets(), BucketBounds::default());
    let (options, _) = take("up --metrics.prometheus.buckets=0.01,0.5,2").unwrap();
    assert_eq!(options.buckets().as_slice(), [0.01, 0.5, 2.0]);
}

#[test]
fn whose_word_is_taken() {
    let (options, _) = take(
        "up --entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8,cloudflare \
         --entryPoints.web.forwardedHeaders.clientIPHeader=CF-Connecting-IP \
         --entryPoints.websecure.forwardedHeaders.insecure \
         --entryPoints.websecure.forwardedHeaders.rfc7239=true",
    )
    .unwrap();
    let all = options.forwarded();
    let web = &all["web"];
    assert_eq!((web.client_header.as_deref(), web.standard), (Some("CF-Connecting-IP"), false));
    for (peer, covered) in
        [("10.1.1.1", true), ("172.71.10.1", true), ("2606:4700::1", true), ("9.9.9.9", false)]
    {
        assert_eq!(web.trust.covers(peer.parse().unwrap()), covered, "{peer}");
    }
    assert_eq!((&all["websecure"].trust, all["websecure"].standard), (&Trust::Everybody, true));
    assert!(take("up").unwrap().0.forwarded().is_empty());
}

#[test]
fn who_says_where_connections_come_from() {
    let (options, _) = take(
        "up --entryPoints.web.proxyProtocol.trustedIPs=10.0.0.0/8,192.0.2.1 \
         --entryPoints.websecure.proxyProtocol.insecure --entryPoints.db.address=:5432 \
         --entryPoints.db.proxyProtocol.insecure=false",
    )
    .unwrap();
    let all = options.proxied();
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(names, ["web", "websecure"]);
    for (peer, covered) in [("10.1.1.1", true), ("192.0.2.1", true), ("192.0.2.2", false)] {
        assert_eq!(all["web"].covers(peer.parse().unwrap()), covered, "{peer}");
    }
    assert_eq!(*all["websecure"], Trust::Everybody);
    assert!(options.forwarded().is_empty(), "a header of another kind");
}

#[test]
fn what_is_traced() {
    assert_eq!(take("up").unwrap().0.tracing(), None);
    let line = "up --tracing.otlp.http.endpoint=http://c:4318/v1/traces";
    let least = TraceSettings {
        endpoint: "http://c:4318/v1/traces".into(),
        service_name: "steelyard".into(),
        sample_rate: 1.0,
        resource: BTreeMap::new(),
        headers: BTreeMap::new(),
        attributes: BTreeMap::new(),
        safe_query: Vec::new(),
        lines: Default::default(),
    };
    assert_eq!(take(line).unwrap().0.tracing(), Some(least.clone()));
    let line = format!(
        "{line} --tracing.sampleRate=0.25 --tracing.serviceName=edge \
         --tracing.resourceAttributes.k8s.node.name=a --tracing.otlp.http.headers.x-key=b \
         --tracing.globalAttributes.team=edge --tracing.safeQueryParams=page,q \
         --tracing.capturedRequestHeaders=X-A,x-b --tracing.capturedResponseHeaders=X-C"
    );
    let all = TraceSettings {
        service_name: "edge".into(),
        sample_rate: 0.25,
        resource: BTreeMap::from([("k8s.node.name".into(), "a".into())]),
        headers: BTreeMap::from([("x-key".into(), "b".into())]),
        attributes: BTreeMap::from([("team".into(), "edge".into())]),
        safe_query: vec!["page".into(), "q".into()],
        lines: [vec!["x-a".into(), "x-b".into()], vec!["x-c".into()]],
        ..least
    };
    assert_eq!(take(&line).unwrap().0.tracing(), Some(all));
}

#[test]
fn how_and_what_is_logged() {
    for (line, is_json, level) in [
        ("up", None, None),
        ("up --log.level=DEBUG", None, Some("debug")),
        ("up --log.level=panic --log.format=json", Some(true), Some("error")),
        ("up --log.level=WARN --log.format=common", Some(false), Some("warn")),
    ] {
        let options = take(line).unwrap().0;
        assert_eq!((options.logs_json(), options.log_level()), (is_json, level), "{line}");
    }
    assert!(take("up --log.level=loud").is_err());
}

fn variables(all: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    all.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn an_environment_says_the_same() {
    let environment = variables(&[
        ("TRAEFIK_ENTRYPOINTS_WEB_ADDRESS", ":8000"),
        ("TRAEFIK_ACCESSLOG", "true"),
        // As Kubernetes tells pods of a Service of this name.
        ("TRAEFIK_SERVICE_HOST", "10.43.0.1"),
        ("TRAEFIK_PORT_80_TCP", "tcp://10.43.0.1:80"),
        ("HOME", "/root"),
    ]);
    let (options, _) = StaticOptions::take([], environment.clone()).unwrap();
    assert_eq!(options.address("web").map(|it| it.port), Some(8000));
    assert!(options.access_log().is_some() && options.remarks().is_empty());
    let flag = OsString::from("--entrypoints.web.address=:1");
    let (options, _) = StaticOptions::take([flag], environment).unwrap();
    assert_eq!(options.address("web").map(|it| it.port), Some(1));
    assert!(options.remarks()[0].starts_with("TRAEFIK_ACCESSLOG: it is left out"));
    let bad = variables(&[("TRAEFIK_ENTRYPOINTS_WEB_ADRESS", ":80")]);
    let error = StaticOptions::take([], bad).unwrap_err().join("\n");
    assert!(error.contains("did you mean entrypoints.web.address?"), "{error}");
}

/// Lists of several flags are one, as with Traefik; of all else there is one.
#[test]
fn a_flag_is_given_once() {
    let line =
        "up --entrypoints.web.http.middlewares=a@file --entryPoints.web.http.middlewares=b@file";
    let points = take(line).unwrap().0.entry_points((80, 443));
    assert_eq!(points[0].filters, ["a@file", "b@file"].map(Into::into));
    assert!(take("up --entrypoints.web.address=:80 --entrypoints.web.address=:80").is_ok());
    let error = take("up --entrypoints.web.address=:80 --entryPoints.web.address=:81").unwrap_err();
    assert!(error.contains("--entrypoints.web.address is given twice"), "{error}");
}

#[test]
fn what_makes_no_difference_is_said() {
    let line = "up --providers.kubernetesingress=true --ocsp.responderOverrides.a=b --log.maxSize=3 \
                --global.sendAnonymousUsage=false --entrypoints.web.transport.lifeCycle.graceTimeOut=3s";
    let (options, _) = take(line).unwrap();
    let said = options.remarks();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("--ocsp.responderoverrides.a is not honoured yet: "));
    assert_eq!(options.grace(), Some(Duration::from_secs(3)));
}

#[test]
fn what_is_not_understood_is_named() {
    for (line, part) in [
        ("up --entrypoints.web.address=80", "not an address"),
        ("up --entrypoints.web.address", "wants a value"),
        ("up --providers.docker=true", "labels of containers are not read"),
        ("up --accesslog.format=xml", "common, genericCLF or json"),
        ("up --accesslog.fields.names.ClientHost=hide", "keep, drop or redact"),
        ("up --accesslog.filters.statusCodes=404,abc", "codes and ranges"),
        ("up --accesslog.filters.minDuration=soon", "10ms"),
        ("up --accesslog.bufferingSize=-1", "number of lines"),
        ("up --accesslog=maybe", "true or false"),
        ("up --metrics.prometheus.buckets=0.1,fast", "seconds above 0"),
        ("up --metrics.prometheus.buckets=5,1", "bounds that rise"),
        ("up --metrics.prometheus.buckets=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most"),
        ("up --tracing.otlp.http.endpoint=collector:4318", "http://HOST:4318"),
        ("up --tracing.otlp.http.headers.=x", "not an option"),
        ("up --tracing.samplerate=2 --tracing.otlp.http.endpoint=http://a/b", "0 to 1"),
        ("up --tracing.samplerate=NaN --tracing.otlp.http.endpoint=http://a/b", "0 to 1"),
        ("up --tracing.samplerate=0.5", "nothing is traced without"),
        ("up --entrypoints.web.http.sanitizePath=no", "true or false"),
        ("up --entrypoints.mine.http.sanitizePath=false", "no entry point"),
        ("up --entrypoints.web.forwardedHeaders.trustedIPs=akamai", "no range"),
        ("up --entrypoints.web.forwardedHeaders.trustedIPs=10.0.0.0/99", "no range"),
        ("up --entrypoints.web.forwardedHeaders.clientIPHeader=X-A", "nobody is believed"),
        (
            "up --entrypoints.web.forwardedHeaders.trustedIPs=10.0.0.1 \
             --entrypoints.web.forwardedHeaders.insecure",
            "one of the two",
        ),
        (
            "up --entrypoints.web.forwardedHeaders.trustedIPs=10.0.0.1 \
             --entrypoints.web.forwardedHeaders.clientIPHeader=a:b",
            "the name of a header",
        ),
        ("up --entrypoints.a.forwardedHeaders.insecure", "no entry point"),
        ("up --entrypoints.web.proxyProtocol.trustedIPs=10.0.0", "no range"),
        ("up --entrypoints.a.proxyProtocol.trustedIPs=10.0.0.1", "no entry point"),
        ("up --entrypoints.web.proxyProtocol=true", "has no value of its own"),
        (
            "up --entrypoints.web.proxyProtocol.trustedIPs=10.0.0.1 \
             --entrypoints.web.proxyProtocol.insecure",
            "one of the two",
        ),
        ("up --entrypoints.a.b.http.sanitizePath=false", "not an option"),
    ] {
        let error = take(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn what_is_told_at_an_entry_point() {
    let line = "up --entryPoints.web.observability.accessLogs=false \
                --entryPoints.web.observability.metrics=false \
                --entryPoints.web.observability.tracing=true --accessLog.addInternals \
                --entryPoints.web.observability.traceVerbosity=detailed";
    let (options, _) = take(line).unwrap();
    let told = options.terms()["web"].observability;
    assert_eq!(
        (told.access_logs, told.metrics, told.tracing, told.detailed),
        (Some(false), Some(false), Some(true), Some(true))
    );
    let internals = options.internals();
    assert_eq!((internals.access_logs, internals.metrics), (Some(true), Some(false)));
    assert_eq!(options.remarks().len(), 0, "{:?}", options.remarks());
    assert_eq!(take("up").unwrap().0.internals(), Observability::all(false));
}
