//! ingress-nginx's, as of 1.15, by name.

use steelyard_model::routing::tls::TlsVersion;
use steelyard_model::routing::transport::OriginScheme;

use super::row::states::{COSMETIC, LATER, RESTRICTS};
use super::row::{Annotation, ITS_PATH, State, rows};
use super::vocabulary::{Prefixes, Vocabulary};

pub(crate) const NGINX: Vocabulary = Vocabulary {
    whose: "ingress-nginx",
    prefixes: Prefixes::Nginx,
    rows: &[&ON_INGRESS],
    is_closed: true,
    empty_is_absent: true,
};

/// `GRPC` is HTTP/2 without TLS, and over TLS nginx speaks what it is told. `AUTO_HTTP` is what the
/// client speaks: what is said here is so for those in plain.
const SPOKEN: State = State::Speaks(|value| match value.to_ascii_lowercase().as_str() {
    "http" | "auto_http" => Some(OriginScheme::Http),
    "grpc" => Some(OriginScheme::H2c),
    "https" => Some(OriginScheme::SecureHttp1),
    "grpcs" => Some(OriginScheme::SecureHttp2),
    "fcgi" => None,
    // Another word is said to be none (`location/passed_on.rs`), and is as if it were not there.
    _ => Some(OriginScheme::Http),
});

/// It is read with others of its group (`location.rs`).
const GROUPED: State = State::Reads(|_, _, _| {});

/// What is no word for it is as if nothing were said, as in ingress-nginx.
const REDIRECTS: State = State::Reads(|written, wishes, _| wishes.redirects = written.boolean());
const ALWAYS_REDIRECTS: State = State::Reads(|written, wishes, _| {
    wishes.always_redirects = written.boolean().unwrap_or_default();
});

/// What ingress-nginx reads of TLS to backends, all of it only beside `proxy-ssl-secret`.
const ORIGIN_SECRET: State =
    State::Reads(|written, wishes, _| wishes.origin.secret = Some(written.into()));
const ORIGIN_IS_VERIFIED: State = State::Reads(|written, wishes, _| {
    wishes.origin.is_verified = written.is_on();
    wishes.origin.keys.push(written.key.to_owned());
});
const ORIGIN_SENDS_NAME: State = State::Reads(|written, wishes, _| {
    wishes.origin.sends_name = written.is_on();
    wishes.origin.keys.push(written.key.to_owned());
});
const ORIGIN_NAME: State = State::Reads(|written, wishes, _| {
    wishes.origin.server_name = Some(written.value.trim().to_owned());
    wishes.origin.keys.push(written.key.to_owned());
});
const ORIGIN_VERSIONS: State = State::Reads(|written, wishes, _| {
    let version = |word| match word {
        "TLSv1.2" => Some(TlsVersion::V1_2),
        "TLSv1.3" => Some(TlsVersion::V1_3),
        _ => None,
    };
    let asked: Option<Vec<TlsVersion>> = written.value.split_whitespace().map(version).collect();
    let asked = asked.unwrap_or_default();
    wishes.origin.versions = asked.iter().min().copied().zip(asked.iter().max().copied());
    wishes.origin.keys.push(written.key.to_owned());
});

const ON_INGRESS: [Annotation; 138] = rows! { Ingress:
    "affinity" GROUPED, [];
    "affinity-canary-behavior" GROUPED, [];
    "affinity-mode" GROUPED, [];
    "allowlist-source-range" State::Guards, [];
    "app-root" GROUPED, [];
    "auth-always-set-cookie" GROUPED, ["false"];
    "auth-cache-duration" GROUPED, [];
    "auth-cache-key" GROUPED, [];
    "auth-keepalive" COSMETIC, [];
    "auth-keepalive-requests" COSMETIC, [];
    "auth-keepalive-share-vars" COSMETIC, [];
    "auth-keepalive-timeout" COSMETIC, [];
    "auth-method" GROUPED, [];
    "auth-proxy-set-headers" GROUPED, [];
    "auth-realm" GROUPED, [];
    "auth-request-redirect" GROUPED, [];
    "auth-response-headers" State::Guards, [];
    "auth-secret" State::Guards, [];
    "auth-secret-type" State::Guards, [];
    "auth-signin" State::Guards, [];
    "auth-signin-redirect-param" GROUPED, [];
    "auth-snippet" RESTRICTS, [];
    "auth-tls-error-page" GROUPED, [];
    "auth-tls-match-cn" State::Guards, [];
    "auth-tls-pass-certificate-to-upstream" GROUPED, ["false"];
    "auth-tls-secret" State::Guards, [];
    "auth-tls-verify-client" State::Guards, [];
    "auth-tls-verify-depth" State::Guards, [];
    "auth-type" State::Guards, [];
    "auth-url" State::Guards, [];
    "backend-protocol" SPOKEN, [];
    "canary" GROUPED, ["false"];
    "canary-by-cookie" GROUPED, [];
    "canary-by-header" GROUPED, [];
    "canary-by-header-pattern" GROUPED, [];
    "canary-by-header-value" GROUPED, [];
    "canary-weight" GROUPED, [];
    "canary-weight-total" GROUPED, [];
    "client-body-buffer-size" COSMETIC, [];
    "configuration-snippet" RESTRICTS, [];
    "connection-proxy-header" GROUPED, [];
    "cors-allow-credentials" GROUPED, ["true"];
    "cors-allow-headers" GROUPED, [];
    "cors-allow-methods" GROUPED, [];
    "cors-allow-origin" GROUPED, [];
    "cors-expose-headers" GROUPED, [];
    "cors-max-age" GROUPED, [];
    "custom-headers" GROUPED, [];
    "custom-http-errors" GROUPED, [];
    "default-backend" GROUPED, [];
    "denylist-source-range" State::Guards, [];
    "disable-proxy-intercept-errors" GROUPED, [];
    "enable-access-log" GROUPED, ["true"];
    "enable-cors" GROUPED, ["false"];
    "enable-global-auth" GROUPED, ["true"];
    "enable-modsecurity" RESTRICTS, ["false"];
    "enable-opentelemetry" COSMETIC, [];
    "enable-owasp-core-rules" RESTRICTS, ["false"];
    "enable-rewrite-log" COSMETIC, [];
    "fastcgi-index" LATER, [];
    "fastcgi-params-configmap" LATER, [];
    "force-ssl-redirect" ALWAYS_REDIRECTS, ["false"];
    "from-to-www-redirect" GROUPED, ["false"];
    "http2-push-preload" COSMETIC, [];
    "limit-allowlist" GROUPED, [];
    "limit-burst-multiplier" State::Guards, [];
    "limit-connections" State::Guards, ["0"];
    "limit-rate" GROUPED, [];
    "limit-rate-after" GROUPED, [];
    "limit-rpm" State::Guards, ["0"];
    "limit-rps" State::Guards, ["0"];
    "limit-whitelist" GROUPED, [];
    "load-balance" GROUPED, [];
    "mirror-host" GROUPED, [];
    "mirror-request-body" GROUPED, ["on"];
    "mirror-target" GROUPED, [];
    "modsecurity-snippet" RESTRICTS, [];
    "modsecurity-transaction-id" COSMETIC, [];
    "opentelemetry-operation-name" COSMETIC, [];
    "opentelemetry-trust-incoming-span" COSMETIC, [];
    "permanent-redirect" GROUPED, [];
    "permanent-redirect-code" GROUPED, [];
    "preserve-trailing-slash" GROUPED, [];
    "proxy-body-size" GROUPED, [];
    "proxy-buffer-size" LATER, [];
    "proxy-buffering" COSMETIC, [];
    "proxy-buffers-number" COSMETIC, [];
    "proxy-busy-buffers-size" COSMETIC, [];
    "proxy-connect-timeout" GROUPED, [];
    "proxy-cookie-domain" GROUPED, [];
    "proxy-cookie-path" GROUPED, [];
    "proxy-http-version" GROUPED, [];
    "proxy-max-temp-file-size" COSMETIC, [];
    "proxy-next-upstream" GROUPED, [];
    "proxy-next-upstream-timeout" GROUPED, [];
    "proxy-next-upstream-tries" GROUPED, [];
    "proxy-read-timeout" GROUPED, [];
    "proxy-redirect-from" GROUPED, [];
    "proxy-redirect-to" GROUPED, [];
    "proxy-request-buffering" COSMETIC, [];
    "proxy-send-timeout" GROUPED, [];
    "proxy-ssl-ciphers" LATER, [];
    "proxy-ssl-name" ORIGIN_NAME, [];
    "proxy-ssl-protocols" ORIGIN_VERSIONS, [];
    "proxy-ssl-secret" ORIGIN_SECRET, [];
    "proxy-ssl-server-name" ORIGIN_SENDS_NAME, ["off"];
    "proxy-ssl-verify" ORIGIN_IS_VERIFIED, ["off"];
    "proxy-ssl-verify-depth" LATER, [];
    "relative-redirects" GROUPED, [];
    "rewrite-target" GROUPED, [ITS_PATH];
    "satisfy" State::Guards, ["all"];
    "server-alias" GROUPED, [];
    "server-snippet" RESTRICTS, [];
    "service-upstream" GROUPED, [];
    "session-cookie-change-on-failure" GROUPED, ["false"];
    "session-cookie-conditional-samesite-none" GROUPED, ["false"];
    "session-cookie-domain" GROUPED, [];
    "session-cookie-expires" GROUPED, [];
    "session-cookie-max-age" GROUPED, [];
    "session-cookie-name" GROUPED, [];
    "session-cookie-path" GROUPED, [];
    "session-cookie-samesite" GROUPED, [];
    "session-cookie-secure" GROUPED, [];
    "ssl-ciphers" LATER, [];
    "ssl-passthrough" State::PassesOn, ["false"];
    "ssl-prefer-server-ciphers" COSMETIC, [];
    "ssl-redirect" REDIRECTS, [];
    "stream-snippet" RESTRICTS, [];
    "temporal-redirect" GROUPED, [];
    "temporal-redirect-code" GROUPED, [];
    "upstream-hash-by" GROUPED, [];
    "upstream-hash-by-subset" GROUPED, ["false"];
    "upstream-hash-by-subset-size" GROUPED, [];
    "upstream-vhost" GROUPED, [];
    "use-port-in-redirects" GROUPED, [];
    "use-regex" GROUPED, ["false"];
    "whitelist-source-range" State::Guards, [];
    "x-forwarded-prefix" GROUPED, [];
};
