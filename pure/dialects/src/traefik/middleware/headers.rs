//! Middlewares that write header lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_manifest::kinds::traefik::middleware::HeadersSpec;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::content::{Cors, HeaderRules, SecurityHeaders};
use steelyard_model::{FieldPath, Severity};

use super::{Reader, is, text, texts};
use crate::codes;

type Lines = BTreeMap<Arc<str>, Arc<str>>;

/// What is written that has made no difference since Traefik 3.
fn older(it: &HeadersSpec) -> impl Iterator<Item = &'static str> {
    let all = [
        ("featurePolicy", it.feature_policy.is_some()),
        ("sslRedirect", is(it.ssl_redirect)),
        ("sslTemporaryRedirect", is(it.ssl_temporary_redirect)),
        ("sslHost", it.ssl_host.is_some()),
        ("sslForceHost", is(it.ssl_force_host)),
    ];
    all.into_iter().filter_map(|(key, is_written)| is_written.then_some(key))
}

impl Reader<'_, '_> {
    pub(super) fn headers(&mut self, it: &HeadersSpec, path: &FieldPath) -> Option<Filter> {
        let request = self.lines(
            it.custom_request_headers.as_ref(),
            &path.key("customRequestHeaders"),
            "host",
        )?;
        let response = self.lines(
            it.custom_response_headers.as_ref(),
            &path.key("customResponseHeaders"),
            "",
        )?;
        let tls_headers =
            self.lines(it.ssl_proxy_headers.as_ref(), &path.key("sslProxyHeaders"), "host")?;
        let rules = HeaderRules {
            request,
            response,
            cors: self.cors(it, path)?,
            security: SecurityHeaders { tls_headers, ..self.security(it, path)? },
        };
        if rules == HeaderRules::default() && older(it).next().is_some() {
            // It passes everything, as with Traefik.
            return Some(Filter::Chain(Vec::new()));
        }
        if rules == HeaderRules::default() {
            let message = "the middleware writes no header line";
            let help = "say which, or remove it";
            self.findings.invalid(codes::MISSING_FIELD, path, message, help);
            return None;
        }
        Some(Filter::Headers(Box::new(rules)))
    }

    fn cors(&mut self, it: &HeadersSpec, path: &FieldPath) -> Option<Cors> {
        let at = path.key("accessControlAllowOriginListRegex");
        let all = it.access_control_allow_origin_list_regex.iter().flatten().enumerate();
        let expressions: Option<Vec<_>> =
            all.map(|(index, text)| self.expression(text, &at.index(index))).collect();
        let values = [
            ("accessControlAllowHeaders", &it.access_control_allow_headers),
            ("accessControlAllowMethods", &it.access_control_allow_methods),
            ("accessControlAllowOriginList", &it.access_control_allow_origin_list),
            ("accessControlExposeHeaders", &it.access_control_expose_headers),
            ("allowedHosts", &it.allowed_hosts),
        ];
        for (key, values) in values {
            for (index, value) in values.iter().flatten().enumerate() {
                self.is_value(value, &path.key(key).index(index))?;
            }
        }
        Some(Cors {
            credentials: is(it.access_control_allow_credentials),
            headers: texts(it.access_control_allow_headers.as_ref()),
            methods: texts(it.access_control_allow_methods.as_ref()),
            origins: texts(it.access_control_allow_origin_list.as_ref()),
            origin_expressions: expressions?,
            exposed: texts(it.access_control_expose_headers.as_ref()),
            max_age: it.access_control_max_age.unwrap_or_default(),
            adds_vary: is(it.add_vary_header),
        })
    }

    fn security(&mut self, it: &HeadersSpec, path: &FieldPath) -> Option<SecurityHeaders> {
        let values = [
            ("customFrameOptionsValue", &it.custom_frame_options_value),
            ("customBrowserXSSValue", &it.custom_browser_xss_value),
            ("contentSecurityPolicy", &it.content_security_policy),
            ("contentSecurityPolicyReportOnly", &it.content_security_policy_report_only),
            ("publicKey", &it.public_key),
            ("referrerPolicy", &it.referrer_policy),
            ("permissionsPolicy", &it.permissions_policy),
        ];
        for (key, value) in values {
            self.is_value(value.as_deref().unwrap_or_default(), &path.key(key))?;
        }
        for (index, name) in it.hosts_proxy_headers.iter().flatten().enumerate() {
            self.is_name(name, &path.key("hostsProxyHeaders").index(index))?;
        }
        for key in older(it) {
            let path = path.key(key);
            let message = format!("{path} makes no difference, as since Traefik 3");
            let help = "use redirectScheme, or permissionsPolicy";
            self.findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, &path, message, help);
        }
        Some(SecurityHeaders {
            allowed_hosts: texts(it.allowed_hosts.as_ref()),
            host_headers: texts(it.hosts_proxy_headers.as_ref()),
            tls_headers: Lines::new(),
            sts_seconds: it.sts_seconds.unwrap_or_default(),
            sts_subdomains: is(it.sts_include_subdomains),
            sts_preload: is(it.sts_preload),
            sts_always: is(it.force_sts_header),
            frame_deny: is(it.frame_deny),
            frame_options: text(it.custom_frame_options_value.as_ref()),
            no_sniff: is(it.content_type_nosniff),
            xss_filter: is(it.browser_xss_filter),
            xss_value: text(it.custom_browser_xss_value.as_ref()),
            content_policy: text(it.content_security_policy.as_ref()),
            reported_policy: text(it.content_security_policy_report_only.as_ref()),
            public_key: text(it.public_key.as_ref()),
            referrer_policy: text(it.referrer_policy.as_ref()),
            permissions_policy: text(it.permissions_policy.as_ref()),
            is_development: is(it.is_development),
        })
    }

    /// Lines that may be written; `also` is one that the gateway writes itself elsewhere.
    fn lines(
        &mut self,
        written: Option<&BTreeMap<String, String>>,
        path: &FieldPath,
        also: &str,
    ) -> Option<Lines> {
        let mut lines = Lines::new();
        for (name, value) in written.into_iter().flatten() {
            let path = path.key(name);
            self.is_name(name, &path)?;
            self.is_value(value, &path)?;
            if !name.eq_ignore_ascii_case(also) && is_own(name) {
                let so = "the gateway writes this line itself, as the connection needs it";
                self.idle(&path, so);
                continue;
            }
            lines.insert(name.as_str().into(), value.as_str().into());
        }
        Some(lines)
    }

    /// Says of what is no name of a header line (RFC 9110 §5.6.2).
    pub(super) fn is_name(&mut self, name: &str, path: &FieldPath) -> Option<()> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !name.is_empty() && name.bytes().all(is_part) {
            return Some(());
        }
        let message = format!("`{name}` is no name of a header line");
        let help = "write it of letters, digits and hyphens";
        self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        None
    }

    /// Says of what would end a header line.
    pub(super) fn is_value(&mut self, value: &str, path: &FieldPath) -> Option<()> {
        if !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Some(());
        }
        let message = format!("{path} has characters that no header line has");
        let help = "write it without line ends and other control characters";
        self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        None
    }
}

/// Whether the gateway alone writes lines of this name: they frame messages, or are about the
/// connection.
fn is_own(name: &str) -> bool {
    const OWN: [&str; 13] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "cdn-loop",
        "http2-settings",
        "proxy-authenticate",
        "proxy-authorization",
    ];
    OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}
