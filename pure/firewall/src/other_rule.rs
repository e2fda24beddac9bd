//! Policy routing of others: an `ip rule` that is not ours.

use std::fmt;

/// A rule that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherRule {
    /// Order among rules; small is early.
    pub priority: u32,
    /// What becomes of packets that it is about.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// They are looked up in this table.
    Lookup(u32),
    /// They are dropped.
    Blackhole,
    /// They are refused: there is no way.
    Unreachable,
    /// They are refused: it is not allowed.
    Prohibit,
    /// Anything else.
    Other,
}

/// `priority 10 lookup 254`, as `ip rule` takes it.
impl fmt::Display for OtherRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "priority {} ", self.priority)?;
        match self.action {
            RuleAction::Lookup(table) => write!(f, "lookup {table}"),
            RuleAction::Blackhole => f.write_str("blackhole"),
            RuleAction::Unreachable => f.write_str("unreachable"),
            RuleAction::Prohibit => f.write_str("prohibit"),
            RuleAction::Other => f.write_str("goto"),
        }
    }
}
