//! The times of a BGPPeer, rounded down to seconds as MetalLB does.

use steelyard_manifest::kinds::metallb as raw;
use steelyard_model::bgp::Timers;
use steelyard_model::{FieldPath, Severity};

use crate::findings::Findings;
use crate::{codes, duration};

const SECOND: i64 = 1_000_000_000;
/// Times of BGP are 16 bits wide (RFC 4271 §4.2).
const LONGEST: i64 = u16::MAX as i64;
/// The least hold time that is not "never" (RFC 4271 §4.2).
const LEAST_HOLD: i64 = 3;

/// Hold and keepalive time. One that is missing follows from the other.
pub(super) fn of_session(spec: &raw::BgpPeerSpec, findings: &mut Findings<'_>) -> Option<Timers> {
    let path = FieldPath::from("spec");
    let (hold_path, keepalive_path) = (path.key("holdTime"), path.key("keepaliveTime"));
    let hold = read(spec.hold_time.as_deref(), &hold_path, findings);
    let keepalive = read(spec.keepalive_time.as_deref(), &keepalive_path, findings);
    let (hold, keepalive) = match (hold, keepalive) {
        (None, None) => return None,
        (Some(hold), keepalive) => (hold, keepalive.unwrap_or(hold / LEAST_HOLD)),
        (None, Some(keepalive)) => (keepalive.saturating_mul(LEAST_HOLD), keepalive),
    };
    let seconds = |nanoseconds: i64| nanoseconds / SECOND;
    let (hold, keepalive) = (seconds(hold), seconds(keepalive));
    if hold != 0 && hold < LEAST_HOLD {
        findings.invalid(
            codes::INVALID_VALUE,
            &hold_path,
            format!("{hold} s is no hold time"),
            "use 3s or more, or 0s to never give up the session",
        );
    }
    if keepalive > hold {
        findings.invalid(
            codes::INVALID_VALUE,
            &keepalive_path,
            format!("the keepalive time, {keepalive} s, is above the hold time, {hold} s"),
            format!("use {}s or less", hold / LEAST_HOLD),
        );
    }
    Some(Timers {
        hold: in_bounds(hold, &hold_path, findings),
        keepalive: in_bounds(keepalive, &keepalive_path, findings),
    })
}

/// `connectTime`: whole seconds.
pub(super) fn to_connect(spec: &raw::BgpPeerSpec, findings: &mut Findings<'_>) -> Option<u16> {
    let path = FieldPath::from("spec.connectTime");
    let time = read(spec.connect_time.as_deref(), &path, findings)?;
    if (SECOND..=LONGEST * SECOND).contains(&time) && time % SECOND == 0 {
        return u16::try_from(time / SECOND).ok();
    }
    findings.invalid(
        codes::INVALID_VALUE,
        &path,
        format!("`{}` is no connect time", spec.connect_time.as_deref().unwrap_or_default()),
        "use whole seconds from 1s to 65535s",
    );
    None
}

/// Nanoseconds of a duration that is written.
fn read(written: Option<&str>, path: &FieldPath, findings: &mut Findings<'_>) -> Option<i64> {
    let text = written?;
    let time = duration::parse(text);
    if time.is_none() {
        findings.invalid(
            codes::INVALID_VALUE,
            path,
            format!("`{text}` is not a duration"),
            "write a number with a unit, such as 90s or 1m30s",
        );
    }
    time
}

fn in_bounds(seconds: i64, path: &FieldPath, findings: &mut Findings<'_>) -> u16 {
    if seconds > LONGEST {
        findings.say(
            Severity::Warning,
            codes::INVALID_VALUE,
            path,
            format!("{seconds} s is more than BGP can say; {LONGEST} s are used"),
            format!("use {LONGEST}s or less"),
        );
    }
    u16::try_from(seconds.clamp(0, LONGEST)).expect("clamped to 16 bits")
}
