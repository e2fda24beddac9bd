//! Login at an OpenID provider (OpenID Connect Core 1.0, OAuth 2.0 with PKCE: RFC 6749, 7636,
//! 9207), as values and functions: what is sent to the issuer and what of its answers is believed,
//! what a browser keeps meanwhile, and where it is led.
//!
//! Nothing is kept here from request to request. What a browser keeps is sealed, so that it can
//! neither be read nor made up, for one filter and one purpose each ([`Keys`]); what the issuer
//! brings back (`state`) too. A browser has one secret for all its tabs, from which proof and nonce
//! of each login are derived, so that nobody else can end a login that it has begun ([`Trip`]).
//!
//! Invariants: input of any content ends in a value, and is bounded before it is decoded; a browser
//! is led to paths of the same site alone ([`return_path`]); what is secret is in no `Debug`.

mod bytes;
mod cookies;
mod exercise;
mod grant;
mod page;
mod provider;
mod seal;
mod session;
mod target;
mod trip;
mod url;

#[cfg(test)]
mod tests;

pub use cookies::{CookieRule, Jar, MOST_BYTES, MOST_PIECES};
pub use exercise::exercise;
pub use grant::{Client, Grant, GrantFault, TokenRequest};
pub use page::{LoginPage, Onward, resent_later, sent_again};
pub use provider::{ProviderDocument, ProviderFault, document_target};
pub use seal::{Keys, KeysFault, Purpose};
pub use session::{Renewal, Session};
pub use target::{LONGEST_TARGET, return_path};
pub use trip::{BrowserSecret, Trip};
pub use url::{Parameters, form, with_query};
