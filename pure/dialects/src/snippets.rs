//! Text for nginx's configuration, and what to write instead of it: it is never interpreted.

/// What people write into snippets most, and what to write instead.
pub(crate) const SNIPPETS: [(&str, &str); 20] = [
    (
        "more_set_headers \"X-Frame-Options: DENY\"",
        "`custom-headers`, with the line in a ConfigMap",
    ),
    ("add_header Content-Security-Policy …", "`custom-headers`"),
    (
        "add_header Strict-Transport-Security …",
        "the settings `hsts`, `hsts-max-age`, `hsts-preload`",
    ),
    ("add_header Access-Control-Allow-Origin …", "`enable-cors` and `cors-allow-origin`"),
    ("more_clear_headers Server", "nothing: it is taken away unless you ask for it"),
    ("proxy_hide_header X-Powered-By", "`custom-headers` with the line and an empty value"),
    ("proxy_set_header Host …", "`upstream-vhost`"),
    ("proxy_set_header X-Forwarded-Proto https", "nothing: it is told to endpoints as it is"),
    ("proxy_set_header Upgrade $http_upgrade", "nothing: WebSocket works without"),
    ("proxy_set_header X-Real-IP $remote_addr", "nothing: it is told to endpoints"),
    ("return 301 https://…", "`permanent-redirect`"),
    ("rewrite ^/old(.*)$ /new$1 permanent", "an Ingress for `/old` with `permanent-redirect`"),
    ("rewrite ^/api/(.*)$ /$1 break", "`use-regex`, path `/api/(.*)`, `rewrite-target: /$1`"),
    ("if ($host = 'www.a.b') { return 301 … }", "`from-to-www-redirect`"),
    ("location /private { deny all; }", "an Ingress for `/private` with `allowlist-source-range`"),
    ("allow 10.0.0.0/8; deny all;", "`allowlist-source-range`"),
    ("client_max_body_size 50m", "`proxy-body-size: 50m`"),
    ("proxy_read_timeout 3600s", "`proxy-read-timeout: \"3600\"`"),
    ("auth_request /oauth2/auth", "`auth-url` and `auth-signin`"),
    ("limit_req zone=…", "`limit-rps`, `limit-burst-multiplier`, `limit-allowlist`"),
];

/// What to write instead of a snippet: by the first of its directives that stands in the table.
pub(crate) fn instead_of_snippet(text: &str) -> String {
    let first_word = |text: &'_ str| text.split_whitespace().next().map(str::to_owned);
    let alike =
        |one: &str, other: &str| one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let statements = text.split([';', '\n', '{', '}']).map(str::trim).filter(|it| !it.is_empty());
    let known = statements.filter_map(|statement| {
        let of_it = SNIPPETS.iter().filter(|(row, _)| first_word(row) == first_word(statement));
        of_it.max_by_key(|(row, _)| alike(row, statement))
    });
    match known.map(|(_, instead)| *instead).next() {
        Some(instead) => match instead.strip_prefix("nothing: ") {
            Some(why) => format!("remove it: {why}"),
            None => format!("remove it, and write instead: {instead}"),
        },
        None => {
            "remove it; docs/nginx.md has a table of what to write instead of snippets".to_owned()
        }
    }
}
