//! The input languages: one module each, from an object as written to valid items.
//!
//! [`lower`] looks at one object alone, so that editing one of thousands lowers one; what needs
//! two objects (does that Service exist?) is the join's. It returns a value *and* diagnostics:
//!
//! - What the API server or MetalLB would refuse is an error, and the object lowers to nothing,
//!   so that its last good version can stay in force. All of its faults are reported. Whom its
//!   rules name, as far as they can be read, is answered by nobody where there is no such version.
//! - What asks for something we do not do yet lowers all the same, with a diagnostic. If it
//!   restricts access, what it lowers to is closed: a route that answers 503, never an open one.

mod annotation;
pub mod codes;
mod core;
mod duration;
mod findings;
mod heed;
pub mod host;
mod ingress;
mod kind;
mod labelled;
mod location;
mod metallb;
mod network_policy;
pub mod nginx;
mod restriction;
mod selector;
mod snippets;
mod suites;
mod swapped;
pub mod traefik;

use steelyard_manifest::Object;
use steelyard_model::{Diagnostic, Item, Selector};

use crate::findings::Findings;
use crate::traefik::rule::RuleSyntax;

/// How to read objects.
#[derive(Clone, Debug)]
pub struct LowerOptions {
    /// Prefix of ingress-nginx's annotations, as set by its `--annotations-prefix`.
    pub nginx_prefix: String,
    /// In which language rules are that do not say it (`core.defaultRuleSyntax`).
    pub syntax: RuleSyntax,
    /// Only objects of Traefik's kinds with such labels are there (`labelSelector`).
    pub crd_labels: Selector,
    /// The same of Ingresses in Traefik's words, or in nobody's.
    pub ingress_labels: Selector,
    /// What is wrong with static options that are written in objects (Helm's values).
    pub judge_options: OptionsJudge,
}

/// What is wrong with static options, by their names and values: which of them, and why.
pub type OptionsJudge = fn(&[(String, String)]) -> Vec<(usize, String)>;

/// What an object became.
#[derive(Clone, Debug, Default)]
pub struct Lowered {
    /// Valid items; none if the object is not valid or of a kind that is not read.
    pub items: Vec<Item>,
    /// What stands in for an object that is not valid, until a valid version of it comes: it
    /// answers nobody whom its rules name.
    pub stand_in: Vec<Item>,
    /// Whether it is not valid as a whole: its last good version is the one in force.
    pub is_refused: bool,
    /// What there is to say about it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Default for LowerOptions {
    fn default() -> Self {
        Self {
            nginx_prefix: "nginx.ingress.kubernetes.io".to_owned(),
            syntax: RuleSyntax::default(),
            crd_labels: Selector::default(),
            ingress_labels: Selector::default(),
            judge_options: |_| Vec::new(),
        }
    }
}

/// The kinds that are read, each as often as it has versions.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    kind::all()
}

/// Lowers one object. Total: every object, however wrong, ends in items or diagnostics.
pub fn lower(object: &Object, options: &LowerOptions) -> Lowered {
    let mut findings = Findings::new(object);
    let items = kind::lower(object, options, &mut findings);
    findings.finish(items)
}

#[cfg(test)]
mod tests;
