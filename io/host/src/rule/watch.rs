//! Notices what others do to the rules of policy routing, and to the private table.

use std::io;

use super::{
    DELETE_ROUTE, DELETE_RULE, MarkRule, NEW_ROUTE, NEW_RULE, Route, read_rule, stands_for,
};
use crate::kernel_watch::{Doings, KernelWatch};
use crate::notices::Notices;

/// Watches the rules and the private table of the namespace it was opened in.
#[derive(Debug)]
pub struct RuleWatch {
    notices: Notices,
    rule: MarkRule,
    /// The port of netlink that we change something through.
    own: Option<u32>,
}

/// What others did since the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Detours {
    /// They added or deleted a rule, whichever.
    pub rules: bool,
    /// They deleted ours.
    pub rule: bool,
    /// They changed routes of the private table.
    pub routes: bool,
    /// They changed more than could be followed.
    pub lost: bool,
}

/// `RTNLGRP_IPV4_ROUTE`, `…IPV4_RULE`, `…IPV6_ROUTE` and `…IPV6_RULE` as a mask.
const GROUPS: u32 = 1 << 6 | 1 << 7 | 1 << 10 | 1 << 18;

impl RuleWatch {
    /// Starts to watch. Must be called on a thread that runs a tokio runtime.
    pub fn open(rule: MarkRule) -> io::Result<Self> {
        Ok(Self { notices: Notices::open(libc::NETLINK_ROUTE, GROUPS)?, rule, own: None })
    }

    fn note(&self, kind: u16, body: &[u8], told: &mut Detours) {
        let table = self.rule.table;
        match kind {
            NEW_RULE | DELETE_RULE => {
                told.rules = true;
                let is_ours = read_rule(body).is_some_and(|it| stands_for(it, self.rule));
                told.rule |= kind == DELETE_RULE && is_ours;
            }
            NEW_ROUTE | DELETE_ROUTE => {
                told.routes |= Route::read(body).is_some_and(|route| route.table == table);
            }
            _ => {}
        }
    }
}

impl KernelWatch for RuleWatch {
    type Doings = Detours;

    const OF: &str = "ip rules";

    fn is_own(&mut self, port: u32) {
        self.own = Some(port);
    }

    async fn readable(&self) -> io::Result<()> {
        self.notices.readable().await
    }

    fn read(&mut self) -> io::Result<Detours> {
        let mut told = Detours::default();
        told.lost = self.notices.read(|kind, port, body| {
            if self.own != Some(port) {
                self.note(kind, body, &mut told);
            }
        })?;
        Ok(told)
    }
}

impl Doings for Detours {
    fn merge(&mut self, later: Self) {
        self.rules |= later.rules;
        self.rule |= later.rule;
        self.routes |= later.routes;
        self.lost |= later.lost;
    }

    fn touches(&self) -> bool {
        self.rule || self.routes || self.lost
    }

    fn is_lost(&self) -> bool {
        self.lost
    }
}
