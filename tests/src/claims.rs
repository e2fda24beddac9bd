//! Which node claimed which address under which epoch, and when, as the nodes' logs tell.
//!
//! At level `debug` a node writes each claim before the first frame that follows from it:
//! `node-2 | 2026-11-21T15:51:40.084422Z DEBUG claim vip=10.1.1.100 epoch=2 owner=node-2`. Only
//! what a node says of itself counts: others learn it later.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A node made itself the owner of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// When it was written.
    pub at: SystemTime,
    /// The address.
    pub address: IpAddr,
    /// The node.
    pub node: String,
    /// How many owners there were.
    pub epoch: u64,
}

/// All claims in what a laboratory printed, in the order of the log.
pub fn read(log: &str) -> Vec<Claim> {
    log.lines().filter_map(claim).collect()
}

fn claim(line: &str) -> Option<Claim> {
    let (node, said) = line.split_once(" | ")?;
    let (before, fields) = said.split_once(" claim ")?;
    let field = |name: &str| {
        fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    Some(Claim {
        at: time(before.split_once(' ')?.0)?,
        address: field("vip")?.parse().ok()?,
        node: field("owner").filter(|owner| *owner == node)?.to_owned(),
        epoch: field("epoch")?.parse().ok()?,
    })
}

/// A time as RFC 3339 writes it, in UTC: `2026-11-21T15:51:40.084422Z`.
fn time(text: &str) -> Option<SystemTime> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let seconds = (part(11, 13)? * 60 + part(14, 16)?) * 60 + part(17, 19)?;
    // Days since 1970, in years that begin with March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let since = days.checked_sub(719_469)? * 86_400 + seconds;
    let since = Duration::from_secs(since) + Duration::from_micros(part(20, 26)?);
    Some(UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_believed_of_themselves_only() {
        let log = "\
node-1 | 2026-11-21T15:51:40.084422Z  INFO 10.1.1.100 is owned by node-2
node-1 | 2026-11-21T15:51:40.084422Z DEBUG claim vip=10.1.1.100 epoch=2 owner=node-2
node-2 | 2026-11-21T15:51:40.084423Z DEBUG claim vip=fd00::1 epoch=7 owner=node-2
node-2 is killed
";
        let read = read(log);
        let claims: Vec<String> =
            read.iter().map(|it| format!("{} {} {}", it.address, it.node, it.epoch)).collect();
        assert_eq!(claims, ["fd00::1 node-2 7"]);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (text, micros) in [
            ("1970-01-01T00:00:00.000001Z", 1),
            ("2000-02-29T00:00:00.000000Z", 951_782_400_000_000),
            ("2026-11-21T15:51:40.084422Z", 1_795_276_300_084_422),
        ] {
            assert_eq!(time(text), Some(UNIX_EPOCH + Duration::from_micros(micros)), "{text}");
        }
        assert_eq!(time("yesterday"), None);
    }
}
