//! Names of options, in lower case. Those of entry points are what follows `entrypoints.NAME`.

/// What those of Traefik's provider of class nginx begin with.
pub(super) const OF_NGINX: &str = "providers.kubernetesingressnginx.";

/// What names of labels come after.
pub(super) const HEADER_LABELS: &str = "metrics.prometheus.headerlabels.";
pub(super) const BUCKETS: &str = "metrics.prometheus.buckets";

/// The one without which nothing is traced.
pub(super) const DETAILED: &str = ".observability.traceverbosity";
pub(super) const TRACED_TO: &str = "tracing.otlp.http.endpoint";
/// What collectors know this by, unless told otherwise.
pub(super) const SERVICE_NAME: &str = "steelyard";

/// How often endpoints of connections are asked whether they are there.
pub(super) const KEPT_ALIVE: &str = "tcpserverstransport.dialkeepalive";

pub(super) const ADDRESS: &str = ".address";
pub(super) const SANITIZE_PATH: &str = ".http.sanitizepath";
pub(super) const INSECURE: &str = ".forwardedheaders.insecure";
pub(super) const TRUSTED_IPS: &str = ".forwardedheaders.trustedips";
pub(super) const CLIENT_IP_HEADER: &str = ".forwardedheaders.clientipheader";
pub(super) const CONNECTION: &str = ".forwardedheaders.connection";
pub(super) const RFC_7239: &str = ".forwardedheaders.rfc7239";
pub(super) const PROXY_INSECURE: &str = ".proxyprotocol.insecure";
pub(super) const PROXY_TRUSTED_IPS: &str = ".proxyprotocol.trustedips";
pub(super) const UDP_TIMEOUT: &str = ".udp.timeout";
pub(super) const GRACE: &str = ".transport.lifecycle.gracetimeout";
pub(super) const TLS: &str = ".http.tls";
pub(super) const AS_DEFAULT: &str = ".asdefault";
pub(super) const REDIRECTION: &str = ".http.redirections.entrypoint";
pub(super) const MIDDLEWARES: &str = ".http.middlewares";
pub(super) const CHARACTERS: &str = ".http.encodedcharacters.allowencoded";
pub(super) const NOT_APPENDED: &str = ".forwardedheaders.notappendxforwardedfor";
pub(super) const SCHEME_LINES: &str = ".forwardedheaders.addxforwardedschemeheaders";
pub(super) const UNDERSCORES: &str = ".http.underscoreheadersstrategy";
pub(super) const LOGGED: &str = ".observability.accesslogs";
pub(super) const COUNTED: &str = ".observability.metrics";
pub(super) const TRACED: &str = ".observability.tracing";
pub(super) const LETS_CHALLENGES: &str = ".allowacmebypass";
pub(super) const ACCEPTS: &str = ".transport.lifecycle.requestacceptgracetimeout";
pub(super) const AGE: &str = ".transport.keepalivemaxtime";
pub(super) const ANSWER: &str = ".transport.respondingtimeouts.writetimeout";
pub(super) const HEAD: &str = ".http.maxheaderbytes";
pub(super) const READ: &str = ".transport.respondingtimeouts.readtimeout";
pub(super) const REQUESTS: &str = ".transport.keepalivemaxrequests";
pub(super) const SEMICOLONS: &str = ".http.encodequerysemicolons";
pub(super) const TABLE: &str = ".http2.maxdecoderheadertablesize";
pub(super) const IDLE: &str = ".transport.respondingtimeouts.idletimeout";
pub(super) const STREAMS: &str = ".http2.maxconcurrentstreams";
pub(super) const TLS_OPTIONS: &str = ".http.tls.options";
pub(super) const REDIRECTED_TO: &str = ".http.redirections.entrypoint.to";
/// What is set of entry points, besides where they listen.
pub(super) const OF_ENTRY_POINTS: [&str; 32] = [
    CONNECTION,
    SCHEME_LINES,
    LOGGED,
    COUNTED,
    TRACED,
    LETS_CHALLENGES,
    ACCEPTS,
    AGE,
    ANSWER,
    HEAD,
    READ,
    REQUESTS,
    SEMICOLONS,
    TABLE,
    GRACE,
    IDLE,
    STREAMS,
    NOT_APPENDED,
    UNDERSCORES,
    TLS,
    TLS_OPTIONS,
    MIDDLEWARES,
    AS_DEFAULT,
    REDIRECTED_TO,
    SANITIZE_PATH,
    INSECURE,
    TRUSTED_IPS,
    CLIENT_IP_HEADER,
    RFC_7239,
    PROXY_INSECURE,
    PROXY_TRUSTED_IPS,
    UDP_TIMEOUT,
];
/// What says whom to believe: some, and everybody.
pub(super) const BELIEVED: [(&str, &str); 2] =
    [(TRUSTED_IPS, INSECURE), (PROXY_TRUSTED_IPS, PROXY_INSECURE)];

/// Those that are times.
pub(super) const TIMES: [&str; 6] = [ACCEPTS, AGE, ANSWER, GRACE, IDLE, READ];

/// Whether `name` is `prefix` and a name of the user's choice.
pub(super) fn is_of(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())
}

/// The entry point that `option` sets something of.
pub(super) fn entry_point_name<'o>(option: &'o str, of: &str) -> Option<&'o str> {
    let name = option.strip_prefix("entrypoints.")?.strip_suffix(of)?;
    (!name.is_empty() && !name.contains('.')).then_some(name)
}
