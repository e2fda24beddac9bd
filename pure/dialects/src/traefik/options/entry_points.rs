//! Options of entry points.

use super::Form::{Below, List, Number, Switch, Text, Time, Word};
use super::OptionFate::{Cosmetic, Differs, Later, Reads};
use super::{StaticOption, rows};

const RESOLVER: &str = "Traefik would have it ask for certificates of the hosts that routes name here; \
     nobody is asked: those of Secrets and files are shown";
const DOMAINS: &str = "Traefik would have its resolver ask for certificates of these names; nobody is \
     asked: those of Secrets and files are shown";
const HTTP3: &str = "HTTP/3 is not spoken: clients use HTTP/2";

pub(super) const ROWS: &[StaticOption] = rows! {
    "entryPoints.*.address" Text, "", Differs("of names of hosts `localhost` alone is one");
    "entryPoints.*.allowACMEByPass" Switch, "false", Reads;
    "entryPoints.*.asDefault" Switch, "false", Reads;
    "entryPoints.*.forwardedHeaders.addXForwardedSchemeHeaders" Switch, "false", Reads;
    "entryPoints.*.forwardedHeaders.clientIPHeader" Text, "", Reads;
    "entryPoints.*.forwardedHeaders.connection" List, "", Reads;
    "entryPoints.*.forwardedHeaders.insecure" Switch, "false",
        Differs("who is believed so is no client: `ClientIP`, `ipAllowList` and `X-Real-Ip` go by whom they name");
    "entryPoints.*.forwardedHeaders.notAppendXForwardedFor" Switch, "false", Reads;
    "entryPoints.*.forwardedHeaders.rfc7239" Switch, "false", Reads;
    "entryPoints.*.forwardedHeaders.trustedIPs" List, "",
        Differs("who is believed so is no client: `ClientIP`, `ipAllowList` and `X-Real-Ip` go by whom they name");
    "entryPoints.*.http.encodeQuerySemicolons" Switch, "false",
        Differs("queries to endpoints of Ingresses of class `nginx` go on as they came");
    "entryPoints.*.http.encodedCharacters.allowEncodedBackSlash" Switch, "true", Reads;
    "entryPoints.*.http.encodedCharacters.allowEncodedHash" Switch, "true", Reads;
    "entryPoints.*.http.encodedCharacters.allowEncodedNullCharacter" Switch, "true",
        Cosmetic("an encoded NUL is refused in any case");
    "entryPoints.*.http.encodedCharacters.allowEncodedPercent" Switch, "true", Reads;
    "entryPoints.*.http.encodedCharacters.allowEncodedQuestionMark" Switch, "true", Reads;
    "entryPoints.*.http.encodedCharacters.allowEncodedSemicolon" Switch, "true", Reads;
    "entryPoints.*.http.encodedCharacters.allowEncodedSlash" Switch, "true", Reads;
    "entryPoints.*.http.maxHeaderBytes" Number, "1048576", Differs("4,096 bytes more, as with Go, and 64 KiB at most; 0 and less are the default");
    "entryPoints.*.http.middlewares" List, "", Reads;
    "entryPoints.*.http.redirections.entryPoint.permanent" Switch, "true", Reads;
    "entryPoints.*.http.redirections.entryPoint.priority" Number, "9223372036854775806", Reads;
    "entryPoints.*.http.redirections.entryPoint.scheme" Word(&["http", "https"]), "https", Reads;
    "entryPoints.*.http.redirections.entryPoint.to" Text, "", Reads;
    "entryPoints.*.http.sanitizePath" Switch, "true", Reads;
    "entryPoints.*.http.tls" Switch, "false", Differs("of `websecure` it is true unless it is said");
    "entryPoints.*.http.tls.certResolver" Text, "", Later(RESOLVER);
    "entryPoints.*.http.tls.domains" List, "", Later(DOMAINS);
    "entryPoints.*.http.tls.domains.main" Text, "", Later(DOMAINS);
    "entryPoints.*.http.tls.domains.sans" List, "", Later(DOMAINS);
    "entryPoints.*.http.tls.options" Text, "default", Reads;
    "entryPoints.*.http.underscoreHeadersStrategy" Word(&["keep", "delete", "reject"]), "keep", Reads;
    "entryPoints.*.http2.maxConcurrentStreams" Number, "250", Differs("128 at most");
    "entryPoints.*.http2.maxDecoderHeaderTableSize" Number, "4096", Reads;
    "entryPoints.*.http2.maxEncoderHeaderTableSize" Number, "4096",
        Later("the table is as large as clients let it be, and 4,096 bytes at most");
    "entryPoints.*.http3" Below, "", Later(HTTP3);
    "entryPoints.*.http3.advertisedPort" Number, "0", Later(HTTP3);
    "entryPoints.*.observability.accessLogs" Switch, "true", Reads;
    "entryPoints.*.observability.metrics" Switch, "true", Reads;
    "entryPoints.*.observability.traceVerbosity" Word(&["minimal", "detailed"]), "minimal", Reads;
    "entryPoints.*.observability.tracing" Switch, "true", Reads;
    "entryPoints.*.proxyProtocol.insecure" Switch, "false", Reads;
    "entryPoints.*.proxyProtocol.trustedIPs" List, "", Reads;
    "entryPoints.*.reusePort" Switch, "false", Cosmetic("sockets are shared in any case");
    "entryPoints.*.transport.keepAliveMaxRequests" Number, "0", Reads;
    "entryPoints.*.transport.keepAliveMaxTime" Time, "0", Reads;
    "entryPoints.*.transport.lifeCycle.graceTimeOut" Time, "10s",
        Differs("the longest of all counts for each");
    "entryPoints.*.transport.lifeCycle.requestAcceptGraceTimeout" Time, "0",
        Differs("the longest of all counts for each");
    "entryPoints.*.transport.respondingTimeouts.idleTimeout" Time, "180s", Reads;
    "entryPoints.*.transport.respondingTimeouts.readTimeout" Time, "60s",
        Differs("it is for the head, and for each piece of a body: a slow upload goes on");
    "entryPoints.*.transport.respondingTimeouts.writeTimeout" Time, "0",
        Differs("who has heard nothing by then is answered 504");
    "entryPoints.*.udp.timeout" Time, "3s", Reads;
};
