//! Middlewares: every option is read, and what would not do what it says is refused.

use steelyard_model::routing::filter::Filter;

use super::*;
use crate::codes;

fn object(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{name: m}}\nspec:\n{spec}"
    )
}

#[test]
fn every_option_is_read() {
    let all = include_str!("middlewares.yaml");
    let mut kinds = std::collections::BTreeSet::new();
    for spec in all.split("---\n") {
        let spec: String = spec
            .lines()
            .filter(|line| !line.starts_with('#'))
            .fold(String::new(), |text, line| text + line + "\n");
        let lowered = lowered(&object(&spec));
        assert!(lowered.diagnostics.is_empty(), "{spec}{:?}", lowered.diagnostics);
        let [Item::Filter(draft)] = &lowered.items[..] else { panic!("{spec}") };
        kinds.insert(draft.filter.kind());
    }
    assert_eq!(kinds.len(), 27, "{kinds:?}");
}

/// What Traefik 3 does nothing for does nothing here, where nothing else is written too.
#[test]
fn what_makes_no_difference_since_traefik_3_passes_everything() {
    for field in ["sslRedirect: true", "sslHost: a.example", "featurePolicy: 'x'"] {
        let lowered = lowered(&object(&format!("headers: {{{field}}}")));
        let [found] = &lowered.diagnostics[..] else { panic!("{:?}", lowered.diagnostics) };
        assert_eq!((found.severity, found.code), (Severity::Warning, codes::FIELD_NOT_HONOURED));
        let [Item::Filter(draft)] = &lowered.items[..] else { panic!("{field}") };
        assert_eq!(draft.filter, Filter::Chain(Vec::new()), "{field}");
    }
    assert!(lowered(&object("headers: {sslRedirect: false}")).items.is_empty());
}

#[test]
fn what_would_not_do_what_it_says_is_refused() {
    for (spec, code) in [
        ("{}", codes::MISSING_FIELD),
        ("addPrefix: {}", codes::MISSING_FIELD),
        ("plugin: {timeouts: {request: soon}}", codes::INVALID_VALUE),
        ("plugin: {timeouts: {request: 1s, backendRequest: 2s}}", codes::INVALID_VALUE),
        ("addPrefix: {prefix: \"/a\\r\\nb\"}", codes::INVALID_VALUE),
        ("addPrefix: {prefix: /a}\nreplacePath: {path: /b}", codes::FIELDS_EXCLUSIVE),
        ("stripPrefixRegex: {regex: ['(']}", codes::INVALID_VALUE),
        ("replacePathRegex: {regex: '*'}", codes::INVALID_VALUE),
        ("redirectScheme: {}", codes::MISSING_FIELD),
        ("redirectScheme: {scheme: 'java script'}", codes::INVALID_VALUE),
        ("redirectScheme: {scheme: https, port: x}", codes::INVALID_VALUE),
        ("redirectRegex: {regex: '(', replacement: x}", codes::INVALID_VALUE),
        ("chain: {}", codes::MISSING_FIELD),
        ("ipAllowList: {}", codes::MISSING_FIELD),
        ("ipAllowList: {sourceRange: [foo]}", codes::INVALID_VALUE),
        ("ipAllowList: {sourceRange: [10.0.0.1], rejectStatusCode: 99}", codes::INVALID_VALUE),
        ("headers: {}", codes::MISSING_FIELD),
        ("headers: {customRequestHeaders: {'X A': b}}", codes::INVALID_VALUE),
        ("headers: {customRequestHeaders: {X-A: \"b\\nc\"}}", codes::INVALID_VALUE),
        ("headers: {contentSecurityPolicy: \"b\\nc\"}", codes::INVALID_VALUE),
        ("headers: {accessControlAllowOriginListRegex: ['(']}", codes::INVALID_VALUE),
        ("errors: {status: ['404']}", codes::MISSING_FIELD),
        ("errors: {status: [x], service: {name: a, port: 80}}", codes::INVALID_VALUE),
        ("rateLimit: {average: -1}", codes::INVALID_VALUE),
        ("rateLimit: {average: 1, period: soon}", codes::INVALID_VALUE),
        (
            "rateLimit: {average: 1, sourceCriterion: {requestHost: true, requestHeaderName: a}}",
            codes::FIELDS_EXCLUSIVE,
        ),
        ("rateLimit: {average: 1, redis: {endpoints: [redis]}}", codes::INVALID_VALUE),
        ("rateLimit: {average: 1, redis: {endpoints: ['a:b@c:1']}}", codes::INVALID_VALUE),
        ("basicAuth: {}", codes::MISSING_FIELD),
        ("basicAuth: {secret: s, headerField: 'a b'}", codes::INVALID_VALUE),
        ("basicAuth: {secret: s, users: ['a:b']}", codes::INVALID_VALUE),
        ("plugin: {apiKey: {}}", codes::MISSING_FIELD),
        ("plugin: {apiKey: {keySource: {header: x}}}", codes::MISSING_FIELD),
        (
            "plugin: {apiKey: {keySource: {header: 'x y'}, secretValues: ['{SHA}x']}}",
            codes::INVALID_VALUE,
        ),
        ("plugin: {apiKey: {keySource: {query: x}, secretValues: [secret]}}", codes::INVALID_VALUE),
        (
            "plugin: {apiKey: {keySource: {query: x}, secretValues: ['urn:k8s:secret:keys']}}",
            codes::INVALID_VALUE,
        ),
        ("plugin: {ipDenyList: {}}", codes::MISSING_FIELD),
        ("plugin: {ipDenyList: {sourceRange: [x]}}", codes::INVALID_VALUE),
        ("plugin: {anyOf: {}}", codes::MISSING_FIELD),
        ("plugin: {unless: {middleware: {name: a}}}", codes::MISSING_FIELD),
        ("plugin: {unless: {match: PathPrefix(`/a`)}}", codes::MISSING_FIELD),
        ("plugin: {unless: {match: 'PathPrefix(`a', middleware: {name: a}}}", codes::INVALID_VALUE),
        ("plugin: {unless: {match: 'Path(`x`)', middleware: {name: a}}}", codes::INVALID_VALUE),
        ("plugin: {unless: {match: 'Nobody(`x`)', middleware: {name: a}}}", codes::INVALID_VALUE),
        ("forwardAuth: {}", codes::MISSING_FIELD),
        ("forwardAuth: {address: 'auth.example'}", codes::INVALID_VALUE),
        ("forwardAuth: {address: 'http://'}", codes::INVALID_VALUE),
        ("forwardAuth: {address: 'http://ann:secret@auth/'}", codes::INVALID_VALUE),
        ("plugin: {jwt: {jwksUrl: 'ftp://issuer/keys'}}", codes::INVALID_VALUE),
        (
            "plugin: {jwt: {jwksUrl: 'https://a/', clientConfig: {tls: {ca: /etc/ca.pem}}}}",
            codes::FIELD_NOT_HONOURED,
        ),
        (
            "plugin: {jwt: {jwksUrl: 'https://a/', clientConfig: {timeoutSeconds: 0}}}",
            codes::INVALID_VALUE,
        ),
        ("buffering: {maxRequestBodyBytes: -1}", codes::INVALID_VALUE),
        ("circuitBreaker: {}", codes::MISSING_FIELD),
        ("compress: {encodings: [lzw]}", codes::INVALID_VALUE),
        ("compress: {encodings: [br], defaultEncoding: gzip}", codes::INVALID_VALUE),
        (
            "compress: {includedContentTypes: [a/b], excludedContentTypes: [a/c]}",
            codes::FIELDS_EXCLUSIVE,
        ),
        ("retry: {}", codes::MISSING_FIELD),
        ("retry: {attempts: 0}", codes::INVALID_VALUE),
        ("retry: {attempts: 2, status: [x]}", codes::INVALID_VALUE),
        ("retry: {attempts: 2, disableRetryOnNetworkError: true}", codes::INVALID_VALUE),
    ] {
        let lowered = lowered(&object(spec));
        assert!(lowered.items.is_empty(), "{spec}");
        let found: Vec<_> = lowered.diagnostics.iter().map(|it| it.code).collect();
        assert!(found.contains(&code), "{spec} {:?}", lowered.diagnostics);
    }
}

#[test]
fn what_is_not_said_is_as_traefik_has_it() {
    for (spec, expected) in [
        ("compress: {}", "smallest: 1024, encodings: [Gzip, Brotli, Zstd], default: None"),
        ("rateLimit: {average: 5}", "average: 5, period: 1s, burst: 1"),
        ("retry: {attempts: 2}", "max_body: Some(2097152)"),
        ("basicAuth: {secret: s}", "realm: \"traefik\", removes_header: false"),
        ("ipAllowList: {sourceRange: [10.0.0.1]}", "from: Peer, ipv6_subnet: None }, status: 403"),
        ("inFlightReq: {amount: 3}", "amount: 3, of: Host"),
        (
            "circuitBreaker: {expression: NetworkErrorRatio() > 0.3}",
            "check_period: 100ms, fallback: 10s, recovery: 10s, status: 503",
        ),
        (
            "buffering: {}",
            "max_request: 0, mem_request: 1048576, max_response: 0, mem_response: 1048576",
        ),
        ("forwardAuth: {address: 'http://a'}", "max_response: None"),
        (
            "plugin: {timeouts: {request: 10s, backendRequest: 3, idleRead: 0s}}",
            "total: Some(10s), attempt: Some(3s), connect: None, idle_read: None, idle_send: None",
        ),
        ("contentType: {autoDetect: true}", "ContentType"),
        ("contentType: {autoDetect: false}", "Chain([])"),
    ] {
        let lowered = lowered(&object(spec));
        let [Item::Filter(draft)] = &lowered.items[..] else { panic!("{spec}") };
        let shown = format!("{:?}", draft.filter);
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn connections_have_filters_of_their_own() {
    for (spec, expected) in [
        ("inFlightConn: {amount: 3}", Some(Filter::InFlightConnections(3))),
        ("ipAllowList: {sourceRange: [foo]}", None),
        ("{}", None),
    ] {
        let lowered = lowered(&object(spec).replace("kind: Middleware", "kind: MiddlewareTCP"));
        let found = lowered.items.first().map(|item| match item {
            Item::Filter(draft) => {
                assert!(draft.is_for_bytes);
                draft.filter.clone()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(found, expected, "{spec}");
    }
}

/// A login with `part` in it is refused by this code, and as it is it is taken.
#[test]
fn logins_that_would_not_do_what_they_say() {
    let spec = |part: &str| {
        let usual = [
            ("issuer:", "issuer: 'https://a/'"),
            ("redirectUrl:", "redirectUrl: /back"),
            ("clientId:", "clientId: us"),
            ("clientSecret:", "clientSecret: '0123456789abcdef'"),
        ];
        let rest = usual.iter().filter(|(name, _)| !part.starts_with(name));
        let rest: Vec<&str> = rest.map(|(_, line)| *line).chain([part]).collect();
        lowered(&object(&format!("plugin: {{oidc: {{{}}}}}", rest.join(", "))))
    };
    assert!(spec("scopes: [a]").diagnostics.is_empty());
    for (part, code) in [
        ("issuer: ''", codes::MISSING_FIELD),
        ("issuer: 'ftp://a/'", codes::INVALID_VALUE),
        ("redirectUrl: ''", codes::MISSING_FIELD),
        ("redirectUrl: //evil", codes::INVALID_VALUE),
        ("redirectUrl: back", codes::INVALID_VALUE),
        ("clientId: ''", codes::MISSING_FIELD),
        ("clientId: 'urn:k8s:secret:a'", codes::INVALID_VALUE),
        ("clientSecret: ''", codes::MISSING_FIELD),
        ("clientSecret: short", codes::INVALID_VALUE),
        ("session: {secret: short}", codes::INVALID_VALUE),
        ("session: {expiry: 0}", codes::INVALID_VALUE),
        ("session: {sameSite: some}", codes::INVALID_VALUE),
        ("session: {store: {redis: {}}}", codes::FIELD_NOT_HONOURED),
        ("session: {name: 'a b'}", codes::INVALID_VALUE),
        ("session: {path: '/;a'}", codes::INVALID_VALUE),
        ("stateCookie: {sameSite: strict}", codes::INVALID_VALUE),
        ("stateCookie: {domain: \"a\\r\\nb\"}", codes::INVALID_VALUE),
        ("postLogoutRedirectUrl: 'javascript:x'", codes::INVALID_VALUE),
        ("logoutUrl: '/\\evil'", codes::INVALID_VALUE),
        ("authParams: {state: x}", codes::INVALID_VALUE),
        ("origins: [a]", codes::INVALID_VALUE),
        ("claims: 'Equals('", codes::INVALID_VALUE),
        ("forwardHeaders: {'X A': sub}", codes::INVALID_VALUE),
        ("csrf: {}", codes::FIELD_NOT_HONOURED),
        ("disableIssuerCheck: true", codes::FIELD_NOT_HONOURED),
        ("backchannelLogoutUrl: /out", codes::FIELD_NOT_HONOURED),
    ] {
        let lowered = spec(part);
        let found: Vec<_> = lowered.diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(found, [code], "{part} {:?}", lowered.diagnostics);
        assert!(lowered.items.is_empty(), "{part}");
    }
}
