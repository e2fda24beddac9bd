//! Settings that keep people out, by their names: whoever writes one means to close something, so
//! what is not honoured is closed, and said, also where no controller we know reads the name.
//!
//! Names are compared without regard to case and separators: `loadbalancerSourceRanges`,
//! `load-balancer-source-ranges` and `haproxy.org/allow-list` are meant as what they look like.
//! Not here: the annotations of ingress-nginx and Traefik, which are rows (`annotation.rs`).

use steelyard_manifest::UnknownField;
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::suggest::closeness;
use steelyard_model::{ClassReading, FieldPath, Labels, Severity};

use crate::annotation::{self, NGINX, TRAEFIK, Words};
use crate::findings::Findings;
use crate::{LowerOptions, codes};

/// Who may connect to an address.
const OF_SOURCES: [&str; 2] = ["sourcerange", "srcrange"];
/// The same as whole names, which are known with typos too.
const SOURCES_WHOLE: [&str; 2] = ["loadbalancersourceranges", "sourceranges"];
/// So many edits away a name is still meant.
const TYPOS: usize = 2;
/// Who may connect, or be answered.
const OF_CLIENTS: [&str; 10] = [
    "whitelist",
    "allowlist",
    "blacklist",
    "denylist",
    "allowedcidr",
    "inboundcidr",
    "allowedip",
    "allowedsource",
    "ipallow",
    "ipdeny",
];
/// Who must say who they are.
const OF_USERS: [&str; 9] = [
    "authtype",
    "authsecret",
    "authurl",
    "authtls",
    "basicauth",
    "digestauth",
    "forwardauth",
    "authentication",
    "authorization",
];
/// Both families of everybody.
const EVERYBODY: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// What a Service's settings close.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    /// Its address.
    pub(crate) address: Option<RefusalReason>,
    /// Routes to it.
    pub(crate) routes: Option<RefusalReason>,
}

/// What is written on a Service besides its own field; `ranges` are those of the field.
pub(crate) fn of_service(
    annotations: &Labels,
    ranges: &[String],
    is_load_balancer: bool,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) -> Closed {
    let mut closed = Closed::default();
    let field = FieldPath::from("spec.loadBalancerSourceRanges");
    if is_load_balancer && !ranges.is_empty() && !is_everybody(ranges.iter().map(String::as_str)) {
        closed.address = Some(address(&field, "loadBalancerSourceRanges", findings));
    }
    for UnknownField { path, name } in findings.unknown_fields() {
        if is_load_balancer && is_of_sources(&name) {
            let refusal = address(&path, &format!("`{name}`"), findings);
            closed.address.get_or_insert(refusal);
        }
    }
    for (key, value) in annotations.iter().filter(|(key, _)| !TRAEFIK.has(key, options)) {
        let path = FieldPath::annotation(key);
        let sources = is_of_sources(name_of(key));
        if !sources && !is_like(name_of(key), &OF_CLIENTS) || restricts_nobody(value) {
            continue;
        }
        if is_load_balancer {
            let refusal = address(&path, &format!("annotation `{key}`"), findings);
            closed.address.get_or_insert(refusal);
        }
        if !sources {
            let mut effects = ClassReading::default();
            annotation::refuse(key, &mut effects, findings);
            closed.routes = closed.routes.or(effects.refusal);
        }
    }
    closed
}

/// Fields of an Ingress that nobody has, but that are named like ones that restrict access.
pub(crate) fn of_ingress_fields(findings: &mut Findings<'_>) -> Option<RefusalReason> {
    let mut refusal = None;
    for UnknownField { path, name } in findings.unknown_fields() {
        if is_of_sources(&name) || is_like(&name, &OF_CLIENTS) {
            let message = format!(
                "there is no field `{name}`, but it is named like one that restricts access: its \
                 routes answer 503"
            );
            let help = "remove it to open the routes to everybody, or restrict access elsewhere";
            findings.say(Severity::Error, codes::ACCESS_NOT_HONOURED, &path, message, help);
            let place = findings.place(&path);
            refusal.get_or_insert(RefusalReason::Restriction(place));
        }
    }
    refusal
}

/// Annotations of an Ingress that neither of the two dialects reads. Those of the one that does not
/// read the object restrict nobody there either: they are only said.
pub(crate) fn of_ingress(
    annotations: &Labels,
    words: Words,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) {
    for (key, value) in annotations {
        let name = name_of(key);
        let like =
            is_of_sources(name) || [&OF_CLIENTS[..], &OF_USERS].iter().any(|it| is_like(name, it));
        if !like || restricts_nobody(value) {
            continue;
        }
        let of_nginx = NGINX.has(key, options);
        let of_traefik = TRAEFIK.has(key, options);
        match words {
            Words::Traefik if of_nginx => elsewhere(key, "traefik", findings),
            Words::Nginx if of_traefik => elsewhere(key, "nginx", findings),
            _ if of_nginx || of_traefik => {}
            _ => annotation::refuse(key, effects, findings),
        }
    }
}

fn address(path: &FieldPath, what: &str, findings: &mut Findings<'_>) -> RefusalReason {
    findings.say(
        Severity::Error,
        codes::ACCESS_NOT_HONOURED,
        path,
        format!("{what} is not honoured yet, so nothing is forwarded from its address"),
        "remove it to let every client in, or restrict access on the network",
    );
    RefusalReason::Restriction(findings.place(path))
}

fn elsewhere(key: &str, class: &str, findings: &mut Findings<'_>) {
    findings.say(
        Severity::Warning,
        codes::ANNOTATION_NOT_HONOURED,
        &FieldPath::annotation(key),
        format!("annotation `{key}` is not read for class {class}, so it keeps nobody out"),
        "restrict access in the way of that class, or elsewhere",
    );
}

/// The part of a key after its prefix.
fn name_of(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

/// Also with a typo or two.
fn is_of_sources(name: &str) -> bool {
    let plain = plain(name);
    let is_typo = |of: &str| closeness(&plain, of).is_some_and(|edits| edits <= TYPOS);
    is_like(name, &OF_SOURCES) || SOURCES_WHOLE.into_iter().any(is_typo)
}

fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.to_ascii_lowercase()
}

fn is_like(name: &str, words: &[&str]) -> bool {
    let plain = plain(name);
    words.iter().any(|word| plain.contains(word))
}

fn restricts_nobody(value: &str) -> bool {
    let off = ["", "false", "off", "none", "disabled"];
    off.iter().any(|off| value.trim().eq_ignore_ascii_case(off)) || is_everybody(value.split(','))
}

fn is_everybody<'a>(ranges: impl Iterator<Item = &'a str>) -> bool {
    let ranges: Vec<&str> = ranges.map(str::trim).collect();
    EVERYBODY.iter().all(|all| ranges.contains(all))
}
