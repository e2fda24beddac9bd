//! Files of options.

use super::*;

/// What a file of options is taken for.
pub(super) fn of_file(name: &str, text: &str) -> Result<StaticOptions, Vec<String>> {
    let name = format!("steelyard-{name}-{}.yml", std::process::id());
    let path = std::env::temp_dir().join(name);
    let folder = std::env::temp_dir().display().to_string();
    let text = text.replace("THIS", &path.display().to_string()).replace("FOLDER", &folder);
    std::fs::write(&path, text).unwrap();
    let line = [OsString::from(format!("--configfile={}", path.display()))];
    let taken = StaticOptions::take(line, []).map(|(options, _)| options);
    std::fs::remove_file(&path).unwrap();
    taken
}

/// Traefik passes over what it does not know there, but not below.
#[test]
fn what_stands_at_the_root_and_is_no_option() {
    let base = "entryPoints: {web: {address: ':8000'}, websecure: {address: ':8443'}}\n";
    let http = "http: {routers: {a: {rule: 'Host(`a`)', service: s}}}\ntls: {options: {}}\n";
    for (text, said) in [
        ("x-trust: &t [10.0.0.0/8]\n", &[": x-trust: it is no section"][..]),
        ("x-log: {level: 7}\n.api: 1\n", &[": x-log: ", ": .api: "]),
        ("anchors:\n- {a: 1}\n- {a: 2}\n", &[": anchors: "]),
        (http, &[": http: it is dynamic configuration", ": tls: it is dynamic"]),
        (&format!("providers: {{file: {{filename: THIS}}}}\n{http}"), &[]),
        (&format!("providers: {{file: {{directory: FOLDER}}}}\n{http}"), &[]),
        (
            &format!("providers: {{file: {{directory: FOLDER/gone}}}}\n{http}"),
            &[": http: ", ": tls: "],
        ),
    ] {
        let options = of_file("roots", &format!("{base}{text}")).unwrap();
        let remarks = options.remarks();
        assert_eq!(remarks.len(), said.len(), "{text}: {remarks:?}");
        assert!(remarks.iter().zip(said).all(|(it, said)| it.contains(said)), "{remarks:?}");
        assert_eq!(options.address("web").map(|it| it.port), Some(8000), "{text}");
    }
    for (text, said) in [
        ("entryPoint: {web: {address: ':80'}}\n", "did you mean entrypoints.web.address?"),
        ("apis: {}\n", "did you mean api?"),
        ("api: {x-a: 1}\n", "api.x-a is not an option"),
    ] {
        let wrong = of_file("wrong-roots", text).unwrap_err().join("\n");
        assert!(wrong.contains(said), "{text}: {wrong}");
    }
    let flag = take("up --x-trust.a=1").unwrap_err();
    assert!(flag.contains("is not an option"), "{flag}");
}

#[test]
fn a_file_says_the_same_and_its_mistakes_have_places() {
    let folder = std::env::temp_dir().join(format!("steelyard-options-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let take = |name: &str, text: &str, more: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        let line = format!("up --configFile={} {more}", path.display());
        taken(line.split_whitespace().map(OsString::from))
    };
    let yaml = "entryPoints:\n  web:\n    address: ':8000'\n    http:\n      redirections:\n        \
                entryPoint: {to: websecure, permanent: false}\n  websecure:\n    address: ':8443'\n    \
                http: {tls: {}}\n    forwardedHeaders: {}\n  private: {address: ':9000', asDefault: true}\n\
                providers:\n  file: {directory: /etc/dynamic}\n";
    let toml = "[entryPoints.web]\naddress = ':8000'\n[entryPoints.web.http.redirections.entryPoint]\n\
                to = 'websecure'\npermanent = false\n[entryPoints.websecure]\naddress = ':8443'\n\
                [entryPoints.websecure.http.tls]\n[entryPoints.private]\naddress = ':9000'\n\
                asDefault = true\n[providers.file]\ndirectory = '/etc/dynamic'\n";
    for (name, text) in [("a.yml", yaml), ("a.toml", toml)] {
        let (options, rest) = take(name, text, "").unwrap();
        assert_eq!(rest, ["up"]);
        let points = options.entry_points((80, 443));
        let [private, web, websecure] = &points[..] else { panic!("{points:?}") };
        assert!(private.is_default && !web.is_default && websecure.is_secure, "{points:?}");
        let to = web.redirection.as_ref().unwrap();
        assert_eq!((to.port, &*to.scheme, to.is_permanent), (8443, "https", false));
        assert_eq!(options.dynamic_files(), [PathBuf::from("/etc/dynamic")]);
    }
    let labels = "metrics: {prometheus: {headerLabels: {userAgent: User-Agent}}}\n";
    let labels = take("l.yml", labels, "").unwrap().0.header_labels();
    assert_eq!(&*labels[0].label, "userAgent", "as it is written");
    for (name, text, more, part) in [
        (
            "b.yml",
            "entryPoints:\n  web:\n    adress: ':80'\n",
            "",
            "b.yml:3:5: entrypoints.web.adress",
        ),
        (
            "b.toml",
            "[entryPoints.web]\naddress = '80'\n",
            "",
            "b.toml:2:1: entrypoints.web.address",
        ),
        ("c.toml", "a = \n", "", "c.toml:1:"),
        ("c.yml", "- a\n", "", "c.yml:1:1: a file of settings"),
        ("d.yml", "api: {}\n", "--accesslog", "write it into the file"),
        ("e.yml", "accessLog: {}\naccessLog: {}\n", "", "e.yml:2:1"),
    ] {
        let error = take(name, text, more).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    let missing = taken(["--configfile=/nowhere/a.yml".into()]).unwrap_err();
    assert!(missing.contains("cannot be read"), "{missing}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Each mistake is said, with its place, and what only follows from another one is not.
#[test]
fn all_mistakes_of_a_file_are_said_at_once() {
    let file = std::env::temp_dir().join(format!("steelyard-wrong-{}.yml", std::process::id()));
    let text = "entryPoints:\n  \
                web: {address: ':80', http: {redirections: {entryPoint: {to: nowhere}}}}\n  \
                websecure: ':443'\n  \
                WEB: {address: ':81'}\n  \
                bare: {}\n  \
                slow: {address: ':82', transport: {respondingTimeouts: {readTimeout: [5]}}}\n  \
                bad: {address: '83', http: {tls: {}}}\n\
                ping: {entryPoint: gone}\n\
                metrics: {prometheus: {entryPoint: gone}}\n\
                serversTransport: {minVersion: VersionTLS13, maxVersion: VersionTLS12, rootCAs: [/nowhere]}\n\
                acesslog: {}\n";
    std::fs::write(&file, text).unwrap();
    let line = [OsString::from(format!("--configfile={}", file.display()))];
    let wrong = StaticOptions::take(line, []).unwrap_err();
    let expected = [
        (
            3,
            "entrypoints.websecure has no value of its own: write what is below it, such as \
             entrypoints.websecure.address",
        ),
        (4, "entrypoints.web.address stands at"),
        (
            6,
            "entrypoints.slow.transport.respondingtimeouts.readtimeout wants one value, not a list",
        ),
        (7, "entrypoints.bad.address: "),
        (11, "acesslog is not an option; did you mean accesslog?"),
        (5, "entrypoints.bare: it has no address"),
        (2, "entrypoints.web.http.redirections.entrypoint.to: there is no entry point"),
        (8, "ping.entrypoint: there is no entry point"),
        (9, "metrics.prometheus.entrypoint: there is no entry point"),
        (10, "serverstransport.minversion: it is above"),
        (10, "serverstransport.rootcas: /nowhere cannot be read"),
    ];
    assert_eq!(wrong.len(), expected.len(), "{wrong:#?}");
    for (said, (line, part)) in wrong.iter().zip(expected) {
        let place = format!("{}:{line}:", file.display());
        assert!(said.starts_with(&place) && said.contains(part), "{place} {part}: {said}");
    }
    std::fs::remove_file(&file).unwrap();
}

/// What a file declares is all there is; flags and the environment add to what there is.
#[test]
fn a_file_that_declares_entry_points_has_no_others() {
    let file = std::env::temp_dir().join(format!("steelyard-points-{}.yml", std::process::id()));
    let names = |options: &StaticOptions| -> Vec<String> {
        let points = options.entry_points((80, 443));
        points.iter().map(|it| format!("{}:{}", it.id, it.port)).collect()
    };
    for (text, expected, said) in [
        (
            "entryPoints: {internal: {address: '127.0.0.1:8020'}}\n",
            &["internal:8020"][..],
            Some("no entry point `web` and none `websecure`"),
        ),
        (
            "entryPoints: {web: {address: ':8000'}}\nping: {}\n",
            &["traefik:8080", "web:8000"],
            Some("no entry point `websecure`: "),
        ),
        (
            "entryPoints: {websecure: {http: {tls: {}}}, a: {address: ':1'}}\n",
            &["a:1", "websecure:443"],
            Some("no entry point `web`: "),
        ),
        ("ping: {}\n", &["traefik:8080", "web:80", "websecure:443"], None),
        ("entryPoints: {}\n", &["web:80", "websecure:443"], None),
    ] {
        std::fs::write(&file, text).unwrap();
        let line = [OsString::from(format!("--configfile={}", file.display()))];
        let (options, _) = taken(line).unwrap();
        assert_eq!(names(&options), expected, "{text}");
        let remark = options.remarks().iter().find(|it| it.contains("no entry point"));
        assert_eq!(remark.is_some(), said.is_some(), "{text}: {remark:?}");
        assert!(said.is_none_or(|said| remark.is_some_and(|it| it.contains(said))), "{remark:?}");
    }
    // What is said of one that is not there is a mistake.
    std::fs::write(&file, "entryPoints: {a: {address: ':1'}}\nping: {entryPoint: web}\n").unwrap();
    let line = [OsString::from(format!("--configfile={}", file.display()))];
    let error = taken(line).unwrap_err();
    assert!(error.contains("no entry point \"web\""), "{error}");
    std::fs::remove_file(&file).unwrap();
    let (options, _) = take("up --entrypoints.internal.address=:8020").unwrap();
    assert_eq!(names(&options), ["internal:8020", "web:80", "websecure:443"]);
    let environment = variables(&[("TRAEFIK_ENTRYPOINTS_INTERNAL_ADDRESS", ":8020")]);
    let (options, _) = StaticOptions::take([], environment).unwrap();
    assert_eq!(names(&options), ["internal:8020", "web:80", "websecure:443"]);
}
