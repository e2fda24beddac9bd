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

/// A name without separators, in lower case.
struct PlainName(String);

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
        if is_load_balancer && PlainName::of(&name).is_of_sources() {
            let refusal = address(&path, &format!("`{name}`"), findings);
            closed.address.get_or_insert(refusal);
        }
    }
    for (key, value) in annotations.iter().filter(|(key, _)| !TRAEFIK.has(key, options)) {
        let path = FieldPath::annotation(key);
        let name = PlainName::of(name_of(key));
        let sources = name.is_of_sources();
        if !sources && !name.is_like(&OF_CLIENTS) || restricts_nobody(value) {
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
        let plain = PlainName::of(&name);
        if plain.is_of_sources() || plain.is_like(&OF_CLIENTS) {
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

/// Annotations of an Ingress that are named like such as keep somebody out, and may do so, whoever
/// reads it.
pub(crate) fn suspects(annotations: &Labels) -> Vec<&str> {
    let keeps_out = |(key, value): &(&String, &String)| {
        PlainName::of(name_of(key)).keeps_out() && !restricts_nobody(value)
    };
    annotations.iter().filter(keeps_out).map(|(key, _)| key.as_str()).collect()
}

/// Those of them that neither of the two dialects reads. What the one reads that does not read the
/// object restricts nobody there either: it is only said.
pub(crate) fn of_ingress(
    suspects: &[&str],
    words: Words,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) {
    for key in suspects {
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

impl PlainName {
    fn of(name: &str) -> Self {
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
        Self(letters.map(|letter| char::from(letter.to_ascii_lowercase())).collect())
    }

    /// Also with a typo or two, each of which makes it one letter longer or shorter at most.
    fn is_of_sources(&self) -> bool {
        let is_near = |of: &&str| of.len().abs_diff(self.0.len()) <= TYPOS;
        let is_typo = |of: &str| closeness(&self.0, of).is_some_and(|edits| edits <= TYPOS);
        self.is_like(&OF_SOURCES) || SOURCES_WHOLE.into_iter().filter(is_near).any(is_typo)
    }

    fn is_like(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.0.contains(word))
    }

    /// Like what keeps out anybody.
    fn keeps_out(&self) -> bool {
        self.is_of_sources() || self.is_like(&OF_CLIENTS) || self.is_like(&OF_USERS)
    }
}

fn restricts_nobody(value: &str) -> bool {
    let off = ["", "false", "off", "none", "disabled"];
    off.iter().any(|off| value.trim().eq_ignore_ascii_case(off)) || is_everybody(value.split(','))
}

fn is_everybody<'a>(ranges: impl Iterator<Item = &'a str>) -> bool {
    let ranges: Vec<&str> = ranges.map(str::trim).collect();
    EVERYBODY.iter().all(|all| ranges.contains(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is too long or too short is not looked at, and would not be meant.
    #[test]
    fn names_of_another_length_are_never_typos() {
        for of in SOURCES_WHOLE {
            let longer = (1..6).map(|more| format!("{of}{}", "s".repeat(more)));
            let inner = (1..6).map(|more| format!("{}{of}", "x".repeat(more)));
            let shorter = (1..6).map(|less| of[..of.len() - less].to_owned());
            let cut = (1..6).map(|less| of[less..].to_owned());
            let other = (1..40).map(|size| "sourceranges".chars().cycle().take(size).collect());
            for name in longer.chain(inner).chain(shorter).chain(cut).chain(other) {
                let is_meant = |of: &str| closeness(&name, of).is_some_and(|it| it <= TYPOS);
                let plain = PlainName::of(&name);
                let expected =
                    plain.is_like(&OF_SOURCES) || SOURCES_WHOLE.into_iter().any(is_meant);
                assert_eq!(plain.is_of_sources(), expected, "{name}");
            }
        }
        let plain = PlainName::of("Load-Balancer.source_rnages");
        assert!(plain.0 == "loadbalancersourcernages" && plain.is_of_sources());
    }
}
