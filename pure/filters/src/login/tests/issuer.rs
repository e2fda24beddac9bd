//! An issuer that is played.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use steelyard_login::{Parameters, Trip, form};

use super::CLOCK;
use crate::ask::Letter;
use crate::response::Response;

/// How it answers.
pub(super) struct Issuer {
    key: Ed25519KeyPair,
    /// Codes that were not taken yet: nonce and proof of each.
    codes: RefCell<BTreeMap<String, (String, String)>>,
    count: Cell<u64>,
    /// What is given for a renewal, once.
    pub(super) renewal: RefCell<Option<String>>,
    /// It does not answer.
    pub(super) is_away: Cell<bool>,
    /// How many it does not hear before it answers.
    pub(super) misses: Cell<u8>,
    /// What is given for a renewal stays the same.
    pub(super) is_lasting: Cell<bool>,
    /// Renewals are refused.
    pub(super) is_over: Cell<bool>,
    /// The token's head and body are changed so: from, to.
    pub(super) changed: RefCell<Vec<(&'static str, &'static str)>>,
    /// So is what it says of itself.
    pub(super) said: RefCell<Vec<(&'static str, &'static str)>>,
    /// Its keys' name.
    pub(super) kid: Cell<&'static str>,
    /// The signature is by nobody.
    pub(super) is_unsigned: Cell<bool>,
    /// More members of the token.
    pub(super) more: RefCell<String>,
}

impl Issuer {
    pub(super) fn new() -> Self {
        Self {
            key: Ed25519KeyPair::generate().unwrap(),
            codes: RefCell::default(),
            count: Cell::new(0),
            renewal: RefCell::default(),
            is_away: Cell::new(false),
            misses: Cell::new(0),
            is_lasting: Cell::new(false),
            is_over: Cell::new(false),
            changed: RefCell::default(),
            said: RefCell::default(),
            kid: Cell::new("k1"),
            is_unsigned: Cell::new(false),
            more: RefCell::default(),
        }
    }

    /// Somebody logs in: where the browser is led back to.
    pub(super) fn logs_in(&self, location: &str) -> String {
        let asked = Parameters::read(location.split_once('?').unwrap().1);
        let said = |name: &str| asked.get(name).unwrap().to_owned();
        assert_eq!(
            [said("response_type"), said("client_id"), said("scope"), said("prompt")],
            ["code", "us", "openid groups", "login"]
        );
        assert_eq!(said("code_challenge_method"), "S256");
        let count = self.count.get() + 1;
        self.count.set(count);
        let code = format!("code{count}");
        let kept = (said("nonce"), said("code_challenge"));
        self.codes.borrow_mut().insert(code.clone(), kept);
        let back = said("redirect_uri");
        assert_eq!(back, "https://app.test/back");
        let iss = "https://id.test";
        format!("/back?{}", form([("code", &*code), ("state", &said("state")), ("iss", iss)]))
    }

    pub(super) fn answer(&self, letter: &Letter) -> Option<Response> {
        if let Some(left) = self.misses.get().checked_sub(1) {
            self.misses.set(left);
            return None;
        }
        if self.is_away.get() {
            return None;
        }
        let body = match &*letter.target {
            "/.well-known/openid-configuration" => self.document(),
            "/keys" => {
                let x = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
                let kid = self.kid.get();
                format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}]}}"#)
            }
            "/token" => return Some(self.gives(letter)),
            other => panic!("{other}"),
        };
        Some(Response { status: 200, lines: Vec::new(), body: body.into() })
    }

    fn document(&self) -> String {
        let mut document = r#"{"issuer":"https://id.test",
            "authorization_endpoint":"https://id.test/auth","token_endpoint":"https://id.test/token",
            "jwks_uri":"https://id.test/keys","end_session_endpoint":"https://id.test/end",
            "authorization_response_iss_parameter_supported":true}"#
            .to_owned();
        for (from, to) in self.said.borrow().iter() {
            document = document.replace(from, to);
        }
        document
    }

    fn gives(&self, letter: &Letter) -> Response {
        let authorization = letter.lines.added().find(|(name, _)| *name == "Authorization");
        assert!(authorization.is_some_and(|(_, value)| value.starts_with(b"Basic ")));
        let asked = Parameters::read(str::from_utf8(&letter.body).unwrap());
        let refused = || Response {
            status: 400,
            lines: Vec::new(),
            body: r#"{"error":"invalid_grant"}"#.into(),
        };
        let nonce = match asked.get("grant_type") {
            Some("authorization_code") => {
                let kept = self.codes.borrow_mut().remove(asked.get("code").unwrap());
                let proof = Trip::challenge(asked.get("code_verifier").unwrap());
                match kept.filter(|(_, challenge)| *challenge == proof) {
                    Some((nonce, _)) => nonce,
                    None => return refused(),
                }
            }
            _ => {
                let is_it = self.renewal.borrow().as_deref() == asked.get("refresh_token");
                if !is_it || self.is_over.get() {
                    return refused();
                }
                String::new()
            }
        };
        let count = if self.is_lasting.get() { 0 } else { self.count.get() + 1 };
        self.count.set(self.count.get().max(count));
        *self.renewal.borrow_mut() = Some(format!("renewal{count}"));
        let token = self.token(&nonce);
        let body = format!(
            r#"{{"id_token":"{token}","refresh_token":"renewal{count}","expires_in":300}}"#
        );
        Response { status: 200, lines: Vec::new(), body: body.into() }
    }

    fn token(&self, nonce: &str) -> String {
        let (now, kid) = (CLOCK.get(), self.kid.get());
        let mut head = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
        let mut body = format!(
            r#"{{"iss":"https://id.test","aud":"us","sub":"ann","nonce":"{nonce}","iat":{now},
            "exp":{},"groups":["ops"]{}}}"#,
            now + 300,
            self.more.borrow()
        );
        for (from, to) in self.changed.borrow().iter() {
            (head, body) = (head.replace(from, to), body.replace(from, to));
        }
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", part(&head), part(&body));
        let signature = match self.is_unsigned.get() {
            true => String::new(),
            false => URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes())),
        };
        format!("{message}.{signature}")
    }
}
