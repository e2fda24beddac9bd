//! What this process may do on this machine.

use std::fs;

/// Whether real addresses can be served, and what is missing if not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Privileges {
    /// Raw sockets, packet rules, any port.
    Full,
    /// Loopback ports only; the capabilities that are missing, or that it was asked for.
    None {
        /// For people.
        why: String,
    },
}

/// What answering on the LAN takes.
const SPEAKING: (&str, u32) = ("CAP_NET_RAW", 13);
/// Capabilities that serving real addresses takes (capabilities(7)).
const NEEDED: &[(&str, u32)] = &[("CAP_NET_BIND_SERVICE", 10), ("CAP_NET_ADMIN", 12), SPEAKING];

impl Privileges {
    /// What the kernel says of this process.
    pub(crate) fn detect() -> Self {
        Self::of(effective_now(), NEEDED)
    }

    /// Whether it may answer on the LAN, and where it carries packets itself, do that.
    pub(crate) fn to_speak(carries: bool) -> Self {
        Self::of(effective_now(), if carries { NEEDED } else { &[SPEAKING] })
    }

    fn of(effective: u64, needed: &[(&'static str, u32)]) -> Self {
        let missing: Vec<&str> = needed
            .iter()
            .filter(|(_, bit)| effective & (1 << bit) == 0)
            .map(|(name, _)| *name)
            .collect();
        if missing.is_empty() {
            return Self::Full;
        }
        Self::None { why: format!("without {}", missing.join(", ")) }
    }

    /// Whether real addresses can be served.
    pub(crate) fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

fn effective_now() -> u64 {
    effective(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The effective capability set in `/proc/PID/status`.
fn effective(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_decide() {
        let of = |text| Privileges::of(effective(text), NEEDED);
        assert_eq!(of("Name:\tx\nCapEff:\t000001ffffffffff\n"), Privileges::Full);
        assert_eq!(of("CapEff:\t0000000000003400\n"), Privileges::Full);
        assert_eq!(
            of("CapEff:\t0000000000002400\n"),
            Privileges::None { why: "without CAP_NET_ADMIN".to_owned() }
        );
        assert!(!of("").is_full());
        let raw = effective("CapEff:\t0000000000002000\n");
        assert!(Privileges::of(raw, &[SPEAKING]).is_full());
    }
}
