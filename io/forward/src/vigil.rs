//! Watches the ip rule and the private routing table: nobody but us has business there.

use steelyard_host::kernel_watch::Doings;
use steelyard_host::rule::{MarkRule, RuleWatch};

use crate::lookout::Lookout;
use crate::told::Told;

#[derive(Debug)]
pub(crate) struct Vigil {
    /// Where it sees nothing, what others did is mended with the next apply.
    lookout: Lookout<RuleWatch>,
    told: Told,
}

impl Vigil {
    pub(crate) fn open(rule: MarkRule) -> Self {
        Self { lookout: Lookout::new(RuleWatch::open(rule)), told: Told::default() }
    }

    /// What comes through this port of netlink is ours from now on.
    pub(crate) fn is_own(&mut self, port: u32) {
        self.lookout.is_own(port);
    }

    /// Waits until others changed a rule or our routes; whether what is ours is to be set again.
    pub(crate) async fn stirred(&mut self) -> bool {
        self.lookout.stirred().await
    }

    /// Whether the rule or our routes may not be as we left them. Asked again it says what happened
    /// since.
    pub(crate) fn is_touched(&mut self) -> bool {
        let seen = self.lookout.take();
        let what = match (seen.rule, seen.routes) {
            (true, true) => Some("ip rules and routes"),
            (true, false) => Some("ip rules"),
            (false, true) => Some("routes"),
            (false, false) => None,
        };
        what.iter().for_each(|what| self.told.tell("another program", what));
        seen.touches()
    }
}
