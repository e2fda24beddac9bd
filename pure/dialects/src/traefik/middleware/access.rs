//! Middlewares that say who may pass, and who it was.

use std::sync::Arc;
use std::time::Duration;

use steelyard_manifest::is_path;
use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::discretion::quoted;
use steelyard_model::filter_draft::SecretPurpose;
use steelyard_model::handshake_draft::{MaterialPart, PartText};
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{
    AllowedClients, AnswerPage, AskedAuth, AskedCache, AskedManner, CertificateHeader,
    CertificateParts, ClientPlace, ClientSource, FilterTls, NameParts, PasswordAuth,
    PasswordManner,
};
use steelyard_model::{FieldPath, Severity};
use steelyard_passwords::{DigestUsers, Users};

use super::{Making, Reader, is, text, texts};
use crate::codes;

/// How long the answer of `forwardAuth` may take: Traefik has no option for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an answer counts at most.
const LONGEST_CACHED: Duration = Duration::from_hours(24);

impl Reader<'_, '_> {
    pub(super) fn allowed(
        &mut self,
        it: &written::AllowListSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let help = "name the addresses that are let in";
        self.clients_of(it, path, help).map(Filter::AllowAddresses)
    }

    /// Clients of some addresses; `help` says what they are for.
    pub(super) fn clients_of(
        &mut self,
        it: &written::AllowListSpec,
        path: &FieldPath,
        help: &str,
    ) -> Option<AllowedClients> {
        let at = path.key("sourceRange");
        if it.source_range.iter().flatten().next().is_none() {
            self.findings.missing(&at, help);
            return None;
        }
        let ranges = self.networks(it.source_range.as_ref(), &at)?;
        let source = self.source(it.ip_strategy.as_ref(), &path.key("ipStrategy"))?;
        let at = path.key("rejectStatusCode");
        let status = it.reject_status_code.filter(|status| *status != 0).unwrap_or(403);
        let status = self.findings.within(&at, Some(status), 200..=599)?;
        Some(AllowedClients { ranges, source, status, page: AnswerPage::Words })
    }

    /// Whose address counts.
    pub(super) fn source(
        &mut self,
        it: Option<&written::IpStrategySpec>,
        path: &FieldPath,
    ) -> Option<ClientSource> {
        let Some(it) = it else { return Some(ClientSource::default()) };
        let depth: usize = self.findings.within(
            &path.key("depth"),
            Some(it.depth.unwrap_or(0).max(0)),
            0..=1024,
        )?;
        let excluded = self.networks(it.excluded_ips.as_ref(), &path.key("excludedIPs"))?;
        let bits = it.ipv6_subnet.filter(|bits| *bits != 0);
        let ipv6_subnet = match bits {
            Some(_) => Some(self.findings.within(&path.key("ipv6Subnet"), bits, 1..=128)?),
            None => None,
        };
        let from = match depth {
            0 if excluded.texts().is_empty() => ClientPlace::Peer,
            0 => ClientPlace::Excluding(excluded),
            depth => ClientPlace::Depth(depth),
        };
        Some(ClientSource { from, ipv6_subnet })
    }

    /// Who may pass by a name and a password, or by the proof of one.
    pub(super) fn password(
        &mut self,
        (it, is_proof): (&written::AuthSpec, bool),
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<PasswordAuth> {
        let secret = path.key("secret");
        let users = texts(it.users.as_ref());
        if making.is_of_file() {
            self.foreign(&[("secret", it.secret.is_some())], path, making);
            if let Some(file) = text(it.users_file.as_ref()) {
                making.users_file = Some(self.users_file(&file, &path.key("usersFile"))?);
            }
            if users.is_empty() && making.users_file.is_none() {
                self.findings.missing(&path.key("users"), "write who may pass");
                return None;
            }
            let is_anybody = self.has_users(&users, is_proof, &path.key("users"));
            is_anybody.or_else(|| making.users_file.as_ref().map(|_| ()))?;
        } else {
            let others = [("users", it.users.is_some()), ("usersFile", it.users_file.is_some())];
            self.foreign(&others, path, making);
            let named =
                self.named_secret(it.secret.as_ref(), (&secret, SecretPurpose::Users), making);
            if named.is_none() {
                self.findings.missing(&secret, "name the Secret with the users");
                return None;
            }
        }
        let realm = text(it.realm.as_ref()).unwrap_or_else(|| "traefik".into());
        self.is_value(&realm, &path.key("realm"))?;
        let user_header = text(it.header_field.as_ref());
        if let Some(name) = &user_header {
            self.is_name(name, &path.key("headerField"))?;
        }
        let removes_header = is(it.remove_header);
        let (users, manner) = (users.into(), PasswordManner::Traefik);
        Some(PasswordAuth { users, realm, removes_header, user_header, manner })
    }

    /// A file whose lines are users.
    fn users_file(&mut self, file: &str, path: &FieldPath) -> Option<MaterialPart> {
        if !is_path(file) {
            let message = "this is no path of a file";
            let help = "write a path here, and users in `users`";
            self.findings.invalid(codes::INVALID_VALUE, path, message, help);
            return None;
        }
        let (text, place) = (PartText::File(file.into()), self.findings.place(path));
        Some(MaterialPart { key: "users", text, place })
    }

    /// Says which users are never let in; none where nobody is.
    fn has_users(&mut self, users: &[Arc<str>], is_proof: bool, path: &FieldPath) -> Option<()> {
        let (count, faults) = match is_proof {
            true => {
                let (users, faults) = DigestUsers::read(users);
                (users.len(), faults)
            }
            false => {
                let (users, faults) = Users::read(users);
                (users.len(), faults)
            }
        };
        for (index, why) in faults {
            let message = format!("this user is never let in: {why}");
            let (code, path, help) = (codes::INVALID_VALUE, path.index(index), why.help());
            // The others are, where there are any.
            match count {
                0 => self.findings.invalid(code, &path, message, help),
                _ => self.findings.say(Severity::Warning, code, &path, message, help),
            }
        }
        (count > 0).then_some(())
    }

    pub(super) fn forward_auth(
        &mut self,
        it: &written::ForwardAuthSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        let at = path.key("address");
        let address = self.required(it.address.as_ref(), &at, "write the URL that is asked")?;
        let address = self.asked_url(&address, &at)?;
        let tls = it.tls.as_ref().map(|tls| self.filter_tls(tls, &path.key("tls"), making));
        let expression = match text(it.auth_response_headers_regex.as_ref()) {
            Some(text) => Some(self.expression(&text, &path.key("authResponseHeadersRegex"))?),
            None => None,
        };
        let names = [
            ("authResponseHeaders", &it.auth_response_headers),
            ("authRequestHeaders", &it.auth_request_headers),
            ("addAuthCookiesToResponse", &it.add_auth_cookies_to_response),
        ];
        for (key, names) in names {
            for (index, name) in names.iter().flatten().enumerate() {
                self.is_name(name, &path.key(key).index(index))?;
            }
        }
        let user_header = text(it.header_field.as_ref());
        if let Some(name) = &user_header {
            self.is_name(name, &path.key("headerField"))?;
        }
        let sign_in = text(it.auth_signin_url.as_ref());
        if let Some(url) = &sign_in {
            self.is_value(url, &path.key("authSigninURL"))?;
        }
        let cache = match &it.auth_cache {
            Some(cache) => Some(self.auth_cache(cache, &path.key("authCache"))?),
            None => None,
        };
        Some(Filter::ForwardAuth(Box::new(AskedAuth {
            address,
            backend: "".into(),
            patience: PATIENCE,
            trusts_forwarded: is(it.trust_forward_header),
            response_headers: texts(it.auth_response_headers.as_ref()),
            response_headers_regex: expression,
            request_headers: texts(it.auth_request_headers.as_ref()),
            tls,
            max_response: Self::at_most(it.max_response_body_size),
            cookies: texts(it.add_auth_cookies_to_response.as_ref()),
            user_header,
            forwards_body: is(it.forward_body),
            max_body: Self::at_most(it.max_body_size),
            keeps_location: is(it.preserve_location_header),
            keeps_method: is(it.preserve_request_method),
            sign_in,
            manner: AskedManner::Traefik,
            cache,
        })))
    }

    /// How long answers count: an option of ours. Lines that say nothing of who asks do not tell
    /// clients apart, so those that do count beside them.
    fn auth_cache(&mut self, it: &written::AuthCacheSpec, path: &FieldPath) -> Option<AskedCache> {
        let at = path.key("duration");
        if it.duration.is_none() {
            self.findings.missing(&at, "write how long an answer counts, such as 10s");
        }
        let duration = self.time(it.duration.as_ref(), &at)?;
        if duration.is_zero() || duration > LONGEST_CACHED {
            let message = format!("answers cannot count for {duration:?}");
            let help = "write from 1ms to 24h";
            self.findings.invalid(codes::INVALID_VALUE, &at, message, help);
            return None;
        }
        let at = path.key("headers");
        for (index, name) in it.headers.iter().flatten().enumerate() {
            self.is_name(name, &at.index(index))?;
        }
        let lines = texts(it.headers.as_ref());
        Some(AskedCache { lines, durations: vec![((200, 299), duration)] })
    }

    /// How TLS is spoken to whom a middleware asks.
    pub(super) fn filter_tls(
        &mut self,
        it: &written::FilterTlsSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> FilterTls {
        if it.ca_optional.is_some() {
            let path = path.key("caOptional");
            let message = "`caOptional` makes no difference: certificates are always looked at";
            self.findings.say(
                Severity::Info,
                codes::FIELD_NOT_HONOURED,
                &path,
                message,
                "remove it",
            );
        }
        let is_unverified = is(it.insecure_skip_verify);
        if making.is_of_file() {
            let others =
                [("caSecret", it.ca_secret.is_some()), ("certSecret", it.cert_secret.is_some())];
            self.foreign(&others, path, making);
            return self.written_tls(it, path);
        }
        let others =
            [("ca", it.ca.is_some()), ("cert", it.cert.is_some()), ("key", it.key.is_some())];
        self.foreign(&others, path, making);
        let (ca, cert) = (path.key("caSecret"), path.key("certSecret"));
        self.named_secret(it.ca_secret.as_ref(), (&ca, SecretPurpose::Authorities), making);
        self.named_secret(it.cert_secret.as_ref(), (&cert, SecretPurpose::Identity), making);
        FilterTls { ca: None, identity: None, is_unverified }
    }

    /// The same where it stands in the middleware itself, as PEM.
    pub(super) fn written_tls(
        &mut self,
        it: &written::FilterTlsSpec,
        path: &FieldPath,
    ) -> FilterTls {
        for (name, value) in [("ca", &it.ca), ("cert", &it.cert), ("key", &it.key)] {
            if value.as_ref().is_some_and(|value| !value.contains("-----BEGIN ")) {
                let path = path.key(name);
                let message = format!("`{path}` is no PEM, and files of their own are not read");
                let help = "write here what is in the file";
                self.findings.invalid(codes::FIELD_NOT_HONOURED, &path, message, help);
            }
        }
        if it.cert.is_some() != it.key.is_some() {
            self.findings.missing(path, "write both `cert` and `key`, or neither");
        }
        let identity = text(it.cert.as_ref()).zip(text(it.key.as_ref()));
        FilterTls { ca: text(it.ca.as_ref()), identity, is_unverified: is(it.insecure_skip_verify) }
    }

    /// An URL that can be asked at.
    pub(super) fn asked_url(&mut self, text: &str, path: &FieldPath) -> Option<AskedUrl> {
        match AskedUrl::read(text) {
            Ok(url) => Some(url),
            Err(why) => {
                let message = format!("`{}` is no URL that can be asked", quoted(text));
                self.findings.invalid(codes::INVALID_VALUE, path, message, why.help());
                None
            }
        }
    }
}

pub(super) fn certificate(it: &written::PassCertificateSpec) -> Filter {
    let name = |it: &written::NamePartsSpec| NameParts {
        domain_component: is(it.domain_component),
        country: is(it.country),
        province: is(it.province),
        locality: is(it.locality),
        organization: is(it.organization),
        organizational_unit: is(it.organizational_unit),
        serial_number: is(it.serial_number),
        common_name: is(it.common_name),
    };
    let parts = |it: &written::CertificateInfoSpec| CertificateParts {
        not_after: is(it.not_after),
        not_before: is(it.not_before),
        sans: is(it.sans),
        serial_number: is(it.serial_number),
        subject: it.subject.as_ref().map(name),
        issuer: it.issuer.as_ref().map(name),
    };
    let parts = it.info.as_ref().map(parts);
    Filter::ClientCertificate(Box::new(CertificateHeader { pem: is(it.pem), parts }))
}
