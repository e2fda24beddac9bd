//! What is asked of an issuer's token endpoint, and what it gives (RFC 6749 §4.1.3, §5, §6; OpenID
//! Connect Core 1.0 §3.1.3, §12).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::url::{encoded, form};

/// Bytes of an answer, at most.
const LARGEST: usize = 64 << 10;
/// Seconds a grant is good for that does not say, and at most.
const USUAL: u64 = 300;
const MOST: u64 = 30 * 24 * 3600;

/// Who we are to the issuer.
#[derive(Clone, PartialEq, Eq)]
pub struct Client<'c> {
    /// What we are called there.
    pub id: &'c str,
    /// What proves it; none where we have no secret with the issuer.
    pub secret: Option<&'c str>,
    /// It is written into the body, and not into a line.
    pub is_in_body: bool,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TokenRequest<'r> {
    /// A token for a code.
    Code {
        /// The code.
        code: &'r str,
        /// Where it came, to the letter.
        redirect: &'r str,
        /// Who has begun it; none where that was not told.
        verifier: Option<&'r str>,
    },
    /// Another for one that is over.
    Renewal {
        /// What it is given for.
        token: &'r str,
    },
}

/// What an issuer gives.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who it is; none where that is as before.
    pub token: Option<String>,
    /// What is given when it is over.
    pub renewal: Option<String>,
    /// For how many seconds it is good.
    pub lasts: u64,
}

/// Why there is no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantFault {
    /// The issuer refuses it for good (RFC 6749 §5.2, `invalid_grant`).
    Over,
    /// It does not know us, or what we are to be given.
    Refused,
    /// It cannot answer now.
    Away,
    /// Its answer cannot be read.
    Unreadable,
}

impl TokenRequest<'_> {
    /// The form that is sent, and the value of `Authorization` that goes with it, if any.
    pub fn written(&self, client: &Client<'_>) -> (String, Option<String>) {
        let mut pairs = match *self {
            Self::Code { code, redirect, verifier } => {
                let mut pairs = vec![("grant_type", "authorization_code"), ("code", code)];
                pairs.push(("redirect_uri", redirect));
                pairs.extend(verifier.map(|it| ("code_verifier", it)));
                pairs
            }
            Self::Renewal { token } => {
                vec![("grant_type", "refresh_token"), ("refresh_token", token)]
            }
        };
        let Some(secret) = client.secret else {
            pairs.push(("client_id", client.id));
            return (form(pairs), None);
        };
        if client.is_in_body {
            pairs.extend([("client_id", client.id), ("client_secret", secret)]);
            return (form(pairs), None);
        }
        let pair = format!("{}:{}", encoded(client.id), encoded(secret));
        (form(pairs), Some(format!("Basic {}", STANDARD.encode(pair))))
    }
}

impl Grant {
    /// Reads what is answered.
    ///
    /// # Errors
    /// When nothing is given.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, GrantFault> {
        if body.len() > LARGEST {
            return Err(GrantFault::Unreadable);
        }
        let answer: Option<Value> = serde_json::from_slice(body).ok();
        let text = |name: &str| answer.as_ref()?.get(name)?.as_str().map(str::to_owned);
        match status {
            200 => {}
            400..=403 => {
                let is_over = text("error").as_deref() == Some("invalid_grant");
                return Err(if is_over { GrantFault::Over } else { GrantFault::Refused });
            }
            _ => return Err(GrantFault::Away),
        }
        if !answer.as_ref().is_some_and(Value::is_object) {
            return Err(GrantFault::Unreadable);
        }
        let lasts = answer.as_ref().and_then(|it| it.get("expires_in")?.as_u64());
        Ok(Self {
            token: text("id_token"),
            renewal: text("refresh_token").filter(|token| !token.is_empty()),
            lasts: lasts.unwrap_or(USUAL).clamp(1, MOST),
        })
    }
}

impl GrantFault {
    /// The same in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Over => "the issuer gives nothing for this any more",
            Self::Refused => "the issuer refuses us",
            Self::Away => "the issuer does not answer",
            Self::Unreadable => "what the issuer answers cannot be read",
        }
    }
}

impl fmt::Display for GrantFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}
