//! Kubernetes' own. Names under its prefixes are many, and mostly others' business.

use super::row::{Annotation, State, rows};
use super::vocabulary::{Prefixes, Vocabulary};

pub(crate) const KUBERNETES: Vocabulary = Vocabulary {
    whose: "Kubernetes",
    prefixes: Prefixes::Fixed(&[""]),
    rows: &[&CLASS, &DEFAULT],
    is_closed: false,
    // A class of blanks is a class, and nobody's.
    empty_is_absent: false,
};

const CLASS: [Annotation; 1] = rows! { Ingress:
    "kubernetes.io/ingress.class" CLASS_NAME, [];
};

const DEFAULT: [Annotation; 1] = rows! { IngressClass:
    "ingressclass.kubernetes.io/is-default-class" IS_DEFAULT, [];
};

const CLASS_NAME: State = State::Reads(|written, wishes, _| {
    wishes.class = Some(written.into());
});
const IS_DEFAULT: State = State::Reads(|written, wishes, _| {
    wishes.is_default_class = written.value == "true";
});
