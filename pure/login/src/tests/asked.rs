//! What issuers are asked, and what of their answers is believed.

use steelyard_model::routing::asked::AskedUrl;

use crate::{
    Client, Grant, GrantFault, ProviderDocument, ProviderFault, TokenRequest, document_target,
};

const ISSUER: &str = "https://id.test/realm";

/// A document that is believed, with `part` in the place of what there is of it.
fn document(from: &str, to: &str) -> String {
    format!(
        r#"{{"issuer":"{ISSUER}","authorization_endpoint":"https://id.test/auth",
        "token_endpoint":"https://id.test/token","jwks_uri":"https://id.test/keys",
        "end_session_endpoint":"https://id.test/end"}}"#
    )
    .replace(from, to)
}

#[test]
fn issuers_are_believed_about_themselves() {
    let read = |text: &str| ProviderDocument::read(text.as_bytes(), ISSUER);
    let whole = read(&document("", "")).unwrap();
    assert_eq!(whole.login, "https://id.test/auth");
    assert_eq!(whole.token.to_string(), "https://id.test/token");
    assert_eq!(whole.keys.to_string(), "https://id.test/keys");
    assert_eq!(whole.logout.as_deref(), Some("https://id.test/end"));
    assert!(!whole.takes_secret_in_body && !whole.says_issuer);
    for (from, to, fault) in [
        (ISSUER, "https://id.test/realm/", ProviderFault::OtherIssuer),
        (ISSUER, "https://ID.test/realm", ProviderFault::OtherIssuer),
        (r#""issuer""#, r#""x""#, ProviderFault::OtherIssuer),
        ("token_endpoint", "x", ProviderFault::Place),
        ("jwks_uri", "x", ProviderFault::Place),
        ("https://id.test/auth", "javascript:alert(1)", ProviderFault::Place),
        ("https://id.test/auth", r"https://id.test/\r\nX: y", ProviderFault::Place),
        ("https://id.test/keys", "file:///etc/passwd", ProviderFault::Place),
        ("{", "[", ProviderFault::Unreadable),
    ] {
        assert_eq!(read(&document(from, to)), Err(fault), "{to}");
        assert!(!fault.to_string().is_empty());
    }
    let large = format!("{}{}", document("", ""), " ".repeat(256 << 10));
    assert_eq!(read(&large), Err(ProviderFault::Unreadable));
    assert_eq!(read(&document("https://id.test/end", "javascript:x")).unwrap().logout, None);
    for (methods, in_body) in [
        (r#"["client_secret_post"]"#, true),
        (r#"["client_secret_post","client_secret_basic"]"#, false),
        (r#"["private_key_jwt"]"#, false),
        ("7", false),
    ] {
        let more = format!(r#"{{"token_endpoint_auth_methods_supported":{methods},"#);
        let said = r#""authorization_response_iss_parameter_supported":true,"#;
        let read = read(&document("{", &format!("{more}{said}"))).unwrap();
        assert_eq!((read.takes_secret_in_body, read.says_issuer), (in_body, true), "{methods}");
    }
}

#[test]
fn where_documents_are() {
    let more = [("p".to_owned(), "a b".to_owned())];
    for (issuer, more, target) in [
        ("https://id.test", &[][..], "/.well-known/openid-configuration"),
        ("https://id.test/", &[], "/.well-known/openid-configuration"),
        ("https://id.test/a/", &more, "/a/.well-known/openid-configuration?p=a%20b"),
    ] {
        assert_eq!(document_target(&AskedUrl::read(issuer).unwrap(), more), target);
    }
}

#[test]
fn requests_say_who_we_are() {
    let code = TokenRequest::Code { code: "c/1", redirect: "https://a/b", verifier: Some("v") };
    let plain = TokenRequest::Code { code: "c", redirect: "r", verifier: None };
    let renewal = TokenRequest::Renewal { token: "r&t" };
    let basic = Client { id: "a b", secret: Some("s:ö"), is_in_body: false };
    let body = Client { is_in_body: true, ..basic.clone() };
    let public = Client { secret: None, ..body.clone() };
    for (request, client, form, line) in [
        (
            code,
            &basic,
            "grant_type=authorization_code&code=c%2F1&redirect_uri=https%3A%2F%2Fa%2Fb\
             &code_verifier=v",
            Some("Basic YSUyMGI6cyUzQSVDMyVCNg=="),
        ),
        (
            plain,
            &public,
            "grant_type=authorization_code&code=c&redirect_uri=r&client_id=a%20b",
            None,
        ),
        (
            renewal,
            &body,
            "grant_type=refresh_token&refresh_token=r%26t&client_id=a%20b&client_secret=s%3A%C3%B6",
            None,
        ),
    ] {
        assert_eq!(request.written(client), (form.to_owned(), line.map(str::to_owned)));
    }
}

#[test]
fn what_issuers_give() {
    let grant = |token: Option<&str>, renewal: Option<&str>, lasts| Grant {
        token: token.map(str::to_owned),
        renewal: renewal.map(str::to_owned),
        lasts,
    };
    for (status, body, expected) in [
        (
            200,
            r#"{"id_token":"t","refresh_token":"r","expires_in":60}"#,
            Ok(grant(Some("t"), Some("r"), 60)),
        ),
        (200, r#"{"refresh_token":"","expires_in":0}"#, Ok(grant(None, None, 1))),
        (200, r#"{"id_token":7,"expires_in":"9"}"#, Ok(grant(None, None, 300))),
        (200, r#"{"expires_in":18446744073709551615}"#, Ok(grant(None, None, 2_592_000))),
        (200, "[]", Err(GrantFault::Unreadable)),
        (200, "", Err(GrantFault::Unreadable)),
        (400, r#"{"error":"invalid_grant"}"#, Err(GrantFault::Over)),
        (400, r#"{"error":"invalid_request"}"#, Err(GrantFault::Refused)),
        (401, "", Err(GrantFault::Refused)),
        (429, r#"{"error":"invalid_grant"}"#, Err(GrantFault::Away)),
        (302, "", Err(GrantFault::Away)),
        (503, "", Err(GrantFault::Away)),
    ] {
        let read = Grant::read(status, body.as_bytes());
        assert!(read == expected, "{status} {body}: {:?}", read.err());
    }
    let large = format!("{{}}{}", " ".repeat(64 << 10));
    assert!(Grant::read(200, large.as_bytes()) == Err(GrantFault::Unreadable));
    let faults = [GrantFault::Over, GrantFault::Refused, GrantFault::Away, GrantFault::Unreadable];
    assert!(faults.iter().all(|fault| !fault.to_string().is_empty()));
}
