//! How long what may take at an entry point, and how much of it there may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::StaticOptions;
use super::duration::duration;
use super::names::{GRACE, IDLE, SANITIZE_PATH, STREAMS, UDP_TIMEOUT, entry_point_name};

impl StaticOptions {
    /// How long requests may finish after SIGTERM: the longest that an entry point says.
    pub fn grace(&self) -> Option<Duration> {
        let said = self.values.iter().filter(|(option, _)| option.ends_with(GRACE));
        said.filter_map(|(_, value)| duration(value)).max()
    }

    /// How long connections may wait for their next request, by entry point.
    pub fn idle_times(&self) -> BTreeMap<String, Duration> {
        let said = self.values.iter().filter_map(|(option, value)| {
            let name = entry_point_name(option, IDLE)?;
            // As with Traefik none is no limit.
            let limit = duration(value).filter(|it| !it.is_zero());
            Some((name.to_owned(), limit.unwrap_or(Duration::from_hours(24))))
        });
        said.collect()
    }

    /// Requests that a connection of HTTP/2 may have at once, by entry point.
    pub fn streams(&self) -> BTreeMap<String, u32> {
        let said = self.values.iter().filter_map(|(option, value)| {
            let name = entry_point_name(option, STREAMS)?;
            Some((name.to_owned(), value.parse::<u32>().ok().filter(|it| *it > 0)?))
        });
        said.collect()
    }

    /// How long sessions of UDP may be silent, by entry point.
    pub fn udp_silent(&self) -> BTreeMap<String, Duration> {
        let said = self.values.iter().filter_map(|(option, value)| {
            let name = entry_point_name(option, UDP_TIMEOUT)?;
            Some((name.to_owned(), duration(value).expect("checked when it was taken")))
        });
        said.collect()
    }

    /// Entry points that forward paths with the empty and dot segments they came with.
    pub fn unresolved_paths(&self) -> BTreeSet<String> {
        let off = self.values.iter().filter(|(_, value)| *value == "false");
        let names = off.filter_map(|(option, _)| entry_point_name(option, SANITIZE_PATH));
        names.map(str::to_owned).collect()
    }
}
