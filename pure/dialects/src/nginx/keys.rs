//! The keys of ingress-nginx's ConfigMap, as of 1.15, by name.

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFate {
    /// It is read, and honoured.
    Reads,
    /// The same, and it keeps somebody out: one that is written nearly so is not left out.
    Guards,
    /// Nobody sees a difference, or only in speed.
    Cosmetic,
    /// It is not honoured, and nobody comes in who should not: what is to be written instead.
    Elsewhere(&'static str),
    /// Text for nginx's configuration, which is never interpreted: one that may keep somebody out
    /// is refused, another one is not honoured.
    Snippet,
    /// It keeps somebody out, and is not honoured: what is to be done instead.
    Refused(&'static str),
}
use KeyFate::{Cosmetic, Elsewhere, Guards, Reads, Refused, Snippet};

const READ: &str = "`--entrypoints.NAME.transport.respondingtimeouts.readtimeout`";
const IDLE: &str = "`--entrypoints.NAME.transport.respondingtimeouts.idletimeout`";
const TRACES: &str =
    "`--tracing.otlp.http.endpoint`, `--tracing.samplerate`, `--tracing.servicename`";
const WHERE: &str = "nothing: where clients are by their addresses is told nobody";
const EARLY: &str = "nothing: what comes before a handshake is done could be sent again by others, \
    so it is not taken";
const CURVES: &str = "nothing: keys are agreed on by elliptic curves";
const TOKENS: &str = "nothing: a line whose name is no token (RFC 9110, section 5.6.2) is answered \
    400 in any case";
const OWN_TLS: &str = "nothing: what an Ingress says of TLS to backends counts for its own paths, as \
    with \"true\"";
const LINES: &str = "nothing: lines of requests of up to 64 KiB are taken in any case";
const HEADS: &str = "nothing: heads of answers of up to 16 KiB are taken in any case";
const LOG: &str = "nothing: the log is written to the standard output, for the system to pass on";

/// What directives of nginx begin with by which somebody is kept out, or of which nobody knows.
const KEEPING_OUT: [&str; 16] = [
    "access_by_",
    "allow",
    "auth_",
    "deny",
    "if",
    "include",
    "internal",
    "js_",
    "limit_",
    "modsecurity",
    "return",
    "rewrite_by_",
    "satisfy",
    "ssl_client_",
    "ssl_verify_",
    "valid_referers",
];

/// The value of a key by which it asks for nothing.
pub(super) fn idle(key: &str) -> &'static str {
    if key == "ignore-invalid-headers" { "true" } else { "false" }
}

/// Whether a key keeps somebody out where it is honoured.
pub(super) fn restricts(key: &str) -> bool {
    KEYS.iter().any(|(name, fate)| *name == key && matches!(fate, Refused(_) | Guards))
}

/// Whether text for nginx's configuration may keep somebody out: any of its words, wherever it
/// stands, may be a directive of that kind.
pub(super) fn may_keep_out(snippet: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut words = snippet.split(|it| !is_part(it)).filter(|it| !it.is_empty());
    words.any(|word| KEEPING_OUT.iter().any(|it| word.starts_with(it)))
}

/// All keys.
pub const KEYS: [(&str, KeyFate); 187] = [
    ("access-log-params", Cosmetic),
    ("access-log-path", Reads),
    ("add-headers", Reads),
    ("allow-backend-server-header", Reads),
    ("allow-cross-namespace-resources", Reads),
    ("allow-snippet-annotations", Cosmetic),
    ("annotation-value-word-blocklist", Guards),
    ("annotations-risk-level", Guards),
    ("bind-address", Cosmetic),
    ("block-cidrs", Guards),
    ("block-referers", Guards),
    ("block-user-agents", Guards),
    ("brotli-level", Cosmetic),
    ("brotli-min-length", Reads),
    ("brotli-types", Reads),
    ("client-body-buffer-size", Cosmetic),
    ("client-body-timeout", Elsewhere(READ)),
    ("client-header-buffer-size", Cosmetic),
    ("client-header-timeout", Elsewhere(READ)),
    ("compute-full-forwarded-for", Reads),
    ("custom-http-errors", Reads),
    ("debug-connections", Cosmetic),
    ("default-type", Cosmetic),
    ("denylist-source-range", Guards),
    ("disable-access-log", Reads),
    ("disable-http-access-log", Reads),
    ("disable-ipv6", Cosmetic),
    ("disable-ipv6-dns", Cosmetic),
    ("disable-proxy-intercept-errors", Reads),
    ("disable-stream-access-log", Reads),
    ("enable-access-log-for-default-backend", Reads),
    ("enable-aio-write", Cosmetic),
    ("enable-brotli", Reads),
    (
        "enable-modsecurity",
        Refused(
            "there is no web application firewall here: ask another program (auth-url), or remove it",
        ),
    ),
    ("enable-multi-accept", Cosmetic),
    ("enable-ocsp", Reads),
    ("enable-opentelemetry", Elsewhere(TRACES)),
    (
        "enable-owasp-modsecurity-crs",
        Refused(
            "there is no web application firewall here: ask another program (auth-url), or remove it",
        ),
    ),
    ("enable-real-ip", Reads),
    ("enable-serial-reloads", Cosmetic),
    ("enable-syslog", Elsewhere(LOG)),
    ("enable-underscores-in-headers", Reads),
    ("error-log-level", Cosmetic),
    ("error-log-path", Cosmetic),
    ("force-ssl-redirect", Reads),
    ("forwarded-for-header", Reads),
    ("forwarded-for-proxy-protocol-header", Cosmetic),
    ("generate-request-id", Reads),
    ("geoip2-autoreload-in-minutes", Cosmetic),
    ("global-allowed-response-headers", Reads),
    ("global-auth-always-set-cookie", Reads),
    ("global-auth-cache-duration", Reads),
    ("global-auth-cache-key", Reads),
    ("global-auth-method", Reads),
    ("global-auth-request-redirect", Reads),
    ("global-auth-response-headers", Reads),
    ("global-auth-signin", Reads),
    ("global-auth-signin-redirect-param", Reads),
    (
        "global-auth-snippet",
        Refused("configuration of nginx is never interpreted: say it with auth-* annotations"),
    ),
    ("global-auth-url", Guards),
    ("gzip-disable", Reads),
    ("gzip-level", Cosmetic),
    ("gzip-min-length", Reads),
    ("gzip-types", Reads),
    ("hide-headers", Reads),
    ("hsts", Reads),
    ("hsts-include-subdomains", Reads),
    ("hsts-max-age", Reads),
    ("hsts-preload", Reads),
    ("http-access-log-path", Reads),
    ("http-redirect-code", Reads),
    ("http-snippet", Snippet),
    ("http2-max-concurrent-streams", Cosmetic),
    ("http2-max-field-size", Cosmetic),
    ("http2-max-header-size", Cosmetic),
    ("http2-max-requests", Cosmetic),
    ("ignore-invalid-headers", Elsewhere(TOKENS)),
    ("keep-alive", Elsewhere(IDLE)),
    ("keep-alive-requests", Cosmetic),
    ("large-client-header-buffers", Elsewhere(LINES)),
    ("limit-conn-status-code", Reads),
    ("limit-conn-zone-variable", Guards),
    ("limit-rate", Reads),
    ("limit-rate-after", Reads),
    ("limit-req-status-code", Reads),
    ("load-balance", Reads),
    ("location-snippet", Snippet),
    ("log-format-escape-json", Reads),
    ("log-format-escape-none", Reads),
    ("log-format-stream", Reads),
    ("log-format-upstream", Reads),
    ("lua-shared-dicts", Cosmetic),
    ("main-snippet", Snippet),
    ("map-hash-bucket-size", Cosmetic),
    ("max-worker-connections", Cosmetic),
    ("max-worker-open-files", Cosmetic),
    (
        "modsecurity-snippet",
        Refused(
            "there is no web application firewall here: ask another program (auth-url), or remove it",
        ),
    ),
    ("nginx-status-ipv4-whitelist", Cosmetic),
    ("nginx-status-ipv6-whitelist", Cosmetic),
    ("no-auth-locations", Reads),
    ("no-tls-redirect-locations", Reads),
    ("opentelemetry-operation-name", Elsewhere(TRACES)),
    ("opentelemetry-trust-incoming-span", Elsewhere(TRACES)),
    ("otel-max-export-batch-size", Elsewhere(TRACES)),
    ("otel-max-queuesize", Elsewhere(TRACES)),
    ("otel-sampler", Elsewhere(TRACES)),
    ("otel-sampler-parent-based", Elsewhere(TRACES)),
    ("otel-sampler-ratio", Elsewhere(TRACES)),
    ("otel-schedule-delay-millis", Elsewhere(TRACES)),
    ("otel-service-name", Elsewhere(TRACES)),
    ("otlp-collector-host", Elsewhere(TRACES)),
    ("otlp-collector-port", Elsewhere(TRACES)),
    ("preserve-trailing-slash", Reads),
    ("proxy-add-original-uri-header", Reads),
    ("proxy-body-size", Reads),
    ("proxy-buffer-size", Elsewhere(HEADS)),
    ("proxy-buffering", Cosmetic),
    ("proxy-buffers-number", Cosmetic),
    ("proxy-busy-buffers-size", Cosmetic),
    ("proxy-connect-timeout", Reads),
    ("proxy-cookie-domain", Reads),
    ("proxy-cookie-path", Reads),
    ("proxy-headers-hash-bucket-size", Cosmetic),
    ("proxy-headers-hash-max-size", Cosmetic),
    ("proxy-http-version", Reads),
    ("proxy-max-temp-file-size", Cosmetic),
    ("proxy-next-upstream", Reads),
    ("proxy-next-upstream-timeout", Reads),
    ("proxy-next-upstream-tries", Reads),
    ("proxy-protocol-header-timeout", Reads),
    ("proxy-read-timeout", Reads),
    ("proxy-real-ip-cidr", Reads),
    ("proxy-redirect-from", Reads),
    ("proxy-redirect-to", Reads),
    ("proxy-request-buffering", Cosmetic),
    ("proxy-send-timeout", Reads),
    ("proxy-set-headers", Reads),
    ("proxy-ssl-location-only", Elsewhere(OWN_TLS)),
    ("proxy-stream-next-upstream", Cosmetic),
    ("proxy-stream-next-upstream-timeout", Cosmetic),
    ("proxy-stream-next-upstream-tries", Cosmetic),
    ("proxy-stream-responses", Reads),
    ("proxy-stream-timeout", Reads),
    ("relative-redirects", Reads),
    ("retry-non-idempotent", Reads),
    ("reuse-port", Cosmetic),
    ("server-name-hash-bucket-size", Cosmetic),
    ("server-name-hash-max-size", Cosmetic),
    ("server-snippet", Snippet),
    ("server-tokens", Reads),
    ("service-upstream", Reads),
    ("skip-access-log-urls", Reads),
    ("ssl-buffer-size", Cosmetic),
    ("ssl-ciphers", Reads),
    ("ssl-dh-param", Elsewhere(CURVES)),
    ("ssl-early-data", Elsewhere(EARLY)),
    ("ssl-ecdh-curve", Reads),
    ("ssl-protocols", Reads),
    ("ssl-redirect", Reads),
    ("ssl-reject-handshake", Reads),
    ("ssl-session-cache", Cosmetic),
    ("ssl-session-cache-size", Cosmetic),
    ("ssl-session-ticket-key", Cosmetic),
    ("ssl-session-tickets", Reads),
    ("ssl-session-timeout", Cosmetic),
    ("stream-access-log-path", Reads),
    ("stream-snippet", Snippet),
    ("strict-validate-path-type", Reads),
    ("syslog-host", Elsewhere(LOG)),
    ("syslog-port", Elsewhere(LOG)),
    ("upstream-keepalive-connections", Reads),
    ("upstream-keepalive-requests", Reads),
    ("upstream-keepalive-time", Reads),
    ("upstream-keepalive-timeout", Reads),
    ("use-forwarded-headers", Reads),
    ("use-geoip", Elsewhere(WHERE)),
    ("use-geoip2", Elsewhere(WHERE)),
    ("use-gzip", Reads),
    ("use-http2", Reads),
    ("use-port-in-redirects", Reads),
    ("use-proxy-protocol", Reads),
    ("variables-hash-bucket-size", Cosmetic),
    ("variables-hash-max-size", Cosmetic),
    ("whitelist-source-range", Guards),
    ("worker-cpu-affinity", Cosmetic),
    ("worker-processes", Cosmetic),
    ("worker-shutdown-timeout", Cosmetic),
];
