//! Filters that Traefik sells or has not: who may pass, by which type and options, and never by
//! which secrets.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use steelyard_model::discretion::{HIDDEN, shown_url};
use steelyard_model::routing::claims::{ClaimPath, ClaimRule};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::key::KeyAuth;
use steelyard_model::routing::filter::login::{LoginAuth, LoginCookie};
use steelyard_model::routing::filter::token::{SignatureAuth, TokenAuth, TokenKeys};
use steelyard_model::routing::rule::Rule;

use crate::names::filter;
use crate::shape::{clients, trimmed};

/// Its type and its options; none where it is another one.
pub(crate) fn shape(filter_of: &Filter) -> Option<(&'static str, Value)> {
    Some(match filter_of {
        Filter::AnyOf(members) => {
            let members: Vec<String> = members.iter().map(filter).collect();
            ("anyOf", json!({ "middlewares": members }))
        }
        // What is written is what it is not for.
        Filter::When(rule, inner) => {
            let exempted = match rule {
                Rule::Not(exempted) => exempted.to_string(),
                other => other.clone().negated().to_string(),
            };
            ("unless", json!({ "match": exempted, "middleware": filter(inner) }))
        }
        Filter::RefuseAddresses(refused) => ("ipDenyList", clients(refused)),
        Filter::ApiKey(auth) => ("apiKey", keys(auth)),
        Filter::Token(auth) => ("jwt", token(auth)),
        Filter::Signature(auth) => ("hmac", signature(auth)),
        Filter::Login(auth) => ("oidc", login(auth)),
        _ => return None,
    })
}

/// As many words in the place of secrets as there are.
fn hidden(count: usize) -> Vec<&'static str> {
    vec![HIDDEN; count]
}

fn keys(auth: &KeyAuth) -> Value {
    let source = json!({
        "header": auth.header,
        "headerAuthScheme": auth.scheme,
        "query": auth.parameter,
        "cookie": auth.cookie,
    });
    json!({
        "keySource": trimmed(source),
        "secretNonBase64Encoded": !auth.is_encoded,
        "secretValues": hidden(auth.hashes.len()),
    })
}

fn token(auth: &TokenAuth) -> Value {
    let (by, how) = match &auth.keys {
        TokenKeys::Secret(_) | TokenKeys::Kept(_) => ("signingSecret", HIDDEN.to_owned()),
        // What should be public need not be.
        TokenKeys::Public(_) => ("publicKey", HIDDEN.to_owned()),
        TokenKeys::Set(_) => ("jwksFile", HIDDEN.to_owned()),
        TokenKeys::Address(address) => ("jwksUrl", shown_url(&address.url.to_string())),
    };
    let mut shape = trimmed(json!({
        "tokenKey": auth.parameter,
        "forwardAuthorization": auth.is_passed_on,
        "claims": auth.claims.as_ref().map(ClaimRule::to_string),
        "usernameClaim": auth.user.as_ref().map(ClaimPath::to_string),
        "forwardHeaders": told(&auth.told),
    }));
    shape[by] = how.into();
    shape
}

fn signature(auth: &SignatureAuth) -> Value {
    let keys: Vec<Value> =
        auth.secrets.iter().map(|(name, _)| json!({ "id": name, "key": HIDDEN })).collect();
    json!({
        "keys": keys,
        "validateDigest": auth.checks_digest,
        "enforcedHeaders": auth.enforced,
    })
}

fn login(auth: &LoginAuth) -> Value {
    let (issuer, places) = (&auth.issuer, &auth.places);
    trimmed(json!({
        "issuer": shown_url(&issuer.url.to_string()),
        "trustedIssuer": issuer.name,
        "clientId": HIDDEN,
        "clientSecret": auth.client.secret.as_ref().map(|_| HIDDEN),
        "scopes": auth.scopes,
        "pkce": auth.has_proof,
        "redirectUrl": places.back,
        "loginUrl": places.login,
        "disableLogin": places.has_no_login,
        "logoutUrl": places.logout,
        "postLoginRedirectUrl": places.after_login,
        "postLogoutRedirectUrl": places.after_logout,
        "claims": auth.claims.as_ref().map(ClaimRule::to_string),
        "usernameClaim": auth.user.as_ref().map(ClaimPath::to_string),
        "forwardHeaders": told(&auth.told),
        "stateCookie": kept(&auth.state, "maxAge", json!({})),
        "session": kept(&auth.session, "expiry", json!({
            "sliding": auth.is_sliding,
            "refresh": auth.is_renewed,
            "secret": auth.sealing.as_ref().map(|_| HIDDEN),
        })),
    }))
}

/// What browsers keep, for so many seconds.
fn kept(cookie: &LoginCookie, seconds: &str, more: Value) -> Value {
    let mut shape = json!({
        "name": cookie.name,
        "path": cookie.path,
        "domain": cookie.domain,
        "httpOnly": cookie.is_hidden,
        "secure": cookie.is_secure,
    });
    shape[seconds] = cookie.seconds.into();
    if let (Value::Object(all), Value::Object(more)) = (&mut shape, more) {
        all.extend(more);
    }
    trimmed(shape)
}

/// Lines, and the claims that they are told of.
fn told(lines: &[(Arc<str>, ClaimPath)]) -> Value {
    let lines = lines.iter().map(|(name, path)| (name.to_string(), path.to_string().into()));
    Value::Object(lines.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use steelyard_model::routing::asked::AskedUrl;
    use steelyard_model::routing::claims::ClaimTest;
    use steelyard_model::routing::cookie::SameSite;
    use steelyard_model::routing::filter::login::{
        LoginClient, LoginIssuer, LoginPlaces, SecretText,
    };
    use steelyard_model::routing::matcher::Matcher;
    use steelyard_model::routing::pattern::HostPattern;

    use super::*;

    fn ops() -> Option<ClaimRule> {
        Some(ClaimRule::Claim(ClaimPath::read("groups"), ClaimTest::Contains("ops".into())))
    }

    fn cookie(seconds: u64) -> LoginCookie {
        let (path, same_site) = ("/".into(), SameSite::Lax);
        let (name, domain, is_secure) = (None, None, None);
        LoginCookie { name, path, domain, seconds, same_site, is_hidden: true, is_secure }
    }

    fn oidc() -> Filter {
        let url = AskedUrl::read("https://id.test").expect("an URL");
        let text = |text: &str| SecretText::Known(text.as_bytes().into());
        let (after_login, after_logout, login) = (None, Some("/bye".into()), None);
        let (back, logout, has_no_login) = ("/back".into(), Some("/logout".into()), false);
        Filter::Login(Box::new(LoginAuth {
            issuer: LoginIssuer {
                url: url.clone(),
                name: "https://id.test".into(),
                parameters: vec![("x".into(), "a secret".into())],
                origins: vec![(url, "issuer".into())],
                tls: None,
                patience: Duration::from_secs(5),
                retries: 3,
            },
            client: LoginClient { id: text("a secret"), secret: Some(text("a secret")) },
            sealing: Some(text("a secret")),
            scopes: vec!["openid".into()],
            parameters: vec![("x".into(), "a secret".into())],
            has_proof: true,
            places: LoginPlaces { back, login, has_no_login, logout, after_login, after_logout },
            state: cookie(600),
            session: cookie(86_400),
            is_sliding: true,
            is_renewed: false,
            claims: ops(),
            user: Some(ClaimPath::read("sub")),
            told: vec![("X-User".into(), ClaimPath::read("sub"))],
        }))
    }

    /// Filters, their types, and some of what is shown of each.
    fn filters() -> Vec<(Filter, &'static str, Vec<&'static str>)> {
        let host = Rule::One(Matcher::Host(HostPattern::Exact("a.b".into())));
        let token = |keys| TokenAuth {
            keys,
            parameter: Some("tok".into()),
            claims: ops(),
            user: None,
            told: vec![("X-User".into(), ClaimPath::read("sub"))],
            is_passed_on: false,
        };
        let secret = || TokenKeys::Secret((*b"a secret").into());
        let of_key = KeyAuth {
            header: Some("X-Api-Key".into()),
            scheme: None,
            parameter: None,
            cookie: None,
            is_encoded: false,
            hashes: vec!["a secret".into(), "a secret".into()],
        };
        let signed = SignatureAuth {
            secrets: vec![("ann".into(), (*b"a secret").into())],
            checks_digest: true,
            enforced: vec!["date".into()],
        };
        vec![
            (
                Filter::AnyOf(vec!["a@file".into(), "b@file".into()]),
                "anyOf",
                vec!["a@file", "b@file"],
            ),
            (
                Filter::When(host.clone().negated(), "a@file".into()),
                "unless",
                vec![r#""match":"Host(`a.b`)""#, r#""middleware":"a@file""#],
            ),
            (Filter::When(host, "a@file".into()), "unless", vec!["!Host(`a.b`)"]),
            (Filter::ApiKey(of_key), "apiKey", vec!["X-Api-Key", r#"["xxxx","xxxx"]"#]),
            (
                Filter::Token(Box::new(token(secret()))),
                "jwt",
                vec![r#""signingSecret":"xxxx""#, "Contains(`groups`, `ops`)", "tok", "X-User"],
            ),
            (
                Filter::Token(Box::new(token(TokenKeys::Set("a secret".into())))),
                "jwt",
                vec![r#""jwksFile":"xxxx""#],
            ),
            (Filter::Signature(signed), "hmac", vec![r#""id":"ann""#, "date"]),
            (oidc(), "oidc", vec!["https://id.test", "/logout", r#""expiry":86400"#, "X-User"]),
        ]
    }

    #[test]
    fn who_may_pass_is_shown_by_type_and_options_and_no_secret_is() {
        for (filter, expected, parts) in filters() {
            let (kind, options) = shape(&filter).expect("a shape");
            let text = options.to_string().replace(HIDDEN, "xxxx");
            assert_eq!(kind, expected);
            assert!(!text.contains("a secret"), "{text}");
            assert!(parts.iter().all(|part| text.contains(part)), "{kind}: {text}");
        }
    }
}
