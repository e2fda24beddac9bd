//! Every annotation of ingress-nginx 1.15 and what it means not to honour it.

/// One annotation.
pub(super) struct Annotation {
    /// Name without the prefix.
    pub(super) name: &'static str,
    /// What not honouring it means.
    pub(super) miss: Miss,
    /// Values (in lower case, without spaces) that ask for what we do anyway.
    neutral: &'static [&'static str],
}

/// What it means not to honour an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// Access would be wider than asked for: the routes must be closed.
    Security,
    /// We would speak another protocol than the backend: the routes must be closed.
    Protocol,
    /// Requests are served otherwise than asked for; nobody comes in who should not: limits of
    /// sizes and what is asked of TLS are here. Those about CORS and cookies that we do not
    /// set are here: without the headers, browsers refuse what they would allow.
    Functional,
    /// Nobody sees a difference, or only in speed.
    Cosmetic,
    /// The routes are not for all requests: they must not be served as if they were.
    Canary,
}

impl Annotation {
    /// Whether `value` asks for what we do anyway.
    pub(super) fn is_neutral(&self, value: &str) -> bool {
        let mut value = value.to_ascii_lowercase();
        value.retain(|c| !c.is_whitespace());
        let same = |neutral: &&str| match *neutral {
            "true" => matches!(value.as_str(), "true" | "t" | "1"),
            "false" => matches!(value.as_str(), "false" | "f" | "0"),
            neutral => neutral == value,
        };
        self.neutral.iter().any(same)
    }
}

const fn security(name: &'static str, neutral: &'static [&'static str]) -> Annotation {
    Annotation { name, miss: Miss::Security, neutral }
}

const fn protocol(name: &'static str, neutral: &'static [&'static str]) -> Annotation {
    Annotation { name, miss: Miss::Protocol, neutral }
}

const fn functional(name: &'static str, neutral: &'static [&'static str]) -> Annotation {
    Annotation { name, miss: Miss::Functional, neutral }
}

const fn cosmetic(name: &'static str, neutral: &'static [&'static str]) -> Annotation {
    Annotation { name, miss: Miss::Cosmetic, neutral }
}

const fn canary(name: &'static str, neutral: &'static [&'static str]) -> Annotation {
    Annotation { name, miss: Miss::Canary, neutral }
}

/// By name.
#[rustfmt::skip]
pub(super) const ALL: [Annotation; 138] = [
    functional("affinity", &[]),
    functional("affinity-canary-behavior", &[]),
    functional("affinity-mode", &[]),
    security("allowlist-source-range", &["0.0.0.0/0,::/0", "::/0,0.0.0.0/0"]),
    functional("app-root", &[]),
    functional("auth-always-set-cookie", &["false"]),
    cosmetic("auth-cache-duration", &[]),
    cosmetic("auth-cache-key", &[]),
    cosmetic("auth-keepalive", &[]),
    cosmetic("auth-keepalive-requests", &[]),
    cosmetic("auth-keepalive-share-vars", &[]),
    cosmetic("auth-keepalive-timeout", &[]),
    functional("auth-method", &[]),
    functional("auth-proxy-set-headers", &[]),
    cosmetic("auth-realm", &[]),
    functional("auth-request-redirect", &[]),
    security("auth-response-headers", &[]),
    security("auth-secret", &[]),
    security("auth-secret-type", &[]),
    security("auth-signin", &[]),
    functional("auth-signin-redirect-param", &[]),
    security("auth-snippet", &[]),
    functional("auth-tls-error-page", &[]),
    security("auth-tls-match-cn", &[]),
    functional("auth-tls-pass-certificate-to-upstream", &["false"]),
    security("auth-tls-secret", &[]),
    security("auth-tls-verify-client", &["off"]),
    security("auth-tls-verify-depth", &[]),
    security("auth-type", &[]),
    security("auth-url", &[]),
    protocol("backend-protocol", &["http", "auto_http"]),
    canary("canary", &["false"]),
    functional("canary-by-cookie", &[]),
    functional("canary-by-header", &[]),
    functional("canary-by-header-pattern", &[]),
    functional("canary-by-header-value", &[]),
    functional("canary-weight", &[]),
    functional("canary-weight-total", &[]),
    cosmetic("client-body-buffer-size", &[]),
    security("configuration-snippet", &[]),
    cosmetic("connection-proxy-header", &[]),
    functional("cors-allow-credentials", &["true"]),
    functional("cors-allow-headers", &[]),
    functional("cors-allow-methods", &[]),
    functional("cors-allow-origin", &[]),
    functional("cors-expose-headers", &[]),
    cosmetic("cors-max-age", &[]),
    functional("custom-headers", &[]),
    functional("custom-http-errors", &[]),
    functional("default-backend", &[]),
    security("denylist-source-range", &[]),
    functional("disable-proxy-intercept-errors", &["false"]),
    cosmetic("enable-access-log", &[]),
    functional("enable-cors", &["false"]),
    security("enable-global-auth", &["false"]),
    security("enable-modsecurity", &["false"]),
    cosmetic("enable-opentelemetry", &[]),
    security("enable-owasp-core-rules", &["false"]),
    cosmetic("enable-rewrite-log", &[]),
    functional("fastcgi-index", &[]),
    functional("fastcgi-params-configmap", &[]),
    functional("force-ssl-redirect", &["false"]),
    functional("from-to-www-redirect", &["false"]),
    cosmetic("http2-push-preload", &[]),
    functional("limit-allowlist", &[]),
    security("limit-burst-multiplier", &[]),
    security("limit-connections", &["0"]),
    cosmetic("limit-rate", &[]),
    cosmetic("limit-rate-after", &[]),
    security("limit-rpm", &["0"]),
    security("limit-rps", &["0"]),
    functional("limit-whitelist", &[]),
    cosmetic("load-balance", &[]),
    functional("mirror-host", &[]),
    functional("mirror-request-body", &["on"]),
    functional("mirror-target", &[]),
    security("modsecurity-snippet", &[]),
    cosmetic("modsecurity-transaction-id", &[]),
    cosmetic("opentelemetry-operation-name", &[]),
    cosmetic("opentelemetry-trust-incoming-span", &[]),
    functional("permanent-redirect", &[]),
    functional("permanent-redirect-code", &[]),
    functional("preserve-trailing-slash", &["false"]),
    functional("proxy-body-size", &["0"]),
    functional("proxy-buffer-size", &[]),
    cosmetic("proxy-buffering", &[]),
    cosmetic("proxy-buffers-number", &[]),
    cosmetic("proxy-busy-buffers-size", &[]),
    functional("proxy-connect-timeout", &[]),
    functional("proxy-cookie-domain", &["off"]),
    functional("proxy-cookie-path", &["off"]),
    cosmetic("proxy-http-version", &[]),
    cosmetic("proxy-max-temp-file-size", &[]),
    functional("proxy-next-upstream", &[]),
    functional("proxy-next-upstream-timeout", &[]),
    functional("proxy-next-upstream-tries", &[]),
    functional("proxy-read-timeout", &[]),
    functional("proxy-redirect-from", &["off"]),
    functional("proxy-redirect-to", &["off"]),
    cosmetic("proxy-request-buffering", &[]),
    functional("proxy-send-timeout", &[]),
    functional("proxy-ssl-ciphers", &[]),
    functional("proxy-ssl-name", &[]),
    functional("proxy-ssl-protocols", &[]),
    security("proxy-ssl-secret", &[]),
    functional("proxy-ssl-server-name", &["off"]),
    functional("proxy-ssl-verify", &["off"]),
    functional("proxy-ssl-verify-depth", &[]),
    functional("relative-redirects", &["false"]),
    functional("rewrite-target", &[]),
    security("satisfy", &["all"]),
    functional("server-alias", &[]),
    security("server-snippet", &[]),
    functional("service-upstream", &["false"]),
    functional("session-cookie-change-on-failure", &["false"]),
    cosmetic("session-cookie-conditional-samesite-none", &[]),
    functional("session-cookie-domain", &[]),
    functional("session-cookie-expires", &[]),
    functional("session-cookie-max-age", &[]),
    functional("session-cookie-name", &[]),
    functional("session-cookie-path", &[]),
    functional("session-cookie-samesite", &[]),
    functional("session-cookie-secure", &[]),
    functional("ssl-ciphers", &[]),
    protocol("ssl-passthrough", &["false"]),
    cosmetic("ssl-prefer-server-ciphers", &[]),
    functional("ssl-redirect", &["false"]),
    security("stream-snippet", &[]),
    functional("temporal-redirect", &[]),
    functional("temporal-redirect-code", &[]),
    functional("upstream-hash-by", &[]),
    cosmetic("upstream-hash-by-subset", &[]),
    cosmetic("upstream-hash-by-subset-size", &[]),
    functional("upstream-vhost", &[]),
    functional("use-port-in-redirects", &["false"]),
    functional("use-regex", &["false"]),
    security("whitelist-source-range", &["0.0.0.0/0,::/0", "::/0,0.0.0.0/0"]),
    functional("x-forwarded-prefix", &[]),
];
