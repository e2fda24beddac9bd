//! Traefik's static options: `--entrypoints.web.address=:80` and the like. Which there are, and
//! what becomes of each, is a table of `steelyard-dialects`; where they come from is `given`; what
//! those that are honoured come to is here.

mod access_log;
mod duration;
mod exposure;
mod given;
mod providers;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steelyard_dynamic::DynamicOptions;
use steelyard_gateway::{AccessLog, MetricViews};
use steelyard_http::{ForwardedPolicy, Underscores};
use steelyard_metrics::BucketBounds;
use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::{
    BUILT_IN, BuiltIn, EntryPoint, EntryPointRedirection, OWN, OWN_PORT, PLAIN, SECURE, Trust,
};
use steelyard_model::routing::filter::content::EncodedCharacters;
use steelyard_model::routing::ranges::{NAMED, listed};

use steelyard_dialects::traefik::options::{self, Judged, OptionFate};

use duration::duration;
use given::Given;

/// The static options that count, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticOptions {
    values: BTreeMap<String, String>,
    /// What there is to say of others.
    remarks: Vec<String>,
}

/// An `address` as Traefik writes it: `[HOST]:PORT[/tcp|/udp]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// The host; none is every address of this machine.
    pub host: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// What is traced, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// URL of the collector.
    pub endpoint: String,
    /// What it knows this by.
    pub service_name: String,
    /// The share of requests that are traced, 0 to 1.
    pub sample_rate: f64,
    /// More that it is told of this.
    pub resource: BTreeMap<String, String>,
    /// Header lines for it.
    pub headers: BTreeMap<String, String>,
}

const BUCKETS: &str = "metrics.prometheus.buckets";

/// The one without which nothing is traced.
const TRACED_TO: &str = "tracing.otlp.http.endpoint";
/// What collectors know this by, unless told otherwise.
const SERVICE_NAME: &str = "steelyard";

const ADDRESS: &str = ".address";
const SANITIZE_PATH: &str = ".http.sanitizepath";
const INSECURE: &str = ".forwardedheaders.insecure";
const TRUSTED_IPS: &str = ".forwardedheaders.trustedips";
const CLIENT_IP_HEADER: &str = ".forwardedheaders.clientipheader";
const RFC_7239: &str = ".forwardedheaders.rfc7239";
const PROXY_INSECURE: &str = ".proxyprotocol.insecure";
const PROXY_TRUSTED_IPS: &str = ".proxyprotocol.trustedips";
const UDP_TIMEOUT: &str = ".udp.timeout";
const GRACE: &str = ".transport.lifecycle.gracetimeout";
const TLS: &str = ".http.tls";
const AS_DEFAULT: &str = ".asdefault";
const REDIRECTION: &str = ".http.redirections.entrypoint";
const MIDDLEWARES: &str = ".http.middlewares";
const CHARACTERS: &str = ".http.encodedcharacters.allowencoded";
const NOT_APPENDED: &str = ".forwardedheaders.notappendxforwardedfor";
const UNDERSCORES: &str = ".http.underscoreheadersstrategy";
const IDLE: &str = ".transport.respondingtimeouts.idletimeout";
const STREAMS: &str = ".http2.maxconcurrentstreams";
const TLS_OPTIONS: &str = ".http.tls.options";
const REDIRECTED_TO: &str = ".http.redirections.entrypoint.to";
/// What is set of entry points, besides where they listen.
const OF_ENTRY_POINTS: [&str; 18] = [
    GRACE,
    IDLE,
    STREAMS,
    NOT_APPENDED,
    UNDERSCORES,
    TLS,
    TLS_OPTIONS,
    MIDDLEWARES,
    AS_DEFAULT,
    REDIRECTED_TO,
    SANITIZE_PATH,
    INSECURE,
    TRUSTED_IPS,
    CLIENT_IP_HEADER,
    RFC_7239,
    PROXY_INSECURE,
    PROXY_TRUSTED_IPS,
    UDP_TIMEOUT,
];
/// What says whom to believe: some, and everybody.
const BELIEVED: [(&str, &str); 2] = [(TRUSTED_IPS, INSECURE), (PROXY_TRUSTED_IPS, PROXY_INSECURE)];

impl StaticOptions {
    /// Splits `arguments` into the static options and the rest. Where there is a file of options,
    /// or where there are none among the arguments and `environment` has some, those count.
    ///
    /// # Errors
    /// A sentence that names an option that is not understood, or its bad value, and where it is.
    pub fn take(
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Vec<OsString>), String> {
        let (chosen, rest) = given::chosen(arguments, environment)?;
        let mut options = Self { remarks: chosen.remarks, ..Self::default() };
        let plans = rest.iter().any(|argument| argument == "plan");
        for given in chosen.options {
            options.add(given, plans)?;
        }
        options.check_entry_points()?;
        options.check_tracing()?;
        options.check_exposure()?;
        Ok((options, rest))
    }

    /// Takes one in, where it is one; `plans` where all that becomes of it is looked at.
    fn add(&mut self, given: Given, plans: bool) -> Result<(), String> {
        let Given { origin, name, value } = given;
        let fate = options::find(&name).map(|row| row.fate);
        let is_planned = fate.is_some_and(OptionFate::is_planned);
        match options::judge(&name, &value) {
            Judged::Idle(so) if !(plans && is_planned) => {
                self.remarks.push(format!("{origin}{so}"))
            }
            Judged::Wrong(why) => return Err(format!("{origin}{why}")),
            Judged::Fine | Judged::Idle(_) => {}
        }
        check(&name, &value).map_err(|why| format!("{origin}{why}"))?;
        if is_planned {
            self.values.insert(name, value);
        }
        Ok(())
    }

    /// What there is to say of options that make no difference.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// An entry point is there by itself, or has an address; those that are there by themselves are
    /// of TCP.
    fn check_entry_points(&self) -> Result<(), String> {
        let of_udp = |name| self.address(name).is_some_and(|it| it.protocol == Protocol::Udp);
        if let Some(BuiltIn { name, .. }) = BUILT_IN.iter().find(|it| of_udp(it.name)) {
            return Err(format!("--entrypoints.{name}{ADDRESS}: {name} is of TCP"));
        }
        let named = self.values.keys().filter_map(|option| {
            let of = OF_ENTRY_POINTS.iter().find(|of| entry_point_name(option, of).is_some())?;
            Some((entry_point_name(option, of)?, *of))
        });
        for (name, of) in named {
            let is_there = self.is_entry_point(name);
            if !is_there {
                return Err(format!(
                    "--entrypoints.{name}{of}: there is no entry point {name:?}; \
                     --entrypoints.{name}.address makes one"
                ));
            }
            let protocol = self.address(name).map_or(Protocol::Tcp, |it| it.protocol);
            if (of == UDP_TIMEOUT) != (protocol == Protocol::Udp) {
                return Err(format!(
                    "--entrypoints.{name}{of}: the entry point {name:?} is of {protocol}, which has \
                     no such thing"
                ));
            }
            let is_said = |of| self.has(&format!("entrypoints.{name}{of}"));
            if of == CLIENT_IP_HEADER && !is_said(TRUSTED_IPS) {
                return Err(format!(
                    "--entrypoints.{name}{of}: nobody is believed without \
                     --entrypoints.{name}{TRUSTED_IPS}"
                ));
            }
            let leads_to = |to: &String| match to.strip_prefix(':') {
                Some(port) => port.parse::<u16>().is_ok_and(|port| port != 0),
                None => {
                    let to = to.to_ascii_lowercase();
                    self.is_entry_point(&to)
                }
            };
            let to = self.values.get(&format!("entrypoints.{name}{of}"));
            if let Some(to) = to.filter(|to| of == REDIRECTED_TO && !leads_to(to)) {
                return Err(format!(
                    "entrypoints.{name}{of}: there is no entry point {to:?}; name one, or write a \
                     port as :443"
                ));
            }
            let everybody = BELIEVED.iter().find(|(some, _)| *some == of).map(|(_, all)| *all);
            let is_on = |option| self.values.get(&option).is_some_and(|it| it == "true");
            if let Some(all) = everybody.filter(|all| is_on(format!("entrypoints.{name}{all}"))) {
                return Err(format!(
                    "--entrypoints.{name}{of}: everybody is believed by \
                     --entrypoints.{name}{all}; one of the two"
                ));
            }
        }
        Ok(())
    }

    /// What is said of traces is for somebody.
    fn check_tracing(&self) -> Result<(), String> {
        let said = self.values.keys().find(|name| name.starts_with("tracing."));
        match said.filter(|_| !self.has(TRACED_TO)) {
            None => Ok(()),
            Some(name) => Err(format!("--{name}: nothing is traced without --{TRACED_TO}")),
        }
    }

    /// Where traces go, and what of; none: nothing is traced.
    pub fn tracing(&self) -> Option<TraceSettings> {
        let all = |prefix: &str| {
            let named = self.values.iter().filter_map(|(name, value)| {
                Some((name.strip_prefix(prefix)?.to_owned(), value.clone()))
            });
            named.collect()
        };
        let rate = self.values.get("tracing.samplerate").map(|rate| rate.parse());
        let name = self.values.get("tracing.servicename").map_or(SERVICE_NAME, String::as_str);
        Some(TraceSettings {
            endpoint: self.values.get(TRACED_TO)?.clone(),
            service_name: name.to_owned(),
            sample_rate: rate.map_or(1.0, |rate| rate.expect("checked when it was taken")),
            resource: all("tracing.resourceattributes."),
            headers: all("tracing.otlp.http.headers."),
        })
    }

    /// Files and folders of Traefik's dynamic configuration.
    pub fn dynamic_files(&self) -> Vec<PathBuf> {
        let named = ["providers.file.filename", "providers.file.directory"];
        named.iter().filter_map(|name| self.values.get(*name)).map(PathBuf::from).collect()
    }

    /// How long requests may finish after SIGTERM: the longest that an entry point says.
    pub fn grace(&self) -> Option<Duration> {
        let said = self.values.iter().filter(|(option, _)| option.ends_with(GRACE));
        said.filter_map(|(_, value)| duration(value)).max()
    }

    /// Entry points that forward paths with the empty and dot segments they came with.
    pub fn unresolved_paths(&self) -> BTreeSet<String> {
        let off = self.values.iter().filter(|(_, value)| *value == "false");
        let names = off.filter_map(|(option, _)| entry_point_name(option, SANITIZE_PATH));
        names.map(str::to_owned).collect()
    }

    /// Whether objects of Traefik's kinds may name some of other namespaces.
    pub fn allows_cross_namespace(&self) -> bool {
        self.providers().crd.allow_cross_namespace
    }

    /// Options that count for `plan -o traefik` alone: nothing is served by them.
    pub fn idle(&self) -> Vec<String> {
        providers::idle(&self.values)
    }

    /// What changes what Traefik's providers make of objects.
    pub fn providers(&self) -> DynamicOptions {
        providers::chosen(&self.values)
    }

    /// Who may say by a PROXY header where a connection comes from, by entry point.
    pub fn proxied(&self) -> BTreeMap<String, Arc<Trust>> {
        let all = self.believed(PROXY_TRUSTED_IPS, PROXY_INSECURE).into_iter();
        all.map(|(name, trust)| (name.to_owned(), Arc::new(trust))).collect()
    }

    /// How long sessions of UDP may be silent, by entry point.
    pub fn udp_silent(&self) -> BTreeMap<String, Duration> {
        let said = self.values.iter().filter_map(|(option, value)| {
            let name = entry_point_name(option, UDP_TIMEOUT)?;
            Some((name.to_owned(), duration(value).expect("checked when it was taken")))
        });
        said.collect()
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

    /// Whom to believe, by entry point: `some`, or everybody.
    fn believed(&self, some: &str, everybody: &str) -> BTreeMap<&str, Trust> {
        let said = self.values.iter().filter_map(|(option, value)| {
            let ranges = || Trust::Ranges(listed(value).expect("checked when it was taken"));
            let some = entry_point_name(option, some).map(|name| (name, ranges()));
            let all = || entry_point_name(option, everybody).filter(|_| value == "true");
            some.or_else(|| all().map(|name| (name, Trust::Everybody)))
        });
        said.collect()
    }

    /// Whose word about clients is taken, by entry point.
    pub fn forwarded(&self) -> BTreeMap<String, Arc<ForwardedPolicy>> {
        let mut all = BTreeMap::<String, ForwardedPolicy>::new();
        if self.is_on("global.notappendxforwardedfor") {
            for point in self.entry_points((PLAIN.port, SECURE.port)) {
                all.entry(point.id.to_string()).or_default().keeps_list = true;
            }
        }
        for (name, trust) in self.believed(TRUSTED_IPS, INSECURE) {
            all.entry(name.to_owned()).or_default().trust = trust;
        }
        let mut each = |of: &str, set: &dyn Fn(&mut ForwardedPolicy, &str)| {
            for (option, value) in &self.values {
                if let Some(name) = entry_point_name(option, of) {
                    set(all.entry(name.to_owned()).or_default(), value);
                }
            }
        };
        each(CLIENT_IP_HEADER, &|policy, value| policy.client_header = Some(value.into()));
        each(RFC_7239, &|policy, value| policy.standard = value == "true");
        each(UNDERSCORES, &|policy, value| policy.underscores = strategy(value));
        each(NOT_APPENDED, &|policy, value| policy.keeps_list = value == "true");
        all.into_iter().map(|(name, policy)| (name, Arc::new(policy))).collect()
    }

    /// The address of the entry point `name`, where it is set.
    pub fn address(&self, name: &str) -> Option<ListenAddress> {
        let value = self.values.get(&format!("entrypoints.{name}.address"))?;
        Some(parse_address(value).expect("checked when it was taken"))
    }

    /// Every entry point: the built-in ones unless moved, and those of the user's own.
    /// `fallback` gives the ports of the built-in ones.
    pub fn entry_points(&self, fallback: (u16, u16)) -> Vec<EntryPoint> {
        let mut points = BTreeMap::new();
        for (name, port) in [(PLAIN.name, fallback.0), (SECURE.name, fallback.1)] {
            points.insert(name, EntryPoint::new(name, port));
        }
        for (name, value) in &self.values {
            if let Some(name) = entry_point_name(name, ADDRESS) {
                let ListenAddress { port, protocol, .. } =
                    parse_address(value).expect("checked when it was taken");
                points.insert(name, EntryPoint { protocol, ..EntryPoint::new(name, port) });
            }
        }
        if self.needs_own() && !points.contains_key(OWN) {
            points.insert(OWN, EntryPoint::new(OWN, free_port(&points)));
        }
        let ports = points.iter().map(|(name, it)| ((*name).to_owned(), it.port)).collect();
        for (name, point) in &mut points {
            point.is_secure |= self.is_on(&format!("entrypoints.{name}{TLS}"));
            point.is_default = self.is_on(&format!("entrypoints.{name}{AS_DEFAULT}"));
            point.redirection = self.redirection(name, &ports);
            point.characters = self.characters(name);
            point.filters = self.names(&format!("entrypoints.{name}{MIDDLEWARES}"));
            let options = self.values.get(&format!("entrypoints.{name}{TLS_OPTIONS}"));
            point.tls_options = options.filter(|it| !it.is_empty()).map(|it| it.as_str().into());
            point.is_secure |= point.tls_options.is_some();
        }
        points.into_values().collect()
    }

    /// Where an entry point leads those who ask there, if it leads them anywhere.
    fn redirection(
        &self,
        name: &str,
        ports: &BTreeMap<String, u16>,
    ) -> Option<EntryPointRedirection> {
        let get = |of: &str| self.values.get(&format!("entrypoints.{name}{REDIRECTION}.{of}"));
        let to = get("to")?;
        let port = match to.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None => *ports.get(&to.to_ascii_lowercase())?,
        };
        Some(EntryPointRedirection {
            to: to.trim_start_matches(':').into(),
            is_named: !to.starts_with(':'),
            port,
            scheme: get("scheme").map_or("https", String::as_str).to_ascii_lowercase().into(),
            is_permanent: get("permanent").is_none_or(|value| value == "true"),
            number: get("priority").and_then(|it| it.parse().ok()).unwrap_or(i64::MAX - 1),
        })
    }

    /// Whether there is an entry point of this name.
    fn is_entry_point(&self, name: &str) -> bool {
        BUILT_IN.iter().any(|it| it.name == name)
            || self.address(name).is_some()
            || name == OWN && self.needs_own()
    }

    /// Which encoded characters paths may have at an entry point, where not all of them.
    fn characters(&self, point: &str) -> Option<EncodedCharacters> {
        let may = |which: &str| {
            let said = self.values.get(&format!("entrypoints.{point}{CHARACTERS}{which}"));
            said.is_none_or(|value| value == "true")
        };
        let allowed = EncodedCharacters {
            slash: may("slash"),
            back_slash: may("backslash"),
            // It is refused anywhere.
            null: true,
            semicolon: may("semicolon"),
            percent: may("percent"),
            question_mark: may("questionmark"),
            hash: may("hash"),
        };
        let all = EncodedCharacters {
            slash: true,
            back_slash: true,
            null: true,
            semicolon: true,
            percent: true,
            question_mark: true,
            hash: true,
        };
        (allowed != all).then_some(allowed)
    }

    /// Names with commas between.
    fn names(&self, option: &str) -> Vec<Arc<str>> {
        let names = self.values.get(option).into_iter().flat_map(|list| list.split(','));
        names.map(str::trim).filter(|it| !it.is_empty()).map(Into::into).collect()
    }

    fn is_on(&self, option: &str) -> bool {
        self.values.get(option).is_some_and(|value| value == "true")
    }

    /// How requests are logged, if they are.
    pub fn access_log(&self) -> Option<AccessLog> {
        let is_named = self.values.keys().any(|name| name.starts_with("accesslog."));
        let is_wanted = self.values.get("accesslog").map_or(is_named, |value| value == "true");
        is_wanted.then(|| access_log::chosen(&self.values))
    }

    /// Which series of requests are told.
    pub fn views(&self) -> MetricViews {
        let is_told = |of: &str| {
            self.values
                .get(&format!("metrics.prometheus.add{of}labels"))
                .is_none_or(|it| it == "true")
        };
        let (entry_points, routers) = (is_told("entrypoints"), is_told("routers"));
        MetricViews { entry_points, routers, services: is_told("services") }
    }

    /// The buckets that durations are counted in.
    pub fn buckets(&self) -> BucketBounds {
        let chosen = self.values.get(BUCKETS).map(|list| BucketBounds::parse(list));
        chosen.map_or_else(BucketBounds::default, |it| it.expect("checked when it was taken"))
    }

    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

/// What becomes of lines whose names have underscores.
fn strategy(value: &str) -> Underscores {
    match value.to_ascii_lowercase().as_str() {
        "delete" => Underscores::Dropped,
        "reject" => Underscores::Refused,
        _ => Underscores::Kept,
    }
}

/// The port of the program's own services, or the next one that no other entry point has.
fn free_port(points: &BTreeMap<&str, EntryPoint>) -> u16 {
    let is_free = |port: &u16| points.values().all(|it| it.port != *port);
    (OWN_PORT..).find(is_free).unwrap_or(OWN_PORT)
}

/// Names of the options of Traefik's providers of a cluster that are understood.
#[cfg(test)]
pub(crate) fn provider_options() -> Vec<String> {
    providers::names()
}

/// Whether `name` is `prefix` and a name of the user's choice.
fn is_of(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())
}

/// The entry point that `option` sets something of.
fn entry_point_name<'o>(option: &'o str, of: &str) -> Option<&'o str> {
    let name = option.strip_prefix("entrypoints.")?.strip_suffix(of)?;
    (!name.is_empty() && !name.contains('.')).then_some(name)
}

fn check(name: &str, value: &str) -> Result<(), String> {
    if entry_point_name(name, ADDRESS).is_some() {
        return parse_address(value).map(drop).map_err(|error| format!("{name}: {error}"));
    }
    if entry_point_name(name, UDP_TIMEOUT).is_some() {
        let is_time = duration(value).is_some_and(|it| !it.is_zero());
        let wrong = || format!("{name} wants a time, 3s or 1m, not {value:?}");
        return is_time.then_some(()).ok_or_else(wrong);
    }
    if entry_point_name(name, IDLE).is_some() {
        let wrong = || format!("{name} wants a time, 90s or 3m, not {value:?}");
        return duration(value).map(drop).ok_or_else(wrong);
    }
    if BELIEVED.iter().any(|(some, _)| entry_point_name(name, some).is_some()) {
        let wrong =
            |part| format!("{name}: {part:?} is no range: write 10.0.0.0/8, 192.0.2.1 or {NAMED}");
        return listed(value).map(drop).map_err(wrong);
    }
    if entry_point_name(name, CLIENT_IP_HEADER).is_some() {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_name = !value.is_empty() && value.bytes().all(is_part);
        let wrong = || format!("{name} wants the name of a header, not {value:?}");
        return is_name.then_some(()).ok_or_else(wrong);
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

fn parse_address(text: &str) -> Result<ListenAddress, String> {
    let wrong = || format!("{text:?} is not an address: write :80 or 192.0.2.1:80 or [::1]:53/udp");
    let (plain, protocol) = match text.rsplit_once('/') {
        Some((plain, "tcp")) => (plain, Protocol::Tcp),
        Some((plain, "udp")) => (plain, Protocol::Udp),
        _ => (text, Protocol::Tcp),
    };
    if let Some(port) = plain.strip_prefix(':') {
        let port = port.parse().map_err(|_| wrong())?;
        return Ok(ListenAddress { host: None, port, protocol });
    }
    let address: SocketAddr = plain.parse().map_err(|_| wrong())?;
    Ok(ListenAddress { host: Some(address.ip()), port: address.port(), protocol })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(line: &str) -> Result<(StaticOptions, Vec<OsString>), String> {
        StaticOptions::take(line.split_whitespace().map(OsString::from), [])
    }

    #[test]
    fn options_are_taken_and_the_rest_stays() {
        let (options, rest) =
            take("up dir --entryPoints.web.address=:8000 -o json --accesslog --entrypoints.x.address [::1]:9 a")
                .unwrap();
        assert_eq!(rest, ["up", "dir", "-o", "json", "a"]);
        assert!(options.access_log().is_some());
        let ports = options
            .entry_points((80, 443))
            .into_iter()
            .map(|point| (point.id.to_string(), point.port));
        let expected = [("web", 8000), ("websecure", 443), ("x", 9)];
        assert!(ports.eq(expected.map(|(name, port)| (name.to_owned(), port))));
    }

    #[test]
    fn paths_are_sanitized_unless_told_otherwise() {
        for (line, names) in [
            ("up", &[][..]),
            ("up --entryPoints.web.http.sanitizePath", &[]),
            ("up --entryPoints.web.http.sanitizePath=true", &[]),
            ("up --entryPoints.web.http.sanitizePath=false", &["web"]),
            ("up --entrypoints.a.http.sanitizepath=false --entrypoints.a.address=:8081", &["a"]),
        ] {
            let (options, rest) = take(line).unwrap();
            assert_eq!(rest, ["up"], "{line}");
            assert!(options.unresolved_paths().iter().eq(names), "{line}");
        }
    }

    #[test]
    fn entry_points_of_udp() {
        let line = "up --entryPoints.dns.address=:53/udp --entrypoints.vpn.address=[::1]:51820/UDP \
                    --entryPoints.dns.udp.timeout=30s";
        let line = line.replace("/UDP", "/udp");
        let (options, _) = take(&line).unwrap();
        let points = options.entry_points((80, 443));
        let shown: Vec<String> =
            points.iter().map(|it| format!("{} {}/{}", it.id, it.port, it.protocol)).collect();
        assert_eq!(shown, ["dns 53/UDP", "vpn 51820/UDP", "web 80/TCP", "websecure 443/TCP"]);
        assert_eq!(options.udp_silent(), [("dns".to_owned(), Duration::from_secs(30))].into());
        for (line, why) in [
            ("up --entrypoints.web.address=:80/udp", "web is of TCP"),
            ("up --entrypoints.a.address=:80/sctp", "is not an address"),
            ("up --entrypoints.a.address=:80 --entrypoints.a.udp.timeout=3s", "is of TCP"),
            ("up --entrypoints.a.address=:8/udp --entrypoints.a.udp.timeout=soon", "wants a time"),
            ("up --entrypoints.a.address=:8/udp --entrypoints.a.udp.timeout=0s", "wants a time"),
            (
                "up --entrypoints.a.address=:8/udp --entrypoints.a.proxyprotocol.insecure",
                "is of UDP",
            ),
        ] {
            let error = take(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn what_of_the_program_itself_is_shown() {
        let shown = |line: &str| {
            let (options, _) = take(line).unwrap();
            let exposure = options.exposure();
            let services = exposure.services.iter().map(|it| it.name().replace("@internal", ""));
            let place = |it: &steelyard_model::routing::exposure::ExposedRoute| {
                format!("{}:{}{}", it.name, it.entry_point, it.prefix)
            };
            let own = options.entry_points((80, 443)).into_iter().find(|it| it.id.as_str() == OWN);
            let services: Vec<String> = services.collect();
            let routes: Vec<String> = exposure.routes.iter().map(place).collect();
            (services.join(" "), routes.join(" "), own.map(|it| it.port))
        };
        for (line, services, routes, port) in [
            ("up", "", "", None),
            ("up --api=false --ping=false", "", "", None),
            ("up --metrics.prometheus.addRoutersLabels", "", "", None),
            ("up --api", "api dashboard", "", None),
            ("up --api.dashboard=false", "api", "", None),
            (
                "up --api.insecure",
                "api dashboard",
                "api:traefik/api dashboard:traefik/",
                Some(8080),
            ),
            (
                "up --api.insecure --api.dashboard=false --api.basePath=/t/",
                "api",
                "api:traefik/t/api",
                Some(8080),
            ),
            ("up --ping", "ping", "ping:traefik/ping", Some(8080)),
            ("up --ping.manualRouting", "ping", "", Some(8080)),
            ("up --ping.entryPoint=web", "ping", "ping:web/ping", None),
            ("up --ping --entrypoints.traefik.address=:9", "ping", "ping:traefik/ping", Some(9)),
            ("up --ping --entrypoints.web.address=:8080", "ping", "ping:traefik/ping", Some(8081)),
            (
                "up --metrics.prometheus.entryPoint=web",
                "prometheus",
                "prometheus:web/metrics",
                None,
            ),
        ] {
            let expected = (services.to_owned(), routes.to_owned(), port);
            assert_eq!(shown(line), expected, "{line}");
        }
        for (line, part) in [
            ("up --ping.entryPoint=nowhere", "there is no entry point \"nowhere\""),
            ("up --ping.terminatingStatusCode=7", "wants a status"),
        ] {
            assert!(take(line).unwrap_err().contains(part), "{line}");
        }
    }

    #[test]
    fn entry_points_are_shown_as_they_are_set() {
        let line = "up --entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.1,10.0.0.2 \
                    --entryPoints.web.http.sanitizePath=false --entryPoints.db.address=:5432";
        let shown = take(line).unwrap().0.shown_entry_points();
        assert_eq!(
            serde_json::Value::from(shown),
            serde_json::json!([
                { "address": ":5432", "name": "db" },
                {
                    "address": ":80",
                    "forwardedHeaders": { "trustedIPs": ["10.0.0.1", "10.0.0.2"] },
                    "http": { "sanitizePath": false },
                    "name": "web",
                },
                { "address": ":443", "name": "websecure" },
            ])
        );
    }

    #[test]
    fn what_all_pass_at_an_entry_point() {
        let line = "up --entryPoints.web.http.middlewares=a@file,default-b@kubernetescrd \
                    --entryPoints.db.address=:1 --entryPoints.db.http.tls.options=strong@file";
        let points = take(line).unwrap().0.entry_points((80, 443));
        let [db, web, _] = &points[..] else { panic!("{points:?}") };
        assert_eq!(web.filters, ["a@file", "default-b@kubernetescrd"].map(Into::into));
        assert_eq!((db.tls_options.as_deref(), db.is_secure), (Some("strong@file"), true));
    }

    #[test]
    fn which_series_are_told() {
        let views = |line: &str| {
            let MetricViews { entry_points, routers, services } = take(line).unwrap().0.views();
            [entry_points, routers, services]
        };
        assert_eq!(views("up"), [true; 3]);
        let line = "up --metrics.prometheus.addRoutersLabels=false \
                    --metrics.prometheus.addServicesLabels";
        assert_eq!(views(line), [true, false, true]);
    }

    #[test]
    fn which_buckets_there_are() {
        assert_eq!(take("up").unwrap().0.buckets(), BucketBounds::default());
        let (options, _) = take("up --metrics.prometheus.buckets=0.01,0.5,2").unwrap();
        assert_eq!(options.buckets().as_slice(), [0.01, 0.5, 2.0]);
    }

    #[test]
    fn whose_word_is_taken() {
        let (options, _) = take(
            "up --entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8,cloudflare \
             --entryPoints.web.forwardedHeaders.clientIPHeader=CF-Connecting-IP \
             --entryPoints.websecure.forwardedHeaders.insecure \
             --entryPoints.websecure.forwardedHeaders.rfc7239=true",
        )
        .unwrap();
        let all = options.forwarded();
        let web = &all["web"];
        assert_eq!((web.client_header.as_deref(), web.standard), (Some("CF-Connecting-IP"), false));
        for (peer, covered) in
            [("10.1.1.1", true), ("172.71.10.1", true), ("2606:4700::1", true), ("9.9.9.9", false)]
        {
            assert_eq!(web.trust.covers(peer.parse().unwrap()), covered, "{peer}");
        }
        assert_eq!((&all["websecure"].trust, all["websecure"].standard), (&Trust::Everybody, true));
        assert!(take("up").unwrap().0.forwarded().is_empty());
    }

    #[test]
    fn who_says_where_connections_come_from() {
        let (options, _) = take(
            "up --entryPoints.web.proxyProtocol.trustedIPs=10.0.0.0/8,192.0.2.1 \
             --entryPoints.websecure.proxyProtocol.insecure --entryPoints.db.address=:5432 \
             --entryPoints.db.proxyProtocol.insecure=false",
        )
        .unwrap();
        let all = options.proxied();
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        assert_eq!(names, ["web", "websecure"]);
        for (peer, covered) in [("10.1.1.1", true), ("192.0.2.1", true), ("192.0.2.2", false)] {
            assert_eq!(all["web"].covers(peer.parse().unwrap()), covered, "{peer}");
        }
        assert_eq!(*all["websecure"], Trust::Everybody);
        assert!(options.forwarded().is_empty(), "a header of another kind");
    }

    #[test]
    fn what_is_traced() {
        assert_eq!(take("up").unwrap().0.tracing(), None);
        let line = "up --tracing.otlp.http.endpoint=http://c:4318/v1/traces";
        let least = TraceSettings {
            endpoint: "http://c:4318/v1/traces".into(),
            service_name: "steelyard".into(),
            sample_rate: 1.0,
            resource: BTreeMap::new(),
            headers: BTreeMap::new(),
        };
        assert_eq!(take(line).unwrap().0.tracing(), Some(least.clone()));
        let line = format!(
            "{line} --tracing.sampleRate=0.25 --tracing.serviceName=edge \
             --tracing.resourceAttributes.k8s.node.name=a --tracing.otlp.http.headers.x-key=b"
        );
        let all = TraceSettings {
            service_name: "edge".into(),
            sample_rate: 0.25,
            resource: BTreeMap::from([("k8s.node.name".into(), "a".into())]),
            headers: BTreeMap::from([("x-key".into(), "b".into())]),
            ..least
        };
        assert_eq!(take(&line).unwrap().0.tracing(), Some(all));
    }

    fn variables(all: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        all.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn an_environment_says_the_same() {
        let environment = variables(&[
            ("TRAEFIK_ENTRYPOINTS_WEB_ADDRESS", ":8000"),
            ("TRAEFIK_ACCESSLOG", "true"),
            // As Kubernetes tells pods of a Service of this name.
            ("TRAEFIK_SERVICE_HOST", "10.43.0.1"),
            ("TRAEFIK_PORT_80_TCP", "tcp://10.43.0.1:80"),
            ("HOME", "/root"),
        ]);
        let (options, _) = StaticOptions::take([], environment.clone()).unwrap();
        assert_eq!(options.address("web").map(|it| it.port), Some(8000));
        assert!(options.access_log().is_some() && options.remarks().is_empty());
        let flag = OsString::from("--entrypoints.web.address=:1");
        let (options, _) = StaticOptions::take([flag], environment).unwrap();
        assert_eq!(options.address("web").map(|it| it.port), Some(1));
        assert!(options.remarks()[0].starts_with("TRAEFIK_ACCESSLOG: it is left out"));
        let bad = variables(&[("TRAEFIK_ENTRYPOINTS_WEB_ADRESS", ":80")]);
        let error = StaticOptions::take([], bad).unwrap_err();
        assert!(error.contains("did you mean entrypoints.web.address?"), "{error}");
    }

    #[test]
    fn a_file_says_the_same_and_its_mistakes_have_places() {
        let folder = std::env::temp_dir().join(format!("steelyard-options-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let take = |name: &str, text: &str, more: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            let line = format!("up --configFile={} {more}", path.display());
            StaticOptions::take(line.split_whitespace().map(OsString::from), [])
        };
        let yaml = "entryPoints:\n  web:\n    address: ':8000'\n    http:\n      redirections:\n        \
                    entryPoint: {to: websecure, permanent: false}\n  websecure:\n    address: ':8443'\n    \
                    http: {tls: {}}\n    forwardedHeaders: {}\n  private: {address: ':9000', asDefault: true}\n\
                    providers:\n  file: {directory: /etc/dynamic}\n";
        let toml = "[entryPoints.web]\naddress = ':8000'\n[entryPoints.web.http.redirections.entryPoint]\n\
                    to = 'websecure'\npermanent = false\n[entryPoints.websecure]\naddress = ':8443'\n\
                    [entryPoints.websecure.http.tls]\n[entryPoints.private]\naddress = ':9000'\n\
                    asDefault = true\n[providers.file]\ndirectory = '/etc/dynamic'\n";
        for (name, text) in [("a.yml", yaml), ("a.toml", toml)] {
            let (options, rest) = take(name, text, "").unwrap();
            assert_eq!(rest, ["up"]);
            let points = options.entry_points((80, 443));
            let [private, web, websecure] = &points[..] else { panic!("{points:?}") };
            assert!(private.is_default && !web.is_default && websecure.is_secure, "{points:?}");
            let to = web.redirection.as_ref().unwrap();
            assert_eq!((to.port, &*to.scheme, to.is_permanent), (8443, "https", false));
            assert_eq!(options.dynamic_files(), [PathBuf::from("/etc/dynamic")]);
        }
        for (name, text, more, part) in [
            (
                "b.yml",
                "entryPoints:\n  web:\n    adress: ':80'\n",
                "",
                "b.yml:3:5: entrypoints.web.adress",
            ),
            (
                "b.toml",
                "[entryPoints.web]\naddress = '80'\n",
                "",
                "b.toml:2:1: entrypoints.web.address",
            ),
            ("c.toml", "a = \n", "", "c.toml:1:"),
            ("c.yml", "- a\n", "", "c.yml:1:1: a file of settings"),
            ("d.yml", "api: {}\n", "--accesslog", "write it into the file"),
            ("e.yml", "accessLog: {}\naccessLog: {}\n", "", "e.yml:2:1"),
        ] {
            let error = take(name, text, more).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        let missing = StaticOptions::take(["--configfile=/nowhere/a.yml".into()], []).unwrap_err();
        assert!(missing.contains("cannot be read"), "{missing}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_makes_no_difference_is_said() {
        let line = "up --providers.kubernetesingress=true --ocsp.responderOverrides.a=b --log.level=DEBUG \
                    --global.sendAnonymousUsage=false --entrypoints.web.transport.lifeCycle.graceTimeOut=3s";
        let (options, _) = take(line).unwrap();
        let said = options.remarks();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("--ocsp.responderoverrides.a is not honoured yet: "));
        assert_eq!(options.grace(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, part) in [
            ("up --entrypoints.web.address=80", "not an address"),
            ("up --entrypoints.web.address", "wants a value"),
            ("up --providers.docker=true", "labels of containers are not read"),
            ("up --accesslog.format=xml", "common, genericCLF or json"),
            ("up --accesslog.fields.names.ClientHost=hide", "keep, drop or redact"),
            ("up --accesslog.filters.statusCodes=404,abc", "codes and ranges"),
            ("up --accesslog.filters.minDuration=soon", "10ms"),
            ("up --accesslog.bufferingSize=-1", "number of lines"),
            ("up --accesslog=maybe", "true or false"),
            ("up --metrics.prometheus.buckets=0.1,fast", "seconds above 0"),
            ("up --metrics.prometheus.buckets=5,1", "bounds that rise"),
            (
                "up --metrics.prometheus.buckets=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
                "at most",
            ),
            ("up --tracing.otlp.http.endpoint=collector:4318", "http://HOST:4318"),
            ("up --tracing.otlp.http.headers.=x", "not an option"),
            ("up --tracing.samplerate=2 --tracing.otlp.http.endpoint=http://a/b", "0 to 1"),
            ("up --tracing.samplerate=NaN --tracing.otlp.http.endpoint=http://a/b", "0 to 1"),
            ("up --tracing.samplerate=0.5", "nothing is traced without"),
            ("up --entrypoints.web.http.sanitizePath=no", "true or false"),
            ("up --entrypoints.mine.http.sanitizePath=false", "no entry point"),
            ("up --entrypoints.web.forwardedHeaders.trustedIPs=akamai", "no range"),
            ("up --entrypoints.web.forwardedHeaders.trustedIPs=10.0.0.0/99", "no range"),
            ("up --entrypoints.web.forwardedHeaders.clientIPHeader=X-A", "nobody is believed"),
            (
                "up --entrypoints.web.forwardedHeaders.trustedIPs=10.0.0.1 \
                 --entrypoints.web.forwardedHeaders.insecure",
                "one of the two",
            ),
            (
                "up --entrypoints.web.forwardedHeaders.trustedIPs=10.0.0.1 \
                 --entrypoints.web.forwardedHeaders.clientIPHeader=a:b",
                "the name of a header",
            ),
            ("up --entrypoints.a.forwardedHeaders.insecure", "no entry point"),
            ("up --entrypoints.web.proxyProtocol.trustedIPs=10.0.0", "no range"),
            ("up --entrypoints.a.proxyProtocol.trustedIPs=10.0.0.1", "no entry point"),
            ("up --entrypoints.web.proxyProtocol=true", "not an option"),
            (
                "up --entrypoints.web.proxyProtocol.trustedIPs=10.0.0.1 \
                 --entrypoints.web.proxyProtocol.insecure",
                "one of the two",
            ),
            ("up --entrypoints.a.b.http.sanitizePath=false", "not an option"),
        ] {
            let error = take(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
