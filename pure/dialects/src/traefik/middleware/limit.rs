//! Middlewares that say how many, how long and how often.

use std::time::Duration;

use steelyard_manifest::kinds::IntOrString;
use steelyard_manifest::kinds::traefik::middleware as written;
use steelyard_model::FieldPath;
use steelyard_model::discretion::quoted;
use steelyard_model::filter_draft::SecretPurpose;
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::AnswerPage;
use steelyard_model::routing::filter::limit::{
    BodyBuffers, CircuitBreaker, Counted, InFlightLimit, RateLimit, RedisStore, RetryRule,
};
use steelyard_model::routing::filter::trigger::{Trigger, TriggerSubject};
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::times::RouteTimeouts;

use super::{Making, Reader, is, text, texts};
use crate::codes;

/// Traefik's default of `memRequestBodyBytes` and `memResponseBodyBytes`.
const IN_MEMORY: u64 = 1024 * 1024;

/// Traefik's default of `retry.maxRequestBodyBytes`.
const REPLAYED: i64 = 2 * 1024 * 1024;

impl Reader<'_, '_> {
    pub(super) fn rate_limit(
        &mut self,
        it: &written::RateLimitSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<Filter> {
        let period =
            self.usually(it.period.as_ref(), &path.key("period"), Duration::from_secs(1))?;
        let burst = path.key("burst");
        let redis = match &it.redis {
            Some(redis) => Some(self.redis(redis, &path.key("redis"), making)?),
            None => None,
        };
        let criterion = it.source_criterion.as_ref();
        Some(Filter::RateLimit(Box::new(RateLimit {
            status: 429,
            page: AnswerPage::Words,
            average: self.amount(&path.key("average"), it.average)?,
            period,
            burst: self.amount(&burst, Some(it.burst.unwrap_or(1)))?,
            of: self.counted(criterion, &path.key("sourceCriterion"), || {
                Counted::Client(Default::default())
            })?,
            redis,
        })))
    }

    pub(super) fn in_flight(
        &mut self,
        it: &written::InFlightSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let criterion = it.source_criterion.as_ref();
        Some(Filter::InFlight(InFlightLimit {
            status: 429,
            page: AnswerPage::Words,
            amount: self.amount(&path.key("amount"), it.amount)?,
            of: self.counted(criterion, &path.key("sourceCriterion"), || Counted::Host)?,
        }))
    }

    /// What is counted together.
    fn counted(
        &mut self,
        it: Option<&written::CriterionSpec>,
        path: &FieldPath,
        usual: impl FnOnce() -> Counted,
    ) -> Option<Counted> {
        let Some(it) = it else { return Some(usual()) };
        let header = text(it.request_header_name.as_ref());
        let asked = [
            ("ipStrategy", it.ip_strategy.is_some()),
            ("requestHeaderName", header.is_some()),
            ("requestHost", is(it.request_host)),
        ];
        let mut there = asked.iter().filter(|(_, is)| *is).map(|(name, _)| path.key(name));
        if let (Some(first), Some(second)) = (there.next(), there.next()) {
            self.findings.exclusive(&second, &first);
            return None;
        }
        if let Some(name) = header {
            self.is_name(&name, &path.key("requestHeaderName"))?;
            return Some(Counted::Header(name));
        }
        match &it.ip_strategy {
            Some(strategy) => {
                Some(Counted::Client(self.source(Some(strategy), &path.key("ipStrategy"))?))
            }
            None if is(it.request_host) => Some(Counted::Host),
            None => Some(usual()),
        }
    }

    fn redis(
        &mut self,
        it: &written::RedisSpec,
        path: &FieldPath,
        making: &mut Making<'_>,
    ) -> Option<RedisStore> {
        // Of a password alone, whose it is goes without saying: Redis has a usual user.
        let credentials = text(it.password.as_ref())
            .map(|password| (text(it.username.as_ref()).unwrap_or_default(), password));
        let others = match making.is_of_file() {
            true => vec![("secret", it.secret.is_some())],
            false => {
                vec![("username", it.username.is_some()), ("password", it.password.is_some())]
            }
        };
        self.foreign(&others, path, making);
        let secret = path.key("secret");
        self.named_secret(it.secret.as_ref(), (&secret, SecretPurpose::Credentials), making);
        let tls = it.tls.as_ref().map(|tls| self.filter_tls(tls, &path.key("tls"), making));
        Some(RedisStore {
            servers: self.counting(it, tls.is_some(), &path.key("endpoints"))?,
            credentials,
            tls,
            database: self.amount(&path.key("db"), it.db)?,
            pool: self.amount(&path.key("poolSize"), it.pool_size)?,
            idle: self.amount(&path.key("minIdleConns"), it.min_idle_conns)?,
            active: self.amount(&path.key("maxActiveConns"), it.max_active_conns)?,
            read: self.usually_some(it.read_timeout.as_ref(), &path.key("readTimeout"), 3),
            write: self.usually_some(it.write_timeout.as_ref(), &path.key("writeTimeout"), 3),
            dial: self.usually_some(it.dial_timeout.as_ref(), &path.key("dialTimeout"), 5),
        })
    }

    /// Servers that count, each as `host:port`; Traefik's own default where none is written.
    fn counting(
        &mut self,
        it: &written::RedisSpec,
        is_secure: bool,
        path: &FieldPath,
    ) -> Option<Vec<(AskedUrl, BackendId)>> {
        let mut endpoints = texts(it.endpoints.as_ref());
        if endpoints.is_empty() {
            endpoints.push("localhost:6379".into());
        }
        let mut servers = Vec::new();
        for (at, text) in endpoints.iter().enumerate() {
            match AskedUrl::server(text, is_secure) {
                Ok(server) => servers.push((server, BackendId::from(""))),
                Err(why) => {
                    let message =
                        format!("`{}` is no server: it is written HOST:PORT", quoted(text));
                    let at = path.index(at);
                    self.findings.invalid(codes::INVALID_VALUE, &at, message, why.help());
                    return None;
                }
            }
        }
        Some(servers)
    }

    pub(super) fn buffering(
        &mut self,
        it: &written::BufferingSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let retry = text(it.retry_expression.as_ref());
        if let Some(text) = &retry {
            self.condition(text, &path.key("retryExpression"), TriggerSubject::Response)?;
        }
        let mut size = |name: &str, written: Option<i64>, usual: u64| match written {
            None => Some(usual),
            written => self.amount(&path.key(name), written),
        };
        Some(Filter::Buffers(BodyBuffers {
            max_request: size("maxRequestBodyBytes", it.max_request_body_bytes, 0)?,
            mem_request: size("memRequestBodyBytes", it.mem_request_body_bytes, IN_MEMORY)?,
            max_response: size("maxResponseBodyBytes", it.max_response_body_bytes, 0)?,
            mem_response: size("memResponseBodyBytes", it.mem_response_body_bytes, IN_MEMORY)?,
            retry,
        }))
    }

    pub(super) fn breaker(
        &mut self,
        it: &written::BreakerSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let help = "write such as NetworkErrorRatio() > 0.30";
        let at = path.key("expression");
        let expression = self.required(it.expression.as_ref(), &at, help)?;
        self.condition(&expression, &at, TriggerSubject::Traffic)?;
        let time = Duration::from_secs(10);
        let (check, fallback) = (path.key("checkPeriod"), path.key("fallbackDuration"));
        let recovery = path.key("recoveryDuration");
        let status = it.response_code.filter(|status| *status != 0).unwrap_or(503);
        Some(Filter::CircuitBreaker(CircuitBreaker {
            expression,
            check_period: self.usually(
                it.check_period.as_ref(),
                &check,
                Duration::from_millis(100),
            )?,
            fallback: self.usually(it.fallback_duration.as_ref(), &fallback, time)?,
            recovery: self.usually(it.recovery_duration.as_ref(), &recovery, time)?,
            status: self.findings.within(&path.key("responseCode"), Some(status), 200..=599)?,
        }))
    }

    pub(super) fn retry(&mut self, it: &written::RetrySpec, path: &FieldPath) -> Option<Filter> {
        let attempts = path.key("attempts");
        if it.attempts.is_none() {
            self.findings.missing(&attempts, "say how often it is asked in all");
        }
        let attempts = self.findings.within(&attempts, it.attempts, 1..=i64::from(u32::MAX))?;
        let statuses = self.statuses(it.status.as_ref(), &path.key("status"));
        let by_status_alone = is(it.disable_retry_on_network_error);
        if by_status_alone && statuses.is_empty() {
            let path = path.key("disableRetryOnNetworkError");
            let message = "nothing is asked again: neither after faults nor after statuses";
            let help = "name statuses in `status`, or remove this";
            self.findings.invalid(codes::INVALID_VALUE, &path, message, help);
            return None;
        }
        let most = it.max_request_body_bytes.unwrap_or(REPLAYED);
        let mut time = |name: &str, written: Option<&IntOrString>| {
            self.time(written, &path.key(name)).filter(|time| !time.is_zero())
        };
        Some(Filter::Retry(RetryRule {
            attempts,
            timeout: time("timeout", it.timeout.as_ref()),
            interval: time("initialInterval", it.initial_interval.as_ref()),
            max_body: Self::at_most(Some(most)),
            statuses,
            is_by_status_alone: by_status_alone,
            is_for_all_methods: is(it.retry_non_idempotent_method),
        }))
    }

    /// Says where an expression is none.
    fn condition(&mut self, text: &str, path: &FieldPath, subject: TriggerSubject) -> Option<()> {
        let Err(bad) = Trigger::parse(text, subject) else { return Some(()) };
        let message = format!("`{text}` cannot be read: {bad}");
        let help = "join comparisons by && and ||, for example ResponseCode() == 502";
        let help = if subject == TriggerSubject::Response {
            help
        } else {
            "write such as NetworkErrorRatio() > 0.30"
        };
        self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        None
    }

    /// How long what may take: 0 is without limit, as Gateway API has it.
    pub(super) fn timeouts(
        &mut self,
        it: &written::TimeoutsSpec,
        path: &FieldPath,
    ) -> Option<Filter> {
        let mut limit = |written: &Option<IntOrString>, name: &str| match written {
            None => Some(None),
            Some(_) => {
                let time = self.time(written.as_ref(), &path.key(name))?;
                Some(Some(time).filter(|time| !time.is_zero()))
            }
        };
        let timeouts = RouteTimeouts {
            total: limit(&it.request, "request")?,
            attempt: limit(&it.backend_request, "backendRequest")?,
            connect: limit(&it.connect, "connect")?,
            idle_read: limit(&it.idle_read, "idleRead")?,
            idle_send: limit(&it.idle_send, "idleSend")?,
            ..RouteTimeouts::default()
        };
        if let (Some(total), Some(attempt)) = (timeouts.total, timeouts.attempt)
            && attempt > total
        {
            let message = "an attempt may take longer than the whole request";
            let help = "write a backendRequest that is not longer than request";
            let at = path.key("backendRequest");
            self.findings.invalid(codes::INVALID_VALUE, &at, message, help);
            return None;
        }
        Some(Filter::Timeouts(timeouts))
    }

    /// A time that is more than nothing.
    fn usually(
        &mut self,
        written: Option<&IntOrString>,
        path: &FieldPath,
        usual: Duration,
    ) -> Option<Duration> {
        let Some(_) = written else { return Some(usual) };
        let time = self.time(written, path)?;
        Some(if time.is_zero() { usual } else { time })
    }

    fn usually_some(
        &mut self,
        written: Option<&IntOrString>,
        path: &FieldPath,
        usual: u64,
    ) -> Option<Duration> {
        match written {
            None => Some(Duration::from_secs(usual)),
            written => self.time(written, path),
        }
    }
}
