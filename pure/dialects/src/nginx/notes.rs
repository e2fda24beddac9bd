//! What docs/nginx.md says beside the rows: where we differ and why, what is refused and what to
//! write instead, and what to write for snippets.

/// Annotations that are honoured otherwise than in ingress-nginx, with the reason.
pub(super) const DIFFERENT: [(&str, &str); 19] = [
    (
        "auth-tls-secret",
        "who asks without TLS is answered 403, there he is let in; a request for another host than \
         that of its handshake is answered 421; a certificate of X.509 version 1 ends the \
         handshake",
    ),
    ("auth-cache-duration", "401 is asked for anew each time"),
    (
        "auth-cache-key",
        "an answer counts for the same path, query, method, client, `Authorization` and `Cookie` \
         too",
    ),
    ("backend-protocol", "`FCGI` closes the routes: FastCGI is not spoken"),
    (
        "cors-allow-origin",
        "origins are compared whole, there anywhere in what is said; one that is said back comes \
         with `Vary: Origin`",
    ),
    (
        "connection-proxy-header",
        "`keep-alive` and `close`; what asks for WebSocket says so by itself",
    ),
    (
        "custom-http-errors",
        "the page is asked for by the method of the request, without its body and with few of its lines",
    ),
    (
        "limit-connections",
        "requests that are under way are counted, as there, by the replica that has them",
    ),
    (
        "mirror-target",
        "who gets copies is known beforehand, so no variable stands in the host; `$request_uri` is \
         what endpoints are asked for, and a body of more than 4 MiB is not copied",
    ),
    (
        "proxy-body-size",
        "a body that comes in chunks is counted as it goes on, so an endpoint may see its begin",
    ),
    ("proxy-http-version", "with `1.0` a request whose body has more than 1 MiB is sent in 1.1"),
    (
        "proxy-next-upstream",
        "an endpoint that takes no connection is passed over in any case; without it what one has got goes \
         to each other one once, if its method lets it; with it ten times at most, up to 1 MiB of body",
    ),
    ("proxy-ssl-protocols", "without it TLS 1.3 is spoken too, there 1.2 alone"),
    ("rewrite-target", "what endpoints would take for another path (`..`) is answered 400"),
    ("server-alias", "of an Ingress with several hosts the first has the other names"),
    (
        "session-cookie-change-on-failure",
        "without it another endpoint answers while one's own fails, there it is 502",
    ),
    ("upstream-hash-by-subset", "which endpoints are in one group is another than there, once"),
    (
        "upstream-hash-by",
        "by `$request_uri`, `$remote_addr`, `$host`, `$http_NAME`, `$cookie_NAME`, `$arg_NAME` and \
         texts; what belongs to whom is another than there, once",
    ),
    (
        "use-regex",
        "expressions with look-around or back references take 4,000 steps and 1 KiB of a path at \
         most; past that it is 503",
    ),
];

/// Annotations that are not honoured, and what says the same instead.
pub(super) const INSTEAD: [(&str, &str); 6] = [
    ("fastcgi-index", "FastCGI is not spoken; put a server of HTTP before the program"),
    ("fastcgi-params-configmap", "FastCGI is not spoken; put a server of HTTP before the program"),
    ("proxy-buffer-size", "nothing: heads of answers of up to 16 KiB are taken in any case"),
    (
        "proxy-ssl-ciphers",
        "nothing: of TLS 1.2 the suites are offered that are thought safe, of 1.3 all",
    ),
    ("proxy-ssl-verify-depth", "nothing: signatures are followed through six certificates"),
    (
        "ssl-ciphers",
        "the setting `ssl-ciphers`, or a TLSOption of Traefik's with the name `default`, for all hosts",
    ),
];

/// Keys of the ConfigMap that are honoured otherwise than in ingress-nginx, with the reason.
pub(super) const DIFFERENT_KEYS: [(&str, &str); 16] = [
    (
        "proxy-stream-responses",
        "without it a session of UDP ends once nothing has come for a while, there after one datagram \
         of the endpoint",
    ),
    (
        "ssl-ciphers",
        "of TLS 1.2 ECDHE with AES-GCM or ChaCha20-Poly1305 is to be had; a TLSOption of Traefik's \
         with the name `default` counts before it, as before all keys of handshakes",
    ),
    ("ssl-ecdh-curve", "X25519, P-256, P-384 and X25519MLKEM768 are to be had"),
    ("ssl-protocols", "TLS 1.2 and 1.3 are spoken, none before"),
    ("ssl-reject-handshake", "also for hosts of Ingresses that no certificate is for"),
    (
        "log-format-escape-none",
        "what would end a line, or change how a terminal shows it, is written as `\\xHH`",
    ),
    (
        "log-format-upstream",
        "of several endpoints that were asked the last one is said, `$bytes_sent` has no heads in it, \
         and `$proxy_upstream_name` is that of the Service that was asked, also of a canary; a \
         variable that is not known is `-`, and told",
    ),
    (
        "access-log-path",
        "where `--accesslog` is given it has all requests, unless the ConfigMap says a place or a \
         format; without the ConfigMap there is no such log",
    ),
    (
        "use-forwarded-headers",
        "`X-Forwarded-Proto`, `-Host` and `-Port` are taken of peers in `proxy-real-ip-cidr` alone, \
         there of everybody; options of the entry point count before it",
    ),
    (
        "use-proxy-protocol",
        "where a connection comes from is taken of peers in `proxy-real-ip-cidr`, also for TCP \
         services with `PROXY`; options of the entry point count before it",
    ),
    ("limit-conn-zone-variable", "`$binary_remote_addr`, `$host` and `$http_NAME`"),
    ("proxy-real-ip-cidr", "what is no range lets nobody speak for others"),
    ("global-auth-cache-duration", "401 is asked for anew each time"),
    (
        "global-auth-cache-key",
        "an answer counts for the same path, query, method, client, `Authorization` and `Cookie` \
         too",
    ),
    ("upstream-keepalive-connections", "`0` keeps none; another number makes no difference"),
    ("upstream-keepalive-requests", "calls of gRPC share connections, however many they are"),
];

/// Annotations that are refused: why, and what to do instead.
pub(super) const REFUSED: [(&str, &str); 7] = [
    ("auth-snippet", "text for nginx's configuration; use auth-* annotations"),
    ("configuration-snippet", "text for nginx's configuration; see the table of snippets"),
    ("enable-modsecurity", "there is no web application firewall here; ask one by auth-url"),
    ("enable-owasp-core-rules", "there is no web application firewall here; ask one by auth-url"),
    ("modsecurity-snippet", "there is no web application firewall here; ask one by auth-url"),
    ("server-snippet", "text for nginx's configuration; see the table of snippets"),
    ("stream-snippet", "text for nginx's configuration; write an IngressRouteTCP or -UDP"),
];

/// Of those honoured otherwise, the ones that are only so for some values, of which `check` speaks
/// by itself where they are written.
pub(super) const BY_VALUE: [&str; 2] = ["backend-protocol", "use-regex"];
