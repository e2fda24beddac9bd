//! Peak EWMA: of two that are drawn, the one that would have answered first, by how long it takes
//! of late and how many it has (nginx's Ingress controller calls it `ewma`).

use std::cell::Cell;

use super::{Field, cost, two_choices};

/// How long known endpoints take.
#[derive(Debug, Default)]
pub(super) struct Peak {
    typical: Cell<u64>,
}

impl Peak {
    pub(super) fn pick<F: Field>(&self, field: &F, draw: u64) -> Option<usize> {
        let typical = self.typical.get();
        let picked = two_choices::pick(field, draw, |field, at, more| {
            cost::by_time(field, at, more, typical)
        });
        if let Some(at) = picked {
            self.typical.set(cost::typical(typical, field, at));
        }
        picked
    }
}
