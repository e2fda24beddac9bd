//! `canary` and `canary-*`: an Ingress whose backends stand beside those of another one, for the
//! same hosts and paths. The join finds that one; by itself a canary serves nothing.

use steelyard_model::CanaryDraft;
use steelyard_model::routing::backend::{CanaryAffinity, CanaryChoice, CanaryValue};
use steelyard_model::routing::pattern::Expression;

use super::{Asked, value};

/// Of so many, where nothing is said, and at least.
const TOTAL: i64 = 100;

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    if asked.boolean("canary") != Some(true) {
        return;
    }
    let text = |text: &str| value::basic(text, "").map(str::to_owned);
    let help = "write letters and digits";
    let header = asked.value("canary-by-header", text, help);
    let exact = asked.value("canary-by-header-value", text, help);
    let pattern = asked.written("canary-by-header-pattern");
    let is = match (exact, pattern) {
        (Some(exact), _) => Some(CanaryValue::Exact(exact.into())),
        (None, Some(_)) => {
            let read = |text: &str| Expression::looking(text).ok();
            let read = asked.value("canary-by-header-pattern", read, "write an expression");
            Some(read.map_or(CanaryValue::Nothing, CanaryValue::Regex))
        }
        (None, None) => Some(CanaryValue::AlwaysOrNever),
    };
    let total = asked.number("canary-weight-total").unwrap_or(TOTAL).max(TOTAL);
    let weight = asked.number("canary-weight").unwrap_or_default().clamp(0, total);
    let part = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let by = CanaryChoice {
        header: header.zip(is).map(|(name, is)| (name.to_ascii_lowercase().into(), is)),
        cookie: asked.value("canary-by-cookie", text, help).map(Into::into),
        weight: (part(weight), part(total)),
    };
    let behaviour = |text: &str| match text {
        "sticky" => Some(CanaryAffinity::Sticky),
        "legacy" => Some(CanaryAffinity::Legacy),
        _ => None,
    };
    let affinity = asked.value("affinity-canary-behavior", behaviour, "write sticky or legacy");
    let affinity = affinity.unwrap_or_default();
    asked.reading.canary = Some(Box::new(CanaryDraft { by, affinity }));
    asked.reading.is_unserved = true;
}
