//! Login at an OpenID provider, as Traefik Hub spells it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steelyard_login::Keys;
use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::FieldPath;
use steelyard_model::discretion::quoted;
use steelyard_model::filter_draft::SecretPurpose;
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::claims::ClaimPath;
use steelyard_model::routing::cookie::SameSite;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::login::{
    LoginAuth, LoginClient, LoginCookie, LoginIssuer, LoginPlaces, SecretText,
};

use super::{Making, Reader, is, text};
use crate::codes;

const SAME_SITES: [(&str, SameSite); 7] = [
    ("default", SameSite::Lax),
    ("none", SameSite::None),
    ("None", SameSite::None),
    ("lax", SameSite::Lax),
    ("Lax", SameSite::Lax),
    ("strict", SameSite::Strict),
    ("Strict", SameSite::Strict),
];

/// Issuers whose places are at other hosts than they are.
const ELSEWHERE: [(&str, &[&str]); 1] = [(
    "https://accounts.google.com",
    &["https://oauth2.googleapis.com", "https://www.googleapis.com"],
)];

/// What browsers are told to bring to an issuer by us alone.
const OWN: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
];

/// How a cookie is written: name, path, domain, seconds and what they are if they are not written,
/// the rest.
struct Written<'w> {
    name: &'w Option<String>,
    path: &'w Option<String>,
    domain: &'w Option<String>,
    seconds: (&'static str, Option<i64>, i64),
    same_site: &'w Option<String>,
    http_only: Option<bool>,
    secure: Option<bool>,
}

impl Reader<'_, '_> {
    pub(super) fn login(
        &mut self,
        it: &written::OidcSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        self.not_of_login(it, path)?;
        let issuer = self.login_issuer(it, path, making)?;
        let client = self.login_client(it, path, making)?;
        let session = it.session.clone().unwrap_or_default();
        let session_at = path.key("session");
        let purpose = SecretPurpose::Sealing;
        let at = session_at.key("secret");
        let sealing = match text(session.secret.as_ref()) {
            Some(secret) => Some(self.secret_text(&secret, (&at, purpose), making)?),
            None => None,
        };
        self.can_seal(&sealing, &client, &at)?;
        let claims = match text(it.claims.as_ref()) {
            Some(text) => Some(self.claim_rule(&text, &path.key("claims"))?),
            None => None,
        };
        let mut scopes = it.scopes.clone().unwrap_or_default();
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".into());
        }
        Some(Filter::Login(Box::new(LoginAuth {
            issuer,
            client,
            sealing,
            scopes: scopes.iter().map(|scope| scope.as_str().into()).collect(),
            parameters: self.login_parameters(it.auth_params.as_ref(), &path.key("authParams"))?,
            has_proof: it.pkce.unwrap_or(true),
            places: self.login_places(it, path)?,
            state: self.state_cookie(it, path)?,
            is_sliding: session.sliding.unwrap_or(true),
            is_renewed: session.refresh.unwrap_or(true),
            session: self.session_cookie(&session, &session_at)?,
            claims,
            user: Some(ClaimPath::read(it.username_claim.as_deref().unwrap_or("sub"))),
            told: self.told(it.forward_headers.as_ref(), &path.key("forwardHeaders"))?,
        })))
    }

    /// What Traefik has and we have not: who relies on it is not left without it.
    fn not_of_login(&mut self, it: &written::OidcSpec, path: &FieldPath) -> Option<()> {
        let store = it.session.as_ref().is_some_and(|session| session.store.is_some());
        let csrf = "sessions are sent to other sites' forms by nobody: leave `sameSite` at Lax";
        let missing = [
            ("disableIssuerCheck", is(it.disable_issuer_check), "name it in `trustedIssuer`"),
            ("backchannelLogoutUrl", it.backchannel_logout_url.is_some(), "give `session.expiry`"),
            ("session.store", store, "sessions are kept by browsers, sealed: take it off"),
            ("csrf", it.csrf.is_some(), csrf),
        ];
        for (name, _, help) in missing.iter().filter(|(_, is, _)| *is) {
            let at = name.split('.').fold(path.clone(), |path, key| path.key(key));
            let message = format!("{at} is not carried out");
            self.findings.invalid(codes::FIELD_NOT_HONOURED, &at, message, *help);
        }
        missing.iter().all(|(_, is, _)| !is).then_some(())
    }

    fn login_issuer(
        &mut self,
        it: &written::OidcSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<LoginIssuer> {
        let at = path.key("issuer");
        let name = self.required(it.issuer.as_ref(), &at, "write the URL of the issuer")?;
        let url = self.asked_url(&name, &at)?;
        let mut origins = vec![(url.clone(), "".into())];
        let known = ELSEWHERE.iter().filter(|(issuer, _)| *issuer == name.trim_end_matches('/'));
        let known = known.flat_map(|(_, all)| all.iter()).filter_map(|it| AskedUrl::read(it).ok());
        origins.extend(known.map(|url| (url, "".into())));
        let at = path.key("origins");
        for (index, origin) in it.origins.iter().flatten().enumerate() {
            origins.push((self.asked_url(origin, &at.index(index))?, "".into()));
        }
        let usual = written::ClientConfigSpec::default();
        let config = it.client_config.as_ref().unwrap_or(&usual);
        let path_of = path.key("clientConfig");
        let tls = config.tls.as_ref();
        let tls = tls.map(|tls| self.client_tls(tls, &path_of.key("tls"), making));
        let at = path_of.key("timeoutSeconds");
        let seconds = Some(config.timeout_seconds.unwrap_or(5));
        let seconds = self.findings.within(&at, seconds, 1..=60)?;
        let at = path_of.key("maxRetries");
        let retries = self.findings.within(&at, Some(config.max_retries.unwrap_or(3)), 0..=10)?;
        let at = path.key("discoveryParams");
        Some(LoginIssuer {
            url,
            name: text(it.trusted_issuer.as_ref()).unwrap_or_else(|| name.clone()),
            parameters: self.login_parameters(it.discovery_params.as_ref(), &at)?,
            origins,
            tls,
            patience: Duration::from_secs(seconds),
            retries,
        })
    }

    fn login_client(
        &mut self,
        it: &written::OidcSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<LoginClient> {
        let at = path.key("clientId");
        let id = self.required(it.client_id.as_ref(), &at, "write what we are called there")?;
        let id = self.secret_text(&id, (&at, SecretPurpose::ClientName), making)?;
        let at = path.key("clientSecret");
        let secret = match text(it.client_secret.as_ref()) {
            Some(it) => Some(self.secret_text(&it, (&at, SecretPurpose::ClientSecret), making)?),
            None => None,
        };
        Some(LoginClient { id, secret })
    }

    /// A text that may stand in a Secret.
    fn secret_text(
        &mut self,
        value: &Arc<str>,
        (path, purpose): (&FieldPath, SecretPurpose),
        making: &mut Making<'_>,
    ) -> Option<SecretText> {
        match self.in_secret(value, (path, purpose), making)? {
            Some(key) => Some(SecretText::Kept(key)),
            None => Some(SecretText::Known(value.as_bytes().into())),
        }
    }

    /// Says where sessions cannot be sealed.
    fn can_seal(
        &mut self,
        sealing: &Option<SecretText>,
        client: &LoginClient,
        path: &FieldPath,
    ) -> Option<()> {
        let Some(secret) = sealing.as_ref().or(client.secret.as_ref()) else {
            self.findings.missing(path, "write what sessions are sealed with: 16 letters or more");
            return None;
        };
        let Some(Err(why)) = secret.known().map(|secret| Keys::derive(secret, "")) else {
            return Some(());
        };
        let message = format!("sessions cannot be sealed with it: {}", why.reason());
        let help = "write 16 letters or more into `session.secret`, drawn by chance";
        self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        None
    }

    fn login_parameters(
        &mut self,
        written: Option<&BTreeMap<String, String>>,
        path: &FieldPath,
    ) -> Option<Vec<(Arc<str>, Arc<str>)>> {
        let mut all = Vec::new();
        for (name, value) in written.into_iter().flatten() {
            if OWN.contains(&name.as_str()) {
                let message = format!("`{name}` is written by the filter itself");
                self.findings.invalid(
                    codes::INVALID_VALUE,
                    &path.key(name),
                    message,
                    "take it off",
                );
                return None;
            }
            all.push((name.as_str().into(), value.as_str().into()));
        }
        Some(all)
    }

    fn login_places(&mut self, it: &written::OidcSpec, path: &FieldPath) -> Option<LoginPlaces> {
        let at = path.key("redirectUrl");
        let help = "write a path that the application does not have, such as /oidc/callback";
        let back = self.required(it.redirect_url.as_ref(), &at, help)?;
        self.is_place(&back, &at)?;
        let mut place = |name: &str, written: &Option<String>| match text(written.as_ref()) {
            Some(place) => self.is_place(&place, &path.key(name)).map(|()| Some(place)),
            None => Some(None),
        };
        Some(LoginPlaces {
            back,
            login: place("loginUrl", &it.login_url)?,
            has_no_login: is(it.disable_login),
            logout: place("logoutUrl", &it.logout_url)?,
            after_login: place("postLoginRedirectUrl", &it.post_login_redirect_url)?,
            after_logout: place("postLogoutRedirectUrl", &it.post_logout_redirect_url)?,
        })
    }

    /// Says of what is neither a path nor an URL.
    fn is_place(&mut self, place: &str, path: &FieldPath) -> Option<()> {
        let is_path = place.starts_with('/') && !place.starts_with("//");
        let is_graphic = place.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if is_graphic && (is_path || AskedUrl::read(place).is_ok()) {
            return Some(());
        }
        let message = format!("`{}` is neither a path nor an URL", quoted(place));
        self.findings.invalid(
            codes::INVALID_VALUE,
            path,
            message,
            "write /path or https://host/path",
        );
        None
    }

    fn state_cookie(&mut self, it: &written::OidcSpec, path: &FieldPath) -> Option<LoginCookie> {
        let it = it.state_cookie.clone().unwrap_or_default();
        let path = path.key("stateCookie");
        let written = Written {
            name: &it.name,
            path: &it.path,
            domain: &it.domain,
            seconds: ("maxAge", it.max_age, 600),
            same_site: &it.same_site,
            http_only: it.http_only,
            secure: it.secure,
        };
        let cookie = self.login_cookie(&written, &path)?;
        if cookie.same_site == SameSite::Strict {
            let message = "browsers that come back from the issuer do not bring such a cookie";
            let at = path.key("sameSite");
            self.findings.invalid(codes::INVALID_VALUE, &at, message, "write lax");
            return None;
        }
        Some(cookie)
    }

    fn session_cookie(
        &mut self,
        it: &written::SessionSpec,
        path: &FieldPath,
    ) -> Option<LoginCookie> {
        let written = Written {
            name: &it.name,
            path: &it.path,
            domain: &it.domain,
            seconds: ("expiry", it.expiry, 86_400),
            same_site: &it.same_site,
            http_only: it.http_only,
            secure: it.secure,
        };
        self.login_cookie(&written, path)
    }

    fn login_cookie(&mut self, it: &Written<'_>, path: &FieldPath) -> Option<LoginCookie> {
        let (name, seconds, usual) = it.seconds;
        let at = path.key(name);
        let seconds = self.findings.within(&at, Some(seconds.unwrap_or(usual)), 1..=34_560_000)?;
        let same_site = it.same_site.as_deref().filter(|text| !text.is_empty());
        let same_site = match same_site {
            None => SameSite::Lax,
            same_site => self.findings.choice(&path.key("sameSite"), same_site, &SAME_SITES)?,
        };
        let name = text(it.name.as_ref());
        if let Some(name) = &name {
            self.is_name(name, &path.key("name"))?;
        }
        for (key, value) in [("path", it.path), ("domain", it.domain)] {
            let is_part = |byte: u8| byte.is_ascii_graphic() && byte != b';';
            if value.as_ref().is_some_and(|value| !value.bytes().all(is_part)) {
                let message = format!("no cookie has such a {key}");
                let help = "write it without blanks and semicolons";
                self.findings.invalid(codes::INVALID_VALUE, &path.key(key), message, help);
                return None;
            }
        }
        Some(LoginCookie {
            name,
            path: text(it.path.as_ref()).unwrap_or_else(|| "/".into()),
            domain: text(it.domain.as_ref()),
            seconds,
            same_site,
            is_hidden: it.http_only.unwrap_or(true),
            is_secure: it.secure,
        })
    }
}
