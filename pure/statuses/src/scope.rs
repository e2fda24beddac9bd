//! Which objects are looked at.

use std::collections::{BTreeMap, BTreeSet};

use steelyard_model::NamespacedName;

use crate::kind::StatusKind;

/// Which Services and Ingresses are looked at. Of other kinds all are, which are few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All there are.
    All,
    /// Those of which something may be otherwise than when they were last looked at.
    These(BTreeSet<(StatusKind, NamespacedName)>),
}

impl Scope {
    /// None of them.
    pub fn nothing() -> Self {
        Self::These(BTreeSet::new())
    }

    /// These of a kind too.
    pub fn extend(&mut self, kind: StatusKind, ids: impl IntoIterator<Item = NamespacedName>) {
        if let Self::These(these) = self {
            these.extend(ids.into_iter().map(|id| (kind, id)));
        }
    }

    /// All that are in the other one too.
    pub fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::These(these), Self::These(others)) => these.extend(others),
            (Self::All, _) => {}
            (Self::These(_), Self::All) => *self = Self::All,
        }
    }

    /// Whether it is one of them.
    pub fn holds(&self, kind: StatusKind, id: &NamespacedName) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&(kind, id.clone())),
        }
    }

    /// Those of `all`, which are of `kind`.
    pub(crate) fn of<'a, T>(
        &self,
        kind: StatusKind,
        all: &'a BTreeMap<NamespacedName, T>,
    ) -> Vec<(&'a NamespacedName, &'a T)> {
        let Self::These(these) = self else { return all.iter().collect() };
        let of_kind = these.range((kind, NamespacedName::new("", ""))..);
        let of_kind = of_kind.take_while(|(of, _)| *of == kind);
        of_kind.filter_map(|(_, id)| all.get_key_value(id)).collect()
    }
}
