//! What to do without the plugins that people have most: the same by a middleware, or a sentence.

/// Part of a plugin's name in lower case, and what to do instead. The first that fits counts.
const INSTEAD: &[(&str, &str)] = &[
    ("crowdsec", CROWDSEC),
    ("bouncer", CROWDSEC),
    (
        "cloudflare",
        "name Cloudflare's ranges in --entrypoints.NAME.forwardedheaders.trustedips, and take it \
         off: clients' addresses are read from there",
    ),
    ("realip", REAL_IP),
    ("real-ip", REAL_IP),
    ("geoblock", GEO),
    ("geoip", GEO),
    ("fail2ban", "let fail2ban read the access log on the host, and take it off"),
    ("denyip", DENY),
    ("deny-ip", DENY),
    ("ipdeny", DENY),
    ("blockip", DENY),
    ("api-key", "use `plugin.apiKey`, which is built in (docs/middlewares.md)"),
    ("apikey", "use `plugin.apiKey`, which is built in (docs/middlewares.md)"),
    ("jwt", "use `plugin.jwt`, which is built in (docs/middlewares.md)"),
    ("themepark", BODIES),
    ("theme-park", BODIES),
    ("rewrite-body", BODIES),
    ("rewritebody", BODIES),
    ("sablier", "nothing is started by requests here: let the application run, and take it off"),
];

const CROWDSEC: &str =
    "let CrowdSec's firewall bouncer block addresses on the hosts instead, and take it off";
const REAL_IP: &str =
    "name the proxies in --entrypoints.NAME.forwardedheaders.trustedips, and take it off";
const GEO: &str = "countries are not looked up here: let addresses in by `ipAllowList`, or keep \
                   them out by `plugin.ipDenyList`";
const DENY: &str = "use `plugin.ipDenyList`, which is built in (docs/middlewares.md)";
const BODIES: &str =
    "bodies are not rewritten here: let the application do it, such as its own theme";
const OTHERS: &str =
    "take it off to open the route to everybody, or say the same with a middleware";

/// What to do without this plugin.
pub(super) fn instead_of_plugin(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    let found = INSTEAD.iter().find(|(part, _)| name.contains(part));
    found.map_or(OTHERS, |(_, instead)| instead)
}
