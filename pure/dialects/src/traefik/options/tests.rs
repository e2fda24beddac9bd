use std::path::Path;

use super::*;

/// A value of each form that is not the default, and one that is none.
fn samples(row: &StaticOption) -> (&'static str, Option<&'static str>) {
    match row.form {
        Form::Switch => (if row.default == "true" { "false" } else { "true" }, Some("maybe")),
        Form::Number => ("7", Some("many")),
        Form::Time => ("77s", Some("soon")),
        Form::Word(words) => {
            let other = words.iter().find(|word| !word.eq_ignore_ascii_case(row.default));
            (other.expect("there is another word"), Some("none-of-these"))
        }
        Form::Text | Form::List | Form::Below => ("x", None),
    }
}

fn example(row: &StaticOption) -> String {
    row.name.replace(".**", ".a").replace('*', "n").to_ascii_lowercase()
}

#[test]
fn each_row_is_found_by_its_name_and_judged_by_its_fate() {
    for row in all() {
        let name = example(row);
        assert_eq!(find(&name), Some(row), "{name}");
        assert_eq!(find(&row.name.replace(".**", ".a").replace('*', "n")), Some(row), "{name}");
        let (value, bad) = samples(row);
        let judged = judge(&name, value);
        let is_as_said = match row.fate {
            OptionFate::Reads | OptionFate::Differs(_) | OptionFate::Cosmetic(_) => {
                judged == Judged::Fine
            }
            OptionFate::Later(so) => matches!(&judged, Judged::Idle(said) if said.ends_with(so)),
            OptionFate::Planned(so) => matches!(&judged, Judged::Idle(said) if said.ends_with(so)),
            OptionFate::Compared(why) => {
                matches!(&judged, Judged::Compared(said) if said.ends_with(why))
            }
            OptionFate::Refused(why) => {
                matches!(&judged, Judged::Wrong(said) if said.ends_with(why))
            }
        };
        assert!(is_as_said, "{name}={value}: {judged:?}");
        if !row.default.is_empty() {
            assert_eq!(judge(&name, row.default), Judged::Fine, "{name}");
        }
        if let Some(bad) = bad {
            assert!(matches!(judge(&name, bad), Judged::Wrong(_)), "{name}={bad}");
        }
    }
}

#[test]
fn switches_are_read_as_go_reads_them() {
    for word in ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"] {
        assert_eq!(judge("api.insecure", word), Judged::Fine, "{word}");
        assert_eq!(judge("providers.docker", word) == Judged::Fine, switched(word) == Some(false));
        let is_on = matches!(word.as_bytes()[0], b'1' | b't' | b'T');
        assert_eq!(settled("api.insecure", word), if is_on { "true" } else { "false" });
        assert_eq!(settled("ping.entrypoint", word), word, "it is a name");
    }
    for word in ["tRUE", "yes", "on", "2", ""] {
        assert!(matches!(judge("api.insecure", word), Judged::Wrong(_)), "{word}");
    }
}

/// In Traefik whatever is said below it switches a provider on.
#[test]
fn what_is_said_below_asks_for_it() {
    for name in [
        "providers.docker.exposedbydefault",
        "providers.swarm.exposedbydefault",
        "providers.consulcatalog.exposedbydefault",
        "providers.ecs.autodiscoverclusters",
        "providers.consul.tls.insecureskipverify",
        "serverstransport.spiffe.trustdomain",
    ] {
        assert!(matches!(judge(name, "false"), Judged::Wrong(_)), "{name}");
    }
    for name in ["tracing.otlp.grpc.insecure", "metrics.datadog.addroutersLabels"] {
        assert!(matches!(judge(name, "false"), Judged::Idle(_)), "{name}");
    }
    for name in ["providers.docker", "metrics.datadog", "experimental.fastproxy", "hub.token"] {
        assert_eq!(judge(name, "false"), Judged::Fine, "{name}");
    }
}

/// Files of the other configuration may have them too.
#[test]
fn sections_are_those_of_the_rows() {
    let mut roots: Vec<&str> =
        all().map(|row| row.name.split('.').next().unwrap_or_default()).collect();
    roots.sort_unstable_by_key(|it| it.to_ascii_lowercase());
    roots.dedup();
    assert_eq!(roots, steelyard_manifest::STATIC_SECTIONS);
}

#[test]
fn no_two_rows_are_the_same() {
    let mut names: Vec<String> = all().map(|row| row.name.to_ascii_lowercase()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn names_that_are_none_are_told_what_was_meant() {
    for (name, near) in [
        ("entrypoints.web.adress", "did you mean entrypoints.web.address?"),
        ("entrypoints.web.http.sanitisepath", "did you mean entrypoints.web.http.sanitizepath?"),
        (
            "providers.kubernetescrd.allowcrossnamespaces",
            "did you mean providers.kubernetescrd.allowcrossnamespace?",
        ),
        ("acceslog", "did you mean accesslog?"),
        ("something.else.entirely.and.more", "docs/traefik-options.md"),
    ] {
        let Judged::Wrong(said) = judge(name, "x") else { panic!("{name}") };
        assert!(said.contains(near), "{name}: {said}");
    }
    for (name, is) in [
        ("entrypoints.web.http.tls.domains[0].main", true),
        ("entrypoints..address", false),
        ("entrypoints.a.b.address", false),
        ("accesslog.fields.names.", false),
        ("tracing.resourceattributes.k8s.node.name", true),
        ("certificatesresolvers.le.acme.email", true),
        ("providers.docker", true),
    ] {
        assert_eq!(find(name).is_some(), is, "{name}");
    }
}

#[test]
fn the_page_of_options_is_what_the_rows_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/traefik-options.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let docs = std::fs::read_to_string(&path).unwrap_or_default();
    let command = "UPDATE=1 cargo test -p steelyard-dialects options";
    assert!(docs == page, "docs/traefik-options.md is stale: {command}");
}
