//! docs/nginx.md, made of the rows.

use std::fmt::Write as _;

use super::notes::{DIFFERENT, DIFFERENT_KEYS, INSTEAD, REFUSED};
use super::verdict::find;
use super::{KEYS, KeyFate, shown};
use crate::annotation::{Annotation, NGINX, State};
use crate::snippets::SNIPPETS;

const HEAD: &str = "\
# ingress-nginx

<!-- Made by `UPDATE=1 cargo test -p steelyard-dialects nginx`. -->

Ingresses of class `nginx` are read in ingress-nginx's words, as of its last release (1.15): its
annotations, its ConfigMap and its flags. Values are data and no part of any configuration, so there
is nothing that could get out of one. Of two Ingresses that say something of one host the older one
counts.

- *supported*: it does what it does there.
- *different*: it is honoured, but for what is said beside it.
- *refused*: routes that it is on answer 503, since they would be open to whom it keeps out, or be
  served otherwise than asked for.
- *elsewhere*: it is not honoured, and is said by what stands beside it.
- *not yet*: routes are served without it, and `check` says so.
- *no difference*: it is taken, and nobody notices.

What is shown by a case is run against the program in each test run.
";

const FLAGS: &str = "
## Flags

A flag of ingress-nginx is given as `--nginx.FLAG=VALUE`. Read are `configmap` (without it
`ingress-nginx/ingress-nginx-controller`), `controller-class`, `default-backend-service`,
`default-ssl-certificate`, `disable-catch-all`, `disable-svc-external-name`, `disable-sync-events`,
`enable-topology-aware-routing`,
`ingress-class`, `ingress-class-by-name`, `shutdown-grace-period`, `tcp-services-configmap`,
`udp-services-configmap`, `watch-ingress-without-class`, `watch-namespace` and
`watch-namespace-selector` (`key=value`), and of metrics `exclude-socket-metrics`, `length-buckets`,
`metrics-per-host`, `metrics-per-undefined-host`, `report-status-classes`, `size-buckets` and
`time-buckets` (16 bounds at most). All others are taken, and told to make no difference; a name that
is none is an error. Where
`watch-ingress-without-class` is not said, Ingresses without a class are read as Traefik reads them,
and what restricts access in words of ingress-nginx counts too.

- `healthz-port` (there 10254 by itself, here where it is given), with `healthz-host` and
  `health-check-path`, opens a port that tells `/healthz`, `/readyz`, `/metrics` and, as nginx's
  `stub_status`, `/nginx_status` to everybody, and nothing else. Metrics have ingress-nginx's names too (docs/metrics.md), by Ingress, host and path as
  they are written: what clients ask for makes no series of its own, unless
  `metrics-per-undefined-host` asks for that: then hosts that nobody has are told apart, 1,000 on each
  core at most.
- `enable-ssl-passthrough=false` switches the annotation `ssl-passthrough` off, which needs no flag
  here: an ingress-nginx without the flag ends TLS itself whatever Ingresses say.
- With `enable-topology-aware-routing` requests stay in the zone of the node they came in by (the label
  `topology.kubernetes.io/zone` of its Node object; `--node` says which one it is), where the Service
  asks for that (`service.kubernetes.io/topology-mode: Auto`; here `trafficDistribution: PreferClose` or
  `PreferSameZone` too) and each of its ready endpoints has hints. It counts for all routes to such a
  Service. Where no endpoint is meant for the zone all are asked, there it may be 503. `explain` and
  `get endpoints` tell which are left out.
- Where `watch-ingress-without-class` is said, nobody else is asked: what no route takes is answered by
  nginx's page, over TLS with HSTS, and `/healthz` (`health-check-path`) by 200; a request in plain to
  `websecure` is answered 400, as there. An Ingress for all hosts has its `/healthz` itself.
- With `shutdown-grace-period` it goes on as it was for so many seconds after SIGTERM, while `/healthz`
  of that port answers 500 and `/readyz` 503.
- The controller goes by `publish-status-address`, `publish-service` and
  `report-node-internal-ip-address` (which is about the nodes with an endpoint of the gateway's
  Service), in this order, and by `update-status`; without any, Ingresses have the addresses of
  `--gateway-service`. Once an Ingress is taken up, or again otherwise, it tells
  so in an event `Sync`, unless `disable-sync-events` says that it should not.

## TCP and UDP services

`--nginx.tcp-services-configmap=NAMESPACE/NAME` and `--nginx.udp-services-configmap=NAMESPACE/NAME`
name ConfigMaps whose keys are ports and whose values are where they lead,
`NAMESPACE/SERVICE:PORT`. With `:PROXY` behind it connections begin with a PROXY header, with
`:PROXY:PROXY` those to endpoints do too, and with `::PROXY` those alone. Ports are opened, moved and
closed as the ConfigMaps change, at the address of the entry point `web` if that has one; at an
address of a Service they are served where the Service has the port. A port that an entry point has
is not opened (finding `stream-port-taken`).
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "\n## Annotations\n\nBehind `nginx.ingress.kubernetes.io/`.\n\n";
    page += "| annotation | | | shown by |\n|---|---|---|---|\n";
    for row in NGINX.rows() {
        let (state, note) = state(row);
        let case = find(&shown::ANNOTATIONS, row.name).filter(|_| is_honoured(state));
        line(&mut page, row.name, (state, note), case);
    }
    page += "\n## The ConfigMap\n\n| key | | | shown by |\n|---|---|---|---|\n";
    for (key, fate) in KEYS {
        let (state, note) = match fate {
            KeyFate::Reads | KeyFate::Guards => {
                find(&DIFFERENT_KEYS, key).map_or(("supported", ""), |note| ("different", note))
            }
            KeyFate::Cosmetic => ("no difference", ""),
            KeyFate::Elsewhere(instead) => ("elsewhere", instead),
            KeyFate::Snippet => ("refused", "where it may keep somebody out; else not honoured"),
            KeyFate::Refused(why) => ("refused", why),
        };
        let case = find(&shown::SETTINGS, key).filter(|_| is_honoured(state));
        line(&mut page, key, (state, note), case);
    }
    page += FLAGS;
    page += "\n## Instead of snippets\n\nText for nginx's configuration is never interpreted: an \
             Ingress that has some is refused, since\nnobody can say what is open without it.\n\n";
    page += "| in a snippet | instead |\n|---|---|\n";
    for (snippet, instead) in SNIPPETS {
        let _ = writeln!(page, "| `{snippet}` | {instead} |");
    }
    page
}

fn line(page: &mut String, name: &str, (state, note): (&str, &str), case: Option<&str>) {
    let case = case.map(|case| format!("`{case}`")).unwrap_or_default();
    let _ = writeln!(page, "| `{name}` | {state} | {note} | {case} |");
}

fn is_honoured(state: &str) -> bool {
    matches!(state, "supported" | "different")
}

fn state(row: &Annotation) -> (&'static str, &'static str) {
    if let Some(why) = find(&REFUSED, row.name) {
        return ("refused", why);
    }
    let note = find(&DIFFERENT, row.name);
    match row.state {
        State::Reads(_) | State::Guards | State::Speaks(_) | State::PassesOn => {
            note.map_or(("supported", ""), |note| ("different", note))
        }
        State::Refused => ("refused", "not honoured yet"),
        State::Later(_) => match find(&INSTEAD, row.name) {
            Some(instead) => ("elsewhere", instead),
            None => ("not yet", note.unwrap_or_default()),
        },
        State::Cosmetic => ("no difference", ""),
    }
}
