//! Whose word about clients is taken, as the ConfigMap says it.

use std::time::Duration;

use steelyard_model::Severity;
use steelyard_model::routing::belief::{NginxBelief, NginxForwarded, NginxProxied};
use steelyard_model::routing::ranges;
use steelyard_model::routing::trust::Trust;

use super::Reading;
use crate::codes;

/// Whom it is taken of, where nothing is said.
const EVERYBODY: &str = "0.0.0.0/0";
/// The line that lists whom a request has passed, where nothing is said.
const LIST: &str = "X-Forwarded-For";
/// Seconds for a PROXY header, where nothing is said, and at most.
const WAIT: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);
/// How long connections to Services may be silent, where nothing is said.
const SILENCE: Duration = Duration::from_secs(600);
/// What says whose word is taken, and does nothing where nobody's is.
const BESIDE: [&str; 3] =
    ["compute-full-forwarded-for", "proxy-protocol-header-timeout", "proxy-real-ip-cidr"];

impl Reading<'_> {
    /// Whose word is taken; and of whom one would be, and for how long it is waited for. What says
    /// of whom and cannot be read lets nobody say anything.
    pub(super) fn belief(&mut self) -> (NginxBelief, Trust, Duration) {
        let has_lines = self.boolean("use-forwarded-headers").unwrap_or(false);
        let is_proxied = self.boolean("use-proxy-protocol").unwrap_or(false);
        let is_named = self.boolean("enable-real-ip").unwrap_or(false);
        let is_full = self.boolean("compute-full-forwarded-for").unwrap_or(false);
        let trust = self.trusted();
        let wait = self.wait();
        let list = self.value("forwarded-for-header", header, "write the name of a header line");
        let keeps_underscores = self.boolean("enable-underscores-in-headers").unwrap_or(false);
        if !(has_lines || is_proxied || is_named) {
            self.tell_idle();
            let list = list.map(Into::into);
            let of_nobody = NginxBelief { list, keeps_underscores, ..NginxBelief::default() };
            return (of_nobody, trust, wait);
        }
        // Where connections say who is there, lines do only where they are asked for.
        let by_lines = has_lines || is_named && !is_proxied;
        let key = if has_lines { "use-forwarded-headers" } else { "enable-real-ip" };
        let forwarded = by_lines.then(|| NginxForwarded {
            trust: trust.clone(),
            list: Some(list.unwrap_or(LIST).into()),
            has_lines,
            is_full: is_full && has_lines,
            place: self.place(key),
        });
        let place = self.place("use-proxy-protocol");
        let proxied = is_proxied.then(|| NginxProxied { trust: trust.clone(), wait, place });
        let list = list.map(Into::into);
        (NginxBelief { forwarded, proxied, list, keeps_underscores }, trust, wait)
    }

    fn trusted(&mut self) -> Trust {
        let written = self.data.get("proxy-real-ip-cidr").map(|it| it.trim());
        let written = written.filter(|it| !it.is_empty()).unwrap_or(EVERYBODY);
        let parts = written.split(',').map(str::trim).filter(|it| !it.is_empty());
        let read: Result<Vec<_>, &str> = parts.map(|it| ranges::range(it).ok_or(it)).collect();
        match read {
            Ok(read) => Trust::Ranges(read),
            Err(part) => {
                let message = format!(
                    "`proxy-real-ip-cidr`: {part:?} is no range: nobody's word about clients is \
                     taken"
                );
                let help = "write ranges with commas between: 10.0.0.0/8,2001:db8::/32";
                let (severity, code) = (Severity::Error, codes::FIELD_NOT_HONOURED);
                self.say(severity, code, "proxy-real-ip-cidr", message, help);
                Trust::Nobody
            }
        }
    }

    fn wait(&mut self) -> Duration {
        let help = "write a time from 1s to 60s";
        let read = |text: &str| time(text).filter(|wait| *wait <= LONGEST);
        self.value("proxy-protocol-header-timeout", read, help).unwrap_or(WAIT)
    }

    /// How long connections to Services may be silent.
    pub(super) fn silence(&mut self) -> Duration {
        let help = "write a time: 600s, 10m";
        self.value("proxy-stream-timeout", time, help).unwrap_or(SILENCE)
    }

    fn tell_idle(&mut self) {
        for key in BESIDE {
            if !self.data.contains_key(key) {
                continue;
            }
            let message = format!("`{key}` does nothing: nobody's word about clients is taken");
            let help = "add `use-forwarded-headers`, `enable-real-ip` or `use-proxy-protocol`, or \
                        remove it";
            self.say(Severity::Info, codes::FIELD_NOT_HONOURED, key, message, help);
        }
    }
}

/// A time of nginx or Go: a number, and `ms`, `s`, `m` or `h`.
pub(super) fn time(text: &str) -> Option<Duration> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1_000)];
    let found = units.iter().find_map(|(unit, of)| Some((text.strip_suffix(unit)?, *of)));
    let (number, of) = found?;
    let time = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(of)?);
    (!time.is_zero()).then_some(time)
}

/// The name of a header line.
fn header(text: &str) -> Option<&str> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (text.len() <= 128 && text.bytes().all(is_part)).then_some(text)
}
