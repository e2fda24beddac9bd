//! BFDProfile, valid when MetalLB's schema takes it.

use std::ops::RangeInclusive;

use steelyard_manifest::kinds::metallb as raw;
use steelyard_model::{BfdProfile, FieldPath, Item};

use crate::findings::Findings;

const MILLISECONDS: RangeInclusive<i64> = 10..=60_000;

pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::BfdProfile = findings.read()?;
    let spec = raw.spec.unwrap_or_default();
    let path = FieldPath::from("spec");
    let mut interval = |written, name| findings.within(&path.key(name), written, MILLISECONDS);
    let receive_interval = interval(spec.receive_interval, "receiveInterval");
    let transmit_interval = interval(spec.transmit_interval, "transmitInterval");
    let echo_interval = interval(spec.echo_interval, "echoInterval");
    let profile = BfdProfile {
        id: findings.id(),
        object: findings.object().clone(),
        receive_interval,
        transmit_interval,
        echo_interval,
        detect_multiplier: findings.within(
            &path.key("detectMultiplier"),
            spec.detect_multiplier,
            2..=255,
        ),
        echo_mode: spec.echo_mode.unwrap_or(false),
        passive_mode: spec.passive_mode.unwrap_or(false),
        minimum_ttl: findings.within(&path.key("minimumTtl"), spec.minimum_ttl, 1..=254),
    };
    Some(Item::BfdProfile(Box::new(profile)))
}
