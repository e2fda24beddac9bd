//! What may be written in more than one way, as with Traefik.

use super::*;

fn environment(all: &[(&str, &str)]) -> Result<StaticOptions, String> {
    let taken = StaticOptions::take([], variables(all)).map(|(options, _)| options);
    taken.map_err(|wrong| wrong.join("\n"))
}

fn names(options: &StaticOptions) -> Vec<String> {
    let points = options.entry_points((80, 443));
    points.iter().map(|it| format!("{}:{}", it.id, it.port)).collect()
}

/// The first example of Traefik's own page about its environment.
#[test]
fn that_an_entry_point_is_there_is_said_by_its_name_alone() {
    let there = [("TRAEFIK_ENTRYPOINTS_WEB", "true"), ("TRAEFIK_ENTRYPOINTS_WEB_ADDRESS", ":81")];
    assert_eq!(names(&environment(&there).unwrap()), ["web:81", "websecure:443"]);
    for line in [
        "up --entrypoints.a=true --entrypoints.a.address=:1",
        "up --entrypoints.a --entrypoints.a.address=:1",
        "up --entrypoints.a=T --entrypoints.a.address=:1 --entrypoints.b=false",
        "up -entrypoints.a -entryPoints.a.address :1",
        "up -entrypoints.a.address=:1",
    ] {
        let (options, rest) = take(line).unwrap();
        assert_eq!(names(&options), ["a:1", "web:80", "websecure:443"], "{line}");
        assert_eq!(rest, ["up"], "{line}");
    }
    let error = take("up --entrypoints.a=true").unwrap_err();
    assert!(error.contains("it has no address"), "{error}");
    let error = take("up --entrypoints.a=maybe").unwrap_err();
    assert!(error.contains("has no value of its own"), "{error}");
}

#[test]
fn one_dash_is_enough() {
    let (options, rest) = take("up -api.insecure -ping -o json -v").unwrap();
    assert!(options.exposure().routes.len() == 3, "{:?}", options.exposure());
    assert_eq!(rest, ["up", "-o", "json", "-v"]);
}

#[test]
fn members_of_lists_have_numbers_in_variables() {
    for name in ["DOMAINS_0_MAIN", "DOMAINS_12_SANS", "DOMAINS[0]_MAIN"] {
        let options =
            environment(&[(&format!("TRAEFIK_ENTRYPOINTS_WEBSECURE_HTTP_TLS_{name}"), "a.b")]);
        let remarks = options.unwrap().remarks().to_vec();
        assert!(remarks[0].contains("not honoured yet"), "{remarks:?}");
    }
    // Such a name is one.
    let options = environment(&[("TRAEFIK_ENTRYPOINTS_0_ADDRESS", ":1")]).unwrap();
    assert_eq!(names(&options), ["0:1", "web:80", "websecure:443"]);
}

#[test]
fn what_kubernetes_tells_of_services_is_no_option() {
    let of_services = [
        ("TRAEFIK_METRICS_SERVICE_HOST", "10.0.0.1"),
        ("TRAEFIK_METRICS_SERVICE_PORT_METRICS", "9100"),
        ("TRAEFIK_METRICS_PORT", "tcp://10.0.0.1:9100"),
        ("TRAEFIK_METRICS_PORT_9100_TCP_ADDR", "10.0.0.1"),
        ("TRAEFIK_API_SERVICE_HOST", "10.0.0.2"),
        ("TRAEFIK_API_SERVICE_PORT", "80"),
    ];
    let mut all = of_services.to_vec();
    all.push(("TRAEFIK_ENTRYPOINTS_A_ADDRESS", ":1"));
    let options = environment(&all).unwrap();
    assert_eq!(names(&options), ["a:1", "web:80", "websecure:443"]);
    assert_eq!(options.remarks(), [""; 0]);
    let error = environment(&of_services[2..3]).unwrap_err();
    assert!(error.contains("metrics.port is not an option"), "without a Service: {error}");
}

#[test]
fn switches_have_the_words_of_go() {
    for (word, is_on) in [("1", true), ("T", true), ("True", true), ("0", false), ("F", false)] {
        let options = environment(&[("TRAEFIK_API_INSECURE", word)]).unwrap();
        assert_eq!(!options.exposure().routes.is_empty(), is_on, "{word}");
        let line = format!("up --entrypoints.web.asdefault={word}");
        let points = take(&line).unwrap().0.entry_points((80, 443));
        assert_eq!(points[0].is_default, is_on, "{word}");
        let text = format!("entryPoints: {{web: {{address: ':80', asDefault: {word}}}}}\n");
        let points = files::of_file("switches", &text).unwrap().entry_points((80, 443));
        assert_eq!(points[0].is_default, is_on, "{word}");
        let line = format!("up --nginx.watch-ingress-without-class={word}");
        let of_nginx = take(&line).unwrap().0.nginx();
        let plain = take(&format!("up --nginx.watch-ingress-without-class={is_on}")).unwrap();
        assert_eq!(of_nginx, plain.0.nginx(), "{word}");
    }
}

#[test]
fn tls_of_an_entry_point_is_taken_back_where_it_is_there_by_its_name() {
    let is_secure = |line: &str| {
        let points = take(line).unwrap().0.entry_points((80, 443));
        points.iter().find(|it| it.id.as_str() == "websecure").unwrap().is_secure
    };
    assert!(is_secure("up") && is_secure("up --entrypoints.websecure.http.tls=true"));
    assert!(!is_secure("up --entrypoints.websecure.http.tls=false"));
    let said =
        "up --entrypoints.websecure.http.tls=false --entrypoints.websecure.http.tls.options=a";
    assert!(is_secure(said), "what is below it asks for it");
    for below in ["certresolver=le", "options=a@file", "domains[0].main=a.b", "domains[0].sans=a.b"]
    {
        let line =
            format!("up --entrypoints.https.address=:1 --entrypoints.https.http.tls.{below}");
        let points = take(&line).unwrap().0.entry_points((80, 443));
        assert!(points[0].id.as_str() == "https" && points[0].is_secure, "{below}");
    }
}

#[test]
fn no_two_entry_points_are_at_one_socket() {
    let both = |one: &str, two: &str| {
        take(&format!("up --entrypoints.a.address={one} --entrypoints.b.address={two}"))
    };
    for (one, two) in [
        (":8000", ":8000"),
        (":8000", "127.0.0.1:8000"),
        ("[::]:8000", "127.0.0.1:8000"),
        ("[::1]:8000", ":8000"),
        ("0.0.0.0:8000", "127.0.0.1:8000"),
        ("localhost:8000", "127.0.0.1:8000/TCP"),
        (":53/udp", "127.0.0.1:53/UDP"),
    ] {
        let error = both(one, two).unwrap_err();
        let expected = "--entrypoints.b.address: the entry point \"a\" listens there";
        assert!(error.starts_with(expected), "{one} {two}: {error}");
    }
    for (one, two) in [
        (":8000", ":8001"),
        (":53", ":53/udp"),
        ("127.0.0.1:8000", "127.0.0.2:8000"),
        ("0.0.0.0:8000", "[::1]:8000"),
        (":0", ":0"),
    ] {
        assert!(both(one, two).is_ok(), "{one} {two}");
    }
    let files = "entryPoints: {a: {address: ':1'}, b: {address: 'localhost:1'}}\n";
    assert!(files::of_file("sockets", files).unwrap_err()[0].contains("listens there"));
}

#[test]
fn hosts_and_protocols_of_addresses() {
    let address = |text: &str| {
        let (options, _) = take(&format!("up --entrypoints.a.address={text}"))?;
        let ListenAddress { host, port, protocol } = options.address("a").unwrap();
        Ok(format!("{} {port} {protocol}", host.map(|it| it.to_string()).unwrap_or_default()))
    };
    assert_eq!(address("localhost:8000"), Ok("127.0.0.1 8000 TCP".to_owned()));
    assert_eq!(address(":80/TCP"), Ok(" 80 TCP".to_owned()));
    assert_eq!(address("LocalHost:53/Udp"), Ok("127.0.0.1 53 UDP".to_owned()));
    let error: String = address("nas.lan:80").unwrap_err();
    assert!(error.contains("is not an address"), "{error}");
}

#[test]
fn an_entry_point_of_udp_is_no_default() {
    let line = "up --entrypoints.dns.address=:53/udp --entrypoints.dns.asdefault";
    let (options, _) = take(line).unwrap();
    assert!(options.entry_points((80, 443)).iter().all(|it| !it.is_default));
    let said = options.remarks();
    assert!(said.len() == 1 && said[0].starts_with("--entrypoints.dns.asdefault: "), "{said:?}");
}

#[test]
fn numbers_below_nothing() {
    let (options, _) = take("up --tcpserverstransport.dialkeepalive=-1").unwrap();
    assert!(options.remarks()[0].starts_with("--tcpserverstransport.dialkeepalive is not"));
    assert_eq!(options.bytes().alive, None);
    for option in [
        "tcpserverstransport.dialtimeout",
        "entrypoints.web.http2.maxconcurrentstreams",
        "entrypoints.web.http2.maxdecoderheadertablesize",
        "entrypoints.web.transport.respondingtimeouts.readtimeout",
    ] {
        let error = take(&format!("up --{option}=-4")).unwrap_err();
        assert!(error.contains("wants a"), "{option}: {error}");
    }
    for selector in ["a==(", "a=b c", "-x=1", ",", "a in (b"] {
        let line = ["up".into(), format!("--providers.kubernetescrd.labelselector={selector}")];
        let error = taken(line.map(OsString::from)).unwrap_err();
        assert!(error.contains("wants a selector"), "{selector}: {error}");
    }
}
