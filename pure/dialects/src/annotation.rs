//! Annotations are rows of tables: each is read, or refused, or cosmetic, or for later.
//!
//! A vocabulary has the annotations of one program. What restricts access and is not honoured
//! closes the routes of its object, whatever its value, unless that value restricts nothing; so
//! does a name in no row that is nearly such a one. docs/annotations.md, the tests of each row and
//! "did you mean" are made of the rows.
//!
//! Not here: names like those of settings that keep people out, under anybody's prefix
//! (`restriction.rs`), and the words of other load balancers (`foreign.rs`).

mod effect;
mod foreign;
mod kubernetes;
mod metallb;
mod nginx;
mod row;
mod steelyard;
mod traefik;
mod unknown;
mod vocabulary;
mod wishes;

use steelyard_model::discretion::shown_value;
use steelyard_model::{ClassReading, Labels};

use crate::findings::Findings;
use crate::{LowerOptions, codes, snippets};

pub(crate) use effect::{close, not_honoured, refuse};
pub(crate) use foreign::check as check_foreign;
pub(crate) use kubernetes::KUBERNETES;
pub(crate) use metallb::{METALLB, OLD_PREFIX, REQUESTS};
pub(crate) use nginx::NGINX;
pub(crate) use row::{Annotation, Carrier, Miss, State};
pub(crate) use steelyard::STEELYARD;
pub(crate) use traefik::TRAEFIK;
pub(crate) use vocabulary::Vocabulary;
pub(crate) use wishes::{Entry, OriginWishes, Text, Wishes};

/// Every vocabulary.
pub(crate) const ALL: [&Vocabulary; 5] = [&KUBERNETES, &STEELYARD, &METALLB, &TRAEFIK, &NGINX];

/// Whose annotations count on an Ingress.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    Traefik,
    Nginx,
    Both,
}

impl Words {
    /// Ours and MetalLB's mean nothing there, whoever reads it, which is said.
    pub(crate) fn vocabularies(self) -> &'static [&'static Vocabulary] {
        match self {
            Self::Traefik => &[&STEELYARD, &METALLB, &TRAEFIK],
            Self::Nginx => &[&STEELYARD, &METALLB, &NGINX],
            Self::Both => &[&STEELYARD, &METALLB, &NGINX, &TRAEFIK],
        }
    }
}

/// On what annotations are.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) on: Carrier,
    /// The paths that an Ingress has.
    pub(crate) paths: &'a [&'a str],
    pub(crate) options: &'a LowerOptions,
}

/// What the annotations of `vocabularies` ask for, and what those do that are not honoured.
pub(crate) fn read(
    vocabularies: &[&Vocabulary],
    annotations: &Labels,
    scene: Scene<'_>,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
) -> Wishes {
    let mut wishes = Wishes::default();
    let Scene { on, paths, options } = scene;
    for vocabulary in vocabularies {
        for (key, value) in annotations {
            let Some(name) = vocabulary.name(key, options) else { continue };
            if vocabulary.empty_is_absent && value.trim().is_empty() {
                if vocabulary.on(on).any(|row| row.name == name && row.guards()) {
                    unguarded(key, findings);
                }
                continue;
            }
            match vocabulary.on(on).find(|row| row.name == name) {
                Some(row) if row.is_neutral(value, paths) => {}
                Some(row) => heed(row, &Entry { key, value }, &mut wishes, effects, findings),
                None if vocabulary.is_closed => {
                    unknown::report(vocabulary, (key, &name), on, effects, findings, options);
                }
                None => {}
            }
        }
    }
    wishes
}

/// Says of what would keep somebody out, were anything written there, that nobody is: a value of a
/// chart that was left empty looks like this.
fn unguarded(key: &str, findings: &mut Findings<'_>) {
    let message = format!("annotation `{key}` is empty: nobody is kept out by it, as without it");
    let help = "write a value, or remove it";
    effect::not_honoured(key, message, help, findings);
}

fn heed(
    row: &Annotation,
    written: &Entry<'_>,
    wishes: &mut Wishes,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
) {
    let Entry { key, value } = *written;
    match row.state {
        State::Reads(read) => read(written, wishes, findings),
        State::Speaks(read) => match read(value.trim()) {
            Some(scheme) => wishes.scheme = Some(scheme),
            None => refuse_protocol(row.on, written, effects, findings),
        },
        State::PassesOn => match written.boolean() {
            Some(is_asked) => wishes.passthrough = is_asked.then(|| written.into()),
            None => refuse_protocol(row.on, written, effects, findings),
        },
        State::Refused if is_snippet(key) => refuse_snippet(written, effects, findings),
        State::Refused => refuse(key, effects, findings),
        State::Later(Miss::Function) => {
            let value = shown_value(key, value);
            let message = format!("annotation `{key}: {value}` is not honoured yet");
            let help = "the routes are served without it; remove it if they are fine so";
            effect::not_honoured(key, message, help, findings);
        }
        State::Cosmetic | State::Guards => {}
    }
}

/// Whether what is written there is text for nginx's configuration.
fn is_snippet(key: &str) -> bool {
    key.ends_with("-snippet")
}

/// Closes the routes because of text that is never interpreted: it may keep somebody out.
fn refuse_snippet(written: &Entry<'_>, effects: &mut ClassReading, findings: &mut Findings<'_>) {
    let Entry { key, value } = *written;
    let message = format!(
        "annotation `{key}` is text for nginx's configuration, which is never interpreted and may \
         keep somebody out: its routes answer 503"
    );
    let help = snippets::instead_of_snippet(value);
    effect::close(codes::ACCESS_NOT_HONOURED, key, message, &help, effects, findings);
}

fn refuse_protocol(
    on: Carrier,
    written: &Entry<'_>,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
) {
    let Entry { key, value } = *written;
    let (code, value) = (codes::BACKEND_PROTOCOL_NOT_HONOURED, shown_value(key, value));
    let (whose, port) = match on {
        Carrier::Ingress => ("its routes", " on the port of this rule"),
        _ => ("routes that lead here", ""),
    };
    let message =
        format!("annotation `{key}: {value}` asks for what is not spoken: {whose} answer 503");
    let help = format!("let the backend answer HTTP/1.1 or HTTP/2{port}, with TLS or without");
    effect::close(code, key, message, &help, effects, findings);
}

/// Whether `key` is, or is meant to be, an annotation that is read on Services.
pub(crate) fn is_for_services(key: &str, options: &LowerOptions) -> bool {
    let is_meant = |vocabulary: &Vocabulary| {
        let name = vocabulary.name(key, options);
        name.is_some_and(|name| unknown::meant(vocabulary, &name, Carrier::Service).is_some())
    };
    TRAEFIK.has(key, options) || is_meant(&METALLB) || is_meant(&STEELYARD)
}
