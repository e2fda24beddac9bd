//! How endpoints are looked after: active checks, and what failures count.

use std::sync::Arc;
use std::time::Duration;

use steelyard_manifest::kinds::{IntOrString, traefik as raw};
use steelyard_model::FieldPath;
use steelyard_model::routing::care::{Care, CheckProbe, HealthCheck, HttpProbe, PassiveCheck};

use super::Reader;
use crate::codes;

/// Traefik's default of `passiveHealthCheck.failureWindow`.
const WINDOW: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Http,
    Grpc,
}

impl Reader<'_, '_> {
    pub(super) fn care(&mut self, written: &raw::LoadBalancer, path: &FieldPath) -> Arc<Care> {
        let check = written.health_check.as_ref();
        let check = check.map(|check| self.check(check, &path.key("healthCheck")));
        let passive = written.passive_health_check.as_ref();
        let passive = passive.map(|passive| self.passive(passive, &path.key("passiveHealthCheck")));
        if check.is_none() && passive.is_none() {
            return Care::usual();
        }
        Arc::new(Care { check, passive, ..Care::default() })
    }

    fn check(&mut self, written: &raw::HealthCheck, path: &FieldPath) -> HealthCheck {
        let modes = [("http", Mode::Http), ("grpc", Mode::Grpc)];
        let mode = written.mode.as_deref().filter(|mode| !mode.is_empty());
        let mode = self.findings.choice(&path.key("mode"), mode, &modes).unwrap_or_default();
        self.words(written, path);
        let hostname = text(written.hostname.as_deref());
        let probe = match mode {
            Mode::Grpc => CheckProbe::Grpc { authority: hostname },
            Mode::Http => CheckProbe::Http(HttpProbe {
                path: text(written.path.as_deref()).unwrap_or_else(|| "/".into()),
                method: text(written.method.as_deref()).unwrap_or_else(|| "GET".into()),
                hostname,
                is_plain: written.scheme.as_deref() == Some("http"),
                headers: headers(written),
                status: self.findings.within(&path.key("status"), written.status, 100..=599),
                follows: written.follow_redirects.unwrap_or(true),
            }),
        };
        let usual = HealthCheck::new(probe);
        let interval = self.positive(written.interval.as_ref(), &path.key("interval"));
        let interval = interval.unwrap_or(usual.interval);
        let while_down = &path.key("unhealthyInterval");
        let while_down = self.positive(written.unhealthy_interval.as_ref(), while_down);
        let timeout = self.positive(written.timeout.as_ref(), &path.key("timeout"));
        HealthCheck {
            port: self.findings.within(&path.key("port"), written.port, 1..=65535),
            interval,
            unhealthy_interval: while_down.unwrap_or(interval),
            timeout: timeout.unwrap_or(usual.timeout),
            ..usual
        }
    }

    /// Reports what would not be one line of a request.
    fn words(&mut self, written: &raw::HealthCheck, path: &FieldPath) {
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_line = |text: &str| !text.bytes().any(|byte| byte.is_ascii_control());
        let texts = [
            ("path", written.path.as_deref()),
            ("method", written.method.as_deref()),
            ("hostname", written.hostname.as_deref()),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((path.key(name), text?)));
        let mut bad: Vec<FieldPath> =
            texts.filter(|(_, text)| !is_word(text)).map(|(path, _)| path).collect();
        let headers = path.key("headers");
        let lines = written.headers.iter().flatten();
        let lines = lines.filter(|(name, value)| !is_word(name) || !is_line(value));
        bad.extend(lines.map(|(name, _)| headers.key(name)));
        for path in bad {
            let message = format!("{path} has characters that no request has there");
            let help = "write it without blanks, line ends and other control characters";
            self.findings.invalid(codes::INVALID_VALUE, &path, message, help);
        }
    }

    fn passive(&mut self, written: &raw::PassiveHealthCheck, path: &FieldPath) -> PassiveCheck {
        let window = self.positive(written.failure_window.as_ref(), &path.key("failureWindow"));
        let failures = path.key("maxFailedAttempts");
        let most = i64::from(u32::MAX);
        let failures = self.findings.within(&failures, written.max_failed_attempts, 1..=most);
        PassiveCheck { window: window.unwrap_or(WINDOW), failures: failures.unwrap_or(1) }
    }

    /// A duration that is more than nothing; nothing is what is usual.
    fn positive(&mut self, written: Option<&IntOrString>, path: &FieldPath) -> Option<Duration> {
        self.time(written, path).filter(|time| !time.is_zero())
    }
}

fn text(written: Option<&str>) -> Option<Arc<str>> {
    written.filter(|text| !text.is_empty()).map(Arc::from)
}

fn headers(written: &raw::HealthCheck) -> Vec<(Arc<str>, Arc<str>)> {
    let all = written.headers.iter().flatten();
    all.map(|(name, value)| (Arc::from(&**name), Arc::from(&**value))).collect()
}
