//! Middlewares that ask for tokens and signatures, as Traefik Hub spells them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::FieldPath;
use steelyard_model::filter_draft::SecretPurpose;
use steelyard_model::routing::claims::{ClaimPath, ClaimRule};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::FilterTls;
use steelyard_model::routing::filter::token::{KeyAddress, SignatureAuth, TokenAuth, TokenKeys};
use steelyard_tokens::{KeyFault, KeyRing};

use super::{Making, Reader, is, text};
use crate::codes;
use crate::traefik::rule;

/// What a secret's place in a Secret begins with.
const SECRET_URN: &str = "urn:k8s:secret:";

impl Reader<'_, '_> {
    /// A program of somebody else, or what is built in under its name.
    pub(super) fn plugin(
        &mut self,
        it: &written::PluginSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        if let [first, second, ..] = it.names.as_slice() {
            self.findings.exclusive(&path.key(second), &path.key(first));
            return None;
        }
        if let Some(timeouts) = &it.timeouts {
            return self.timeouts(timeouts, &path.key("timeouts"));
        }
        if let Some(jwt) = &it.jwt {
            self.token(jwt, &path.key("jwt"), making)
        } else if let Some(hmac) = &it.hmac {
            self.signature(hmac, &path.key("hmac"))
        } else if let Some(oidc) = &it.oidc {
            self.login(oidc, &path.key("oidc"), making)
        } else if let Some(key) = &it.api_key {
            self.api_key(key, &path.key("apiKey"), making)
        } else if let Some(list) = &it.ip_deny_list {
            let denied = self.clients_of(list, &path.key("ipDenyList"), "name whom to keep out")?;
            Some(Filter::RefuseAddresses(denied))
        } else if let Some(any) = &it.any_of {
            self.chained(any, &path.key("anyOf"), making)?;
            Some(Filter::AnyOf(Vec::new()))
        } else if let Some(unless) = &it.unless {
            self.unless(unless, &path.key("unless"), making)
        } else {
            Some(Filter::Plugin(it.names.first().map_or("", String::as_str).into()))
        }
    }

    fn token(
        &mut self,
        it: &written::JwtSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        let keys = self.token_keys(it, path, making)?;
        let claims = match text(it.claims.as_ref()) {
            Some(text) => Some(self.claim_rule(&text, &path.key("claims"))?),
            None => None,
        };
        let told = self.told(it.forward_headers.as_ref(), &path.key("forwardHeaders"))?;
        Some(Filter::Token(Box::new(TokenAuth {
            keys,
            parameter: text(it.token_key.as_ref()),
            claims,
            user: text(it.username_claim.as_ref()).map(|claim| ClaimPath::read(&claim)),
            told,
            is_passed_on: is(it.forward_authorization),
        })))
    }

    /// Where keys come from: one place.
    fn token_keys(
        &mut self,
        it: &written::JwtSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<TokenKeys> {
        let places = [
            ("signingSecret", &it.signing_secret),
            ("publicKey", &it.public_key),
            ("jwksFile", &it.jwks_file),
            ("jwksUrl", &it.jwks_url),
        ];
        let mut there =
            places.into_iter().filter_map(|(name, value)| Some((name, text(value.as_ref())?)));
        let Some((name, value)) = there.next() else {
            let help = "write signingSecret, publicKey, jwksFile or jwksUrl";
            self.findings.missing(path, help);
            return None;
        };
        let at = path.key(name);
        if let Some((other, _)) = there.next() {
            self.findings.exclusive(&path.key(other), &at);
            return None;
        }
        let keys = match name {
            "signingSecret" => return self.signing_secret(it, &value, &at, making),
            "publicKey" => KeyRing::public(&value).map(|_| TokenKeys::Public(value)),
            "jwksFile" => KeyRing::set(value.as_bytes()).map(|_| TokenKeys::Set(value)),
            _ => return self.key_address(it, &value, (path, &at), making),
        };
        self.usable(keys, &at)
    }

    /// Where the issuer has its keys.
    fn key_address(
        &mut self,
        it: &written::JwtSpec,
        value: &str,
        (path, at): (&FieldPath, &FieldPath),
        making: &mut Making<'_>,
    ) -> Option<TokenKeys> {
        let url = self.asked_url(value, at)?;
        let usual = written::ClientConfigSpec::default();
        let (it, path) = (it.client_config.as_ref().unwrap_or(&usual), path.key("clientConfig"));
        let tls = it.tls.as_ref().map(|tls| self.client_tls(tls, &path.key("tls"), making));
        let at = path.key("timeoutSeconds");
        let seconds = self.findings.within(&at, Some(it.timeout_seconds.unwrap_or(5)), 1..=60)?;
        let at = path.key("maxRetries");
        let retries = self.findings.within(&at, Some(it.max_retries.unwrap_or(3)), 0..=10)?;
        let patience = Duration::from_secs(seconds);
        let backend = "".into();
        Some(TokenKeys::Address(Box::new(KeyAddress { url, backend, tls, patience, retries })))
    }

    /// How TLS is spoken to an issuer: as PEM, or in Secrets where it is an object's.
    pub(super) fn client_tls(
        &mut self,
        it: &written::FilterTlsSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> FilterTls {
        match it.ca.is_some() || it.cert.is_some() || it.key.is_some() {
            true => self.written_tls(it, path),
            false => self.filter_tls(it, path, making),
        }
    }

    fn signing_secret(
        &mut self,
        it: &written::JwtSpec,
        value: &Arc<str>,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<TokenKeys> {
        if let Some(key) = self.in_secret(value, (path, SecretPurpose::Signing), making)? {
            return Some(TokenKeys::Kept(key));
        }
        let secret = match is(it.signing_secret_base64_encoded) {
            true => STANDARD.decode(value.trim()),
            false => Ok(value.as_bytes().to_vec()),
        };
        let Ok(secret) = secret else {
            let message = "the secret is not base64";
            let help = "take `signingSecretBase64Encoded` off, or encode it";
            self.findings.invalid(codes::INVALID_VALUE, path, message, help);
            return None;
        };
        self.usable(KeyRing::secret(&secret).map(|_| TokenKeys::Secret(secret.into())), path)
    }

    /// Under which key of a Secret a text is, where it says so.
    pub(super) fn in_secret(
        &mut self,
        value: &Arc<str>,
        (path, purpose): (&FieldPath, SecretPurpose),
        making: &mut Making<'_>,
    ) -> Option<Option<Arc<str>>> {
        let Some(place) = value.strip_prefix(SECRET_URN) else { return Some(None) };
        let named = place.split_once(':').filter(|(name, key)| !name.is_empty() && !key.is_empty());
        let Some((name, key)) = named else {
            let message = format!("`{value}` names no key of a Secret");
            let help = "write urn:k8s:secret:NAME:KEY";
            self.findings.invalid(codes::INVALID_VALUE, path, message, help);
            return None;
        };
        self.named_secret(Some(&name.to_owned()), (path, purpose), making)?;
        Some(Some(key.into()))
    }

    /// Lines that endpoints are told, and claims.
    pub(super) fn told(
        &mut self,
        written: Option<&BTreeMap<String, String>>,
        path: &FieldPath,
    ) -> Option<Vec<(Arc<str>, ClaimPath)>> {
        let mut told = Vec::new();
        for (name, claim) in written.into_iter().flatten() {
            self.is_name(name, &path.key(name))?;
            told.push((name.as_str().into(), ClaimPath::read(claim)));
        }
        Some(told)
    }

    fn usable(&mut self, keys: Result<TokenKeys, KeyFault>, path: &FieldPath) -> Option<TokenKeys> {
        let said = |why: &KeyFault| format!("tokens cannot be verified by it: {why}");
        let help = "write the issuer's key as it publishes it";
        let invalid =
            |why: &KeyFault| self.findings.invalid(codes::INVALID_VALUE, path, said(why), help);
        keys.inspect_err(invalid).ok()
    }

    pub(super) fn claim_rule(&mut self, text: &str, path: &FieldPath) -> Option<ClaimRule> {
        match rule::claims(text) {
            Ok(claims) => Some(claims),
            Err(mistake) => {
                let at = text.get(mistake.at.clone()).unwrap_or_default();
                let message = format!("`{text}` cannot be read: {}, at `{at}`", mistake.what);
                self.findings.invalid(codes::INVALID_VALUE, path, message, mistake.what.help());
                self.findings.part(text, mistake.at);
                None
            }
        }
    }

    fn signature(&mut self, it: &written::HmacSpec, path: &FieldPath) -> Option<Filter> {
        let at = path.key("keys");
        let mut secrets = Vec::new();
        for (index, key) in it.keys.iter().flatten().enumerate() {
            let path = at.index(index);
            let help = "write what signers are called, and their secret";
            let name = self.required(key.id.as_ref(), &path.key("id"), help)?;
            let secret = self.required(key.key.as_ref(), &path.key("key"), help)?;
            secrets.push((name, Arc::from(secret.as_bytes())));
        }
        if secrets.is_empty() {
            self.findings.missing(&at, "write who may sign, with `id` and `key`");
            return None;
        }
        let enforced = it.enforced_headers.iter().flatten();
        Some(Filter::Signature(SignatureAuth {
            secrets,
            checks_digest: it.validate_digest.unwrap_or(true),
            enforced: enforced.map(|name| name.to_ascii_lowercase().into()).collect(),
        }))
    }
}
