//! Turns forwarding on, and keeps in a file what the settings were before.
//!
//! These settings are left on at exit: whoever came after us may rely on them, and a host whose
//! forwarding goes off drops the flows that pass it. The file tells an administrator what to set
//! back. It is on disk before the first setting changes, and the first value ever seen stays.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use steelyard_forwarding::{AtExit, HostChange};
use steelyard_host::{private, sysctl};

/// Name of the file in the state folder: a JSON object, setting → value before.
pub(crate) const FILE: &str = "sysctl-before.json";

const ON: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/// Turns on IPv4 and IPv6 forwarding where it is off.
pub(crate) fn turn_forwarding_on(state: &Path) -> io::Result<Vec<HostChange>> {
    let wanted = wanted()?;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut kept = read(state);
    for (name, before, _) in &wanted {
        kept.entry(name.clone()).or_insert_with(|| before.clone());
    }
    write(state, &kept)?;
    wanted
        .into_iter()
        .map(|(name, before, value)| {
            sysctl::write(&name, &value)?;
            let what = format!("sysctl {name} = {value}, was {before}");
            Ok(HostChange { what, at_exit: AtExit::Left })
        })
        .collect()
}

/// Setting, value now, value wanted, in the order they must be set: an interface that learns its
/// default route from router advertisements would forget it as soon as IPv6 forwarding is on,
/// unless `accept_ra` is 2.
fn wanted() -> io::Result<Vec<(String, String, String)>> {
    let off = |name: &str| io::Result::Ok(sysctl::read(name)?.filter(|value| value == "0"));
    let mut wanted = Vec::new();
    if off(ON[1])?.is_some() {
        for interface in sysctl::ipv6_interfaces()? {
            let name = format!("net.ipv6.conf.{}.accept_ra", interface.replace('.', "/"));
            if sysctl::read(&name)?.as_deref() == Some("1") {
                wanted.push((name, "1".to_owned(), "2".to_owned()));
            }
        }
    }
    for name in ON {
        if let Some(before) = off(name)? {
            wanted.push((name.to_owned(), before, "1".to_owned()));
        }
    }
    Ok(wanted)
}

fn read(state: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(state.join(FILE)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn write(state: &Path, kept: &BTreeMap<String, String>) -> io::Result<()> {
    let text = serde_json::to_string_pretty(kept)? + "\n";
    private::replace(&state.join(FILE), text.as_bytes())
}
