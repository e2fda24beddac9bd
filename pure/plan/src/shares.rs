//! Who gets how many of the file descriptors that a process may have.
//!
//! What control needs (files, the lock, logs, `nft`, netlink, listening sockets) is put aside
//! first; only the rest is for connections, and each part has a share of its own. So connections,
//! however many, never keep the program from reading its manifests or telling how it is.

/// Connections that each part may have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Descriptors that no connection may take.
    pub control: u64,
    /// To the admin interface: one descriptor each.
    pub admin: usize,
    /// From clients of the gateway: two each, since each may need one to an endpoint.
    pub clients: usize,
    /// To endpoints, kept by the gateway for the next request: one each.
    pub kept: usize,
    /// TCP connections carried in this process: two each.
    pub flows: usize,
    /// Clients of UDP ports carried in this process: one each.
    pub sessions: usize,
}

/// At least this many stay for control.
const CONTROL: u64 = 48;
/// More admin connections help nobody.
const ADMIN: u64 = 256;
/// More descriptors than this are not planned with: memory would end first.
const SENSIBLE: u64 = 1 << 20;

impl Shares {
    /// The shares of a process that may have `limit` descriptors, of which `used` are open for
    /// other things than connections.
    pub fn of(limit: u64, used: u64) -> Self {
        let free = limit.min(SENSIBLE).saturating_sub(used);
        let control = (free / 4).max(CONTROL).min(free);
        let rest = free - control;
        let admin = (rest / 8).clamp(8, ADMIN);
        let rest = rest.saturating_sub(admin);
        let gateway = rest * 5 / 8;
        let forward = rest - gateway;
        let kept = gateway / 5;
        let flows = forward * 2 / 3;
        let places = |descriptors: u64, each: u64| {
            usize::try_from(descriptors / each).unwrap_or(usize::MAX).max(1)
        };
        Self {
            control,
            admin: places(admin, 1),
            clients: places(gateway - kept, 2),
            kept: places(kept, 1),
            flows: places(flows, 2),
            sessions: places(forward - flows, 1),
        }
    }

    /// Descriptors that connections can take, all together.
    pub fn connections(&self) -> u64 {
        let all = self.admin + 2 * self.clients + self.kept + 2 * self.flows + self.sessions;
        all as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_keeps_its_own_whatever_the_limit() {
        for limit in (0..5_000).chain([65_536, 524_288, 1 << 20, 1 << 30, u64::MAX]) {
            for used in [0, 30, 64, 500] {
                let shares = Shares::of(limit, used);
                let free = limit.min(SENSIBLE).saturating_sub(used);
                if free >= 2 * CONTROL {
                    assert!(shares.connections() + shares.control <= free, "{limit}: {shares:?}");
                    assert!(shares.control >= CONTROL);
                }
                let more = Shares::of(limit.saturating_add(64), used);
                assert!(more.clients >= shares.clients && more.flows >= shares.flows);
            }
        }
    }

    #[test]
    fn usual_limits_give_usual_numbers() {
        let shares = Shares::of(1024, 64);
        assert_eq!((shares.control, shares.admin, shares.clients), (240, 90, 157));
        let shares = Shares::of(524_288, 64);
        assert!(shares.clients > 90_000 && shares.admin == 256, "{shares:?}");
    }
}
