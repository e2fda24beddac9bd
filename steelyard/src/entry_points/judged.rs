//! What is wrong with options that are there: each alone, and beside others.

use steelyard_dialects::traefik::options::{self, Form};
use steelyard_metrics::BucketBounds;
use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::{BUILT_IN, BuiltIn};
use steelyard_model::routing::ranges::{NAMED, listed};

use super::access_log;
use super::address::parse_address;
use super::duration::duration;
use super::names::{
    ADDRESS, AS_DEFAULT, BELIEVED, BUCKETS, CLIENT_IP_HEADER, CONNECTION, HEADER_LABELS,
    KEPT_ALIVE, OF_ENTRY_POINTS, OF_NGINX, REDIRECTED_TO, STREAMS, TABLE, TIMES, TRACED_TO,
    TRUSTED_IPS, UDP_TIMEOUT, entry_point_name,
};
use super::nginx::POINTS;
use super::{OptionMistake, StaticOptions};

impl StaticOptions {
    /// An entry point is there by itself, or has an address; those that are there by themselves are
    /// of TCP.
    pub(super) fn check_entry_points(&self) -> Vec<OptionMistake> {
        let of_udp = |name| self.address(name).is_some_and(|it| it.protocol == Protocol::Udp);
        let built_in =
            BUILT_IN.iter().filter(|it| of_udp(it.name)).map(|BuiltIn { name, .. }| {
                self.said_of(&format!("entrypoints.{name}{ADDRESS}"), &format!("{name} is of TCP"))
            });
        let without = self.sections.keys().filter_map(|section| {
            let name = entry_point_name(section, "").filter(|name| !self.is_entry_point(name))?;
            Some(self.said_of(section, &format!("it has no address: {}", self.making(name))))
        });
        let said = self.values.keys().filter_map(|option| {
            let of = OF_ENTRY_POINTS.iter().find(|of| entry_point_name(option, of).is_some())?;
            let name = entry_point_name(option, of)?;
            let is_misread = self.misread.contains(&format!("entrypoints.{name}{ADDRESS}"));
            let why = if is_misread { None } else { self.wrong_beside(option, name, of) };
            Some(self.said_of(option, &why?))
        });
        built_in.chain(without).chain(said).collect()
    }

    /// What is wrong with an option of an entry point, by what else is said.
    fn wrong_beside(&self, option: &str, name: &str, of: &str) -> Option<String> {
        if !self.is_entry_point(name) {
            return Some(format!("there is no entry point {name:?}; {}", self.making(name)));
        }
        let protocol = self.address(name).map_or(Protocol::Tcp, |it| it.protocol);
        // Of UDP there is no default, and Traefik passes over it.
        if of == AS_DEFAULT && protocol == Protocol::Udp {
            return None;
        }
        if (of == UDP_TIMEOUT) != (protocol == Protocol::Udp) {
            return Some(format!(
                "the entry point {name:?} is of {protocol}, which has no such thing"
            ));
        }
        let beside = |of| format!("entrypoints.{name}{of}");
        if of == CLIENT_IP_HEADER && !self.has(&beside(TRUSTED_IPS)) {
            let trusted = beside(TRUSTED_IPS);
            return Some(format!("nobody is believed without {trusted}: add it"));
        }
        let to = self.values.get(option).filter(|to| of == REDIRECTED_TO && !self.leads_to(to));
        if let Some(to) = to {
            return Some(format!(
                "there is no entry point {to:?}; name one, or write a port as :443"
            ));
        }
        let everybody = BELIEVED.iter().find(|(some, _)| *some == of).map(|(_, all)| beside(all));
        let all = everybody.filter(|all| self.is_on(all))?;
        Some(format!("everybody is believed by {all}; one of the two"))
    }

    /// No two listen at one socket.
    pub(super) fn check_sockets(&self) -> Vec<OptionMistake> {
        let named = self.values.keys().filter_map(|option| entry_point_name(option, ADDRESS));
        let all: Vec<_> = named.filter_map(|name| Some((name, self.address(name)?))).collect();
        let wrong = all.iter().enumerate().filter_map(|(index, (name, address))| {
            let (other, _) = all[..index].iter().find(|(_, before)| before.meets(address))?;
            let why = format!(
                "the entry point {other:?} listens there: give one of the two another port"
            );
            Some(self.said_of(&format!("entrypoints.{name}{ADDRESS}"), &why))
        });
        wrong.collect()
    }

    /// What there is to say of options that make no difference where they stand.
    pub(super) fn passed_over(&self) -> Vec<String> {
        let of_udp = |name| self.address(name).is_some_and(|it| it.protocol == Protocol::Udp);
        let said = self.values.iter().filter(|(option, value)| {
            entry_point_name(option, AS_DEFAULT).is_some_and(of_udp) && *value == "true"
        });
        let why = "routes of UDP that name no entry point are at each that is of UDP";
        said.map(|(option, _)| self.said_of(option, why).to_string()).collect()
    }

    /// Whether who is led to what is written comes to an entry point.
    fn leads_to(&self, to: &str) -> bool {
        match to.strip_prefix(':') {
            Some(port) => port.parse::<u16>().is_ok_and(|port| port != 0),
            None => self.is_entry_point(&to.to_ascii_lowercase()),
        }
    }

    /// Routes of class nginx are led to entry points that there are.
    pub(super) fn check_nginx(&self) -> Vec<OptionMistake> {
        let names = POINTS.map(|name| format!("{OF_NGINX}{name}"));
        let wrong = names.iter().filter_map(|name| {
            let point = self.values.get(name)?.to_ascii_lowercase();
            let is_gone = !point.is_empty() && !self.is_entry_point(&point);
            let why = || format!("there is no entry point {point:?}; {}", self.making(&point));
            is_gone.then(|| self.said_of(name, &why()))
        });
        wrong.collect()
    }

    /// What is said of traces is for somebody.
    pub(super) fn check_tracing(&self) -> Option<OptionMistake> {
        let said = self.values.keys().find(|name| name.starts_with("tracing."))?;
        let is_for_nobody = !self.has(TRACED_TO) && !self.misread.contains(TRACED_TO);
        is_for_nobody.then(|| self.said_of(said, &format!("nothing is traced without {TRACED_TO}")))
    }
}

/// What there is to say of a value that makes no difference, of an option that does.
pub(super) fn idle(name: &str, value: &str) -> Option<String> {
    let is_negative = name == KEPT_ALIVE && value.starts_with('-');
    let so =
        "whether endpoints are there is asked all the same, after three minutes and every 15 s";
    is_negative.then(|| format!("{name} is not honoured: {so}"))
}

/// Whether an option may have this value.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let is_time = || options::find(name).is_some_and(|row| row.form == Form::Time);
    let is_negative = value.parse::<i64>().is_ok_and(|seconds| seconds < 0);
    if is_negative && name != KEPT_ALIVE && is_time() {
        return Err(format!("{name} wants a time: 10ms, 3s, 1m, not {value:?}"));
    }
    if [STREAMS, TABLE].iter().any(|of| entry_point_name(name, of).is_some()) {
        let wrong = || format!("{name} wants a number, 0 or more, not {value:?}");
        return value.parse::<u32>().map(drop).map_err(|_| wrong());
    }
    if entry_point_name(name, ADDRESS).is_some() {
        return parse_address(value).map(drop).map_err(|error| format!("{name}: {error}"));
    }
    if entry_point_name(name, UDP_TIMEOUT).is_some() {
        let is_time = duration(value).is_some_and(|it| !it.is_zero());
        let wrong = || format!("{name} wants a time, 3s or 1m, not {value:?}");
        return is_time.then_some(()).ok_or_else(wrong);
    }
    if TIMES.iter().any(|of| entry_point_name(name, of).is_some()) {
        let wrong = || format!("{name} wants a time, 90s or 3m, not {value:?}");
        return duration(value).map(drop).ok_or_else(wrong);
    }
    if BELIEVED.iter().any(|(some, _)| entry_point_name(name, some).is_some()) {
        let wrong =
            |part| format!("{name}: {part:?} is no range: write 10.0.0.0/8, 192.0.2.1 or {NAMED}");
        return listed(value).map(drop).map_err(wrong);
    }
    if entry_point_name(name, CLIENT_IP_HEADER).is_some() {
        let wrong = || format!("{name} wants the name of a header, not {value:?}");
        return is_header(value).then_some(()).ok_or_else(wrong);
    }
    if entry_point_name(name, CONNECTION).is_some() {
        let mut named = value.split(',').map(str::trim);
        let wrong = |name: &str, of| format!("{name} wants names of headers, unlike {of:?}");
        return named.find(|it| !is_header(it)).map_or(Ok(()), |of| Err(wrong(name, of)));
    }
    if let Some(label) = name.strip_prefix(HEADER_LABELS) {
        return header_label(name, label, value);
    }
    match (name, value) {
        _ if name.starts_with("accesslog.") => access_log::check(name, value).unwrap_or(Ok(())),
        (BUCKETS, list) => match BucketBounds::parse(list) {
            Ok(_) => Ok(()),
            Err(bad) => Err(format!("{name} wants {}, not {list:?}", bad.as_str())),
        },
        ("tracing.samplerate", rate) => match rate.parse::<f64>() {
            Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(()),
            _ => Err(format!("{name} wants a share from 0 to 1, not {rate:?}")),
        },
        (TRACED_TO, url) if url.starts_with("http://") || url.starts_with("https://") => Ok(()),
        (TRACED_TO, url) => Err(format!("{name} wants http://HOST:4318/v1/traces, not {url:?}")),
        _ => Ok(()),
    }
}

fn is_header(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.is_empty() && name.bytes().all(is_part)
}

/// A label of metrics that says what a header does: no other of theirs, and one that Prometheus
/// takes.
fn header_label(option: &str, label: &str, header: &str) -> Result<(), String> {
    const THEIRS: [&str; 6] = ["code", "entrypoint", "method", "protocol", "router", "service"];
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins_well =
        label.starts_with(|it: char| !it.is_ascii_digit()) && !label.starts_with("__");
    if !begins_well || !label.bytes().all(is_part) {
        let wants = "a name of letters, digits and underscores, which begins with no digit";
        return Err(format!("{option}: labels of metrics have {wants}, unlike {label:?}"));
    }
    if THEIRS.contains(&label) {
        return Err(format!("{option}: these metrics have a label {label:?} of their own"));
    }
    let wrong = || format!("{option} wants the name of a header, not {header:?}");
    is_header(header).then_some(()).ok_or_else(wrong)
}
