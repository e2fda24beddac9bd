//! What a token says of who has logged in (OpenID Connect Core 1.0 §2, §3.1.3.7): by whom, for
//! whom, for which login.

use serde_json::Value;

use crate::claims::{Claims, LEEWAY};
use crate::token::object;

/// What an ID token must say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdentityTerms<'t> {
    /// By whom it is, to the letter.
    pub issuer: &'t str,
    /// For whom.
    pub client: &'t str,
    /// For which login; none where it need not say.
    pub nonce: Option<&'t str>,
    /// Who it is, where that is known: who is logged in stays who it is.
    pub subject: Option<&'t str>,
}

/// Why an ID token is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityFault {
    /// It is by another issuer.
    Issuer,
    /// It is for others, or for others too and not said to be for us (`azp`).
    Audience,
    /// It does not say who it is, or it is somebody else.
    Subject,
    /// It is of another login.
    Nonce,
    /// It does not say how long it is good, or since when.
    Timeless,
    /// It is from the future.
    Early,
}

impl Claims {
    /// Whether they are of who has logged in; `now` is in seconds since 1970, and clocks may differ
    /// by a minute. The token they are of was verified.
    ///
    /// # Errors
    /// When they are not.
    pub fn identify(&self, terms: &IdentityTerms<'_>, now: i64) -> Result<(), IdentityFault> {
        if self.said("iss") != Some(terms.issuer) {
            return Err(IdentityFault::Issuer);
        }
        if !self.is_for(terms.client) {
            return Err(IdentityFault::Audience);
        }
        let subject = self.subject().ok_or(IdentityFault::Subject)?;
        if terms.subject.is_some_and(|known| known != subject) {
            return Err(IdentityFault::Subject);
        }
        if terms.nonce.is_some() && self.said("nonce") != terms.nonce {
            return Err(IdentityFault::Nonce);
        }
        let time = |name: &str| self.time(name).ok().flatten().ok_or(IdentityFault::Timeless);
        time("exp")?;
        let is_early = time("iat")? > now.saturating_add(LEEWAY);
        if is_early { Err(IdentityFault::Early) } else { Ok(()) }
    }

    /// Who it is (`sub`), as the issuer calls him.
    pub fn subject(&self) -> Option<&str> {
        self.said("sub").filter(|subject| !subject.is_empty())
    }

    /// What a token says that was verified before, and kept where nobody could change it.
    pub fn of_kept(token: &str) -> Option<Self> {
        object(token.split('.').nth(1)?).ok().map(Self)
    }

    fn said(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn is_for(&self, client: &str) -> bool {
        let is_by_us = self.said("azp") == Some(client);
        let is_said = self.0.contains_key("azp");
        match self.0.get("aud") {
            Some(Value::String(one)) => one == client && (is_by_us || !is_said),
            Some(Value::Array(all)) => {
                let is_one = all.iter().any(|it| it.as_str() == Some(client));
                is_one && (is_by_us || !is_said && all.len() == 1)
            }
            _ => false,
        }
    }
}

impl IdentityFault {
    /// The same in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Issuer => "the ID token is by another issuer",
            Self::Audience => "the ID token is for another client",
            Self::Subject => "the ID token does not say who it is, or it is somebody else",
            Self::Nonce => "the ID token is of another login",
            Self::Timeless => "the ID token does not say how long it is good",
            Self::Early => "the ID token is from the future",
        }
    }
}
