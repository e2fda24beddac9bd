//! What Traefik sells, option by option: what is written makes a difference, and what an option is
//! that is not written is what writing its default says.

use steelyard_model::routing::filter::Filter;

use super::*;
use crate::codes;

const KEY: &str = "keySource: {header: X-Key}, secretValues: ['{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=']";
const TOKEN: &str = "signingSecret: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";
const KEYS: &str = "jwksUrl: 'https://issuer.test/keys'";
const SIGNED: &str = "keys: [{id: a, key: secret}]";
const LOGIN: &str = "issuer: 'https://issuer.test/', redirectUrl: /back, clientId: us, \
                     clientSecret: 0123456789abcdef";

/// A middleware, what it has in any case, and an option with what it usually is and something else.
/// Where it has no usual value, that is empty.
const OPTIONS: &[(&str, &str, &str, &str)] = &[
    ("apiKey", KEY, "secretNonBase64Encoded: false", "secretNonBase64Encoded: true"),
    ("jwt", TOKEN, "signingSecretBase64Encoded: false", "signingSecretBase64Encoded: true"),
    ("jwt", TOKEN, "forwardAuthorization: false", "forwardAuthorization: true"),
    ("jwt", TOKEN, "", "tokenKey: token"),
    ("jwt", TOKEN, "", "claims: 'Equals(`grp`, `admin`)'"),
    ("jwt", TOKEN, "", "usernameClaim: name"),
    ("jwt", TOKEN, "forwardHeaders: {}", "forwardHeaders: {X-Group: grp}"),
    ("jwt", KEYS, "clientConfig: {}", "clientConfig: {tls: {insecureSkipVerify: true}}"),
    ("jwt", KEYS, "clientConfig: {timeoutSeconds: 5}", "clientConfig: {timeoutSeconds: 6}"),
    ("jwt", KEYS, "clientConfig: {maxRetries: 3}", "clientConfig: {maxRetries: 0}"),
    ("hmac", SIGNED, "validateDigest: true", "validateDigest: false"),
    ("hmac", SIGNED, "", "enforcedHeaders: [date, '(request-target)']"),
    ("oidc", LOGIN, "trustedIssuer: 'https://issuer.test/'", "trustedIssuer: 'https://other.test'"),
    ("oidc", LOGIN, "disableIssuerCheck: false", ""),
    ("oidc", LOGIN, "", "claims: 'Equals(`grp`, `admin`)'"),
    ("oidc", LOGIN, "usernameClaim: sub", "usernameClaim: email"),
    ("oidc", LOGIN, "forwardHeaders: {}", "forwardHeaders: {X-Group: grp}"),
    ("oidc", LOGIN, "clientConfig: {timeoutSeconds: 5}", "clientConfig: {timeoutSeconds: 6}"),
    ("oidc", LOGIN, "clientConfig: {}", "clientConfig: {tls: {insecureSkipVerify: true}}"),
    ("oidc", LOGIN, "pkce: true", "pkce: false"),
    ("oidc", LOGIN, "discoveryParams: {}", "discoveryParams: {a: b}"),
    ("oidc", LOGIN, "scopes: [openid]", "scopes: [openid, email]"),
    ("oidc", LOGIN, "authParams: {}", "authParams: {prompt: login}"),
    ("oidc", LOGIN, "disableLogin: false", "disableLogin: true"),
    ("oidc", LOGIN, "", "loginUrl: /login"),
    ("oidc", LOGIN, "", "logoutUrl: /logout"),
    ("oidc", LOGIN, "", "loginUrl: /login, postLoginRedirectUrl: /home"),
    ("oidc", LOGIN, "", "logoutUrl: /logout, postLogoutRedirectUrl: /bye"),
    ("oidc", LOGIN, "", "stateCookie: {name: state}"),
    ("oidc", LOGIN, "stateCookie: {path: /}", "stateCookie: {path: /app}"),
    ("oidc", LOGIN, "", "stateCookie: {domain: a.test}"),
    ("oidc", LOGIN, "stateCookie: {maxAge: 600}", "stateCookie: {maxAge: 60}"),
    ("oidc", LOGIN, "stateCookie: {sameSite: lax}", "stateCookie: {sameSite: none}"),
    ("oidc", LOGIN, "stateCookie: {httpOnly: true}", "stateCookie: {httpOnly: false}"),
    ("oidc", LOGIN, "", "stateCookie: {secure: true}"),
    ("oidc", LOGIN, "", "session: {name: session}"),
    ("oidc", LOGIN, "session: {path: /}", "session: {path: /app}"),
    ("oidc", LOGIN, "", "session: {domain: a.test}"),
    ("oidc", LOGIN, "session: {expiry: 86400}", "session: {expiry: 60}"),
    ("oidc", LOGIN, "session: {sliding: true}", "session: {sliding: false}"),
    ("oidc", LOGIN, "session: {refresh: true}", "session: {refresh: false}"),
    ("oidc", LOGIN, "session: {sameSite: lax}", "session: {sameSite: strict}"),
    ("oidc", LOGIN, "session: {httpOnly: true}", "session: {httpOnly: false}"),
    ("oidc", LOGIN, "", "session: {secure: true}"),
];

/// Others of which one is in any case: each is another middleware than all before.
const INSTEAD: &[(&str, &str)] = &[
    ("apiKey", KEY),
    (
        "apiKey",
        "keySource: {header: X-Key, headerAuthScheme: Bearer}, secretValues: ['{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=']",
    ),
    ("apiKey", "keySource: {query: key}, secretValues: ['{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=']"),
    ("apiKey", "keySource: {cookie: key}, secretValues: ['{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=']"),
    ("apiKey", "keySource: {cookie: key}, secretValues: ['{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=']"),
    ("jwt", TOKEN),
    ("jwt", KEYS),
    (
        "jwt",
        "jwksFile: '{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}'",
    ),
    ("hmac", SIGNED),
    ("hmac", "keys: [{id: b, key: secret}]"),
    ("oidc", LOGIN),
];

/// What is not carried out is refused, and by name.
const MISSING: &[(&str, &str, &str)] = &[
    ("oidc", LOGIN, "disableIssuerCheck: true"),
    ("oidc", LOGIN, "backchannelLogoutUrl: /out"),
    ("oidc", LOGIN, "backchannelLogoutUrl: /out, backchannelLogoutSessionsRequired: true"),
    ("oidc", LOGIN, "session: {store: {redis: {endpoints: ['a:1']}}}"),
    ("oidc", LOGIN, "csrf: {secure: true, headerName: Hub-Csrf-Token}"),
];

fn lowered_as(kind: &str, fields: &str) -> Lowered {
    let head = "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {name: m}\nspec:\n";
    lowered(&format!("{head}  plugin: {{{kind}: {{{fields}}}}}\n"))
}

fn with(usual: &str, option: &str) -> String {
    if option.is_empty() { usual.to_owned() } else { format!("{usual}, {option}") }
}

fn made(kind: &str, fields: &str) -> Filter {
    let lowered = lowered_as(kind, fields);
    assert!(lowered.diagnostics.is_empty(), "{kind}: {fields} {:?}", lowered.diagnostics);
    let [Item::Filter(draft)] = &lowered.items[..] else { panic!("{kind}: {fields}") };
    draft.filter.clone()
}

#[test]
fn each_option_makes_a_difference_and_has_its_default() {
    for (kind, usual, default, other) in OPTIONS {
        let bare = made(kind, usual);
        assert_eq!(made(kind, &with(usual, default)), bare, "{kind}: {default}");
        if !other.is_empty() {
            assert_ne!(made(kind, &with(usual, other)), bare, "{kind}: {other}");
        }
    }
    let all: Vec<Filter> = INSTEAD.iter().map(|(kind, fields)| made(kind, fields)).collect();
    for (at, (kind, fields)) in INSTEAD.iter().enumerate() {
        assert!(!all[..at].contains(&all[at]), "{kind}: {fields}");
    }
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    for (kind, usual, option) in MISSING {
        let lowered = lowered_as(kind, &with(usual, option));
        let found: Vec<_> = lowered.diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(found, [codes::FIELD_NOT_HONOURED], "{kind}: {option}");
        assert!(lowered.items.is_empty(), "{kind}: {option}");
    }
}
