//! Traefik's static options: `--entrypoints.web.address=:80` and the like. Which there are, and
//! what becomes of each, is a table of `steelyard-dialects`; where they come from is `given`; what
//! those that are honoured come to is in the modules below.

mod access_log;
mod address;
mod believed;
mod duration;
mod exposure;
mod given;
mod judged;
mod names;
mod nginx;
mod points;
mod provider_of_nginx;
mod providers;
mod published;
mod root;
mod terms;
mod told;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steelyard_dialects::LowerOptions;
use steelyard_dialects::traefik::options::{self, Form, Judged, OptionFate};
use steelyard_dynamic::DynamicOptions;
use steelyard_model::routing::entry_point::{PLAIN, SECURE};
use steelyard_model::routing::rank::Precedence;
use steelyard_model::routing::transport::{ForwardingTimes, OriginTls, Transport};
use steelyard_model::{Location, NamespacedName, NginxOptions};
use steelyard_sources::ReadError;

pub use address::ListenAddress;
use given::Given;
pub(crate) use published::IngressStatus;
pub use told::TraceSettings;
use transport::NamedRoots;

/// The static options that count, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticOptions {
    values: BTreeMap<String, String>,
    /// How names are spelled that have capitals, in a file.
    spelled: BTreeMap<String, String>,
    /// Where each stands, as it is shown before its name: `--`, or a file and line.
    origins: BTreeMap<String, String>,
    /// Where those of a file stand.
    places: BTreeMap<String, Location>,
    /// Sections of a file that say of themselves only that they are there.
    sections: BTreeMap<String, String>,
    /// Options with a mistake: what hangs on them is not looked at.
    misread: BTreeSet<String>,
    /// They are those of a file.
    is_file: bool,
    /// What there is to say of others.
    remarks: Vec<String>,
    /// Entry points are there that are declared, and no others: so a file has it that declares
    /// some.
    has_only_declared: bool,
    /// Whom files say to believe.
    roots: NamedRoots,
}

/// Options that name Traefik's dynamic configuration.
const FILES: [&str; 2] = ["providers.file.filename", "providers.file.directory"];

/// What is wrong with an option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OptionMistake {
    /// What its name is shown after: `--`, or a file and line.
    origin: String,
    option: String,
    /// With its name.
    why: String,
}

impl fmt::Display for OptionMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.why)
    }
}

/// A value as it counts.
fn settled<'v>(name: &str, value: &'v str) -> &'v str {
    match options::switched(value).filter(|_| nginx::is_switch(name)) {
        Some(on) => {
            if on {
                "true"
            } else {
                "false"
            }
        }
        None => options::settled(name, value),
    }
}

/// What there is to say of a flag of ingress-nginx, by its own name: nothing, that it makes no
/// difference, or why it is not taken.
pub(crate) fn flag_of_nginx(name: &str, value: &str) -> Result<Option<String>, String> {
    nginx::judge(&format!("{}{name}", nginx::PREFIX), value)
}

impl StaticOptions {
    /// Splits `arguments` into the static options and the rest. Where there is a file of options,
    /// or where there are none among the arguments and `environment` has some, those count.
    ///
    /// # Errors
    /// A sentence for each option that is not understood, or has a bad value: it names the option
    /// and where it is.
    pub fn take(
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Vec<OsString>), Vec<String>> {
        let (chosen, rest) = given::chosen(arguments, environment).map_err(|why| vec![why])?;
        let mut options =
            Self { remarks: chosen.remarks, is_file: chosen.is_file, ..Self::default() };
        let plans = rest.iter().any(|argument| argument == "plan");
        let mut wrong = options.add_all(chosen.options, plans);
        options.has_only_declared = options.is_file && options.declares_entry_points();
        options.remarks.extend(options.undeclared());
        options.remarks.extend(options.passed_over());
        wrong.extend(options.wrong_together());
        match NamedRoots::read(&options.values) {
            Ok(roots) => options.roots = roots,
            Err((name, why)) => wrong.push(options.said_of(&name, &why)),
        }
        match wrong.is_empty() {
            true => Ok((options, rest)),
            false => Err(wrong.iter().map(OptionMistake::to_string).collect()),
        }
    }

    /// What is wrong with options that are written elsewhere, by their names (lower case) and
    /// values: which of them, and why. Files that they name are not looked at.
    pub(crate) fn judged(written: &[(String, String)]) -> Vec<(usize, String)> {
        let mut options = Self::default();
        let mut wrong = Vec::new();
        for (index, (name, value)) in written.iter().enumerate() {
            let given = Given::new("", name.clone(), value.clone());
            wrong.extend(options.add_all([given], false).into_iter().map(|it| (index, it.why)));
        }
        let place = |option: &str| written.iter().position(|(name, _)| name == option);
        let together = options.wrong_together().into_iter();
        wrong.extend(together.filter_map(|it| Some((place(&it.option)?, it.why))));
        wrong
    }

    /// Takes all in; what is wrong with those that are not taken.
    fn add_all(&mut self, all: impl IntoIterator<Item = Given>, plans: bool) -> Vec<OptionMistake> {
        let mut wrong = Vec::new();
        for given in all {
            let (option, origin) = (given.name.clone(), given.origin.clone());
            if let Err(why) = self.add(given, plans) {
                if !self.has(&option) {
                    self.misread.insert(option.clone());
                }
                wrong.push(OptionMistake { origin, option, why });
            }
        }
        wrong
    }

    /// What is wrong with those that are there, by what else is said.
    fn wrong_together(&self) -> Vec<OptionMistake> {
        let mut wrong = self.check_entry_points();
        wrong.extend(self.check_sockets());
        wrong.extend(self.check_tracing());
        wrong.extend(self.check_nginx());
        wrong.extend(self.check_exposure());
        wrong.extend(self.check_transports());
        wrong
    }

    /// Takes one in, where it is one; `plans` where all that becomes of it is looked at.
    fn add(&mut self, given: Given, plans: bool) -> Result<(), String> {
        let Given { origin, name, spelled, value, is_list, is_section, location } = given;
        let value = settled(&name, &value).to_owned();
        if is_section {
            self.sections.insert(name, origin);
            return Ok(());
        }
        let value = self.beside_others(&name, value)?;
        if is_list && !options::may_be_list(&name) {
            return Err(format!("{name} wants one value, not a list"));
        }
        self.origins.insert(name.clone(), origin.clone());
        self.places.extend(location.map(|at| (name.clone(), at)));
        if name.starts_with(nginx::PREFIX) {
            let told = nginx::judge(&name, &value)?;
            self.remarks.extend(told.map(|told| format!("{origin}{told}")));
            self.values.insert(name, value);
            return Ok(());
        }
        let fate = options::find(&name).map(|row| row.fate);
        let is_planned = fate.is_some_and(OptionFate::is_planned);
        match options::judge(&name, &value) {
            Judged::Idle(so) if !(plans && is_planned) => {
                self.remarks.push(format!("{origin}{so}"))
            }
            Judged::Compared(_) if plans => {}
            Judged::Wrong(why) | Judged::Compared(why) => return Err(why),
            Judged::Fine | Judged::Idle(_) => {}
        }
        judged::check(&name, &value)?;
        self.remarks.extend(judged::idle(&name, &value).map(|so| format!("{origin}{so}")));
        nginx::check_provider(&name, &value)?;
        providers::check(&name, &value)?;
        published::check(&name, &value)?;
        if is_planned {
            self.spelled.extend(spelled.map(|spelled| (name.clone(), spelled)));
            self.values.insert(name, value);
        }
        Ok(())
    }

    /// The value of an option that may be there already: flags that are lists go on, as with
    /// Traefik; of all else there is one.
    fn beside_others(&self, name: &str, value: String) -> Result<String, String> {
        let Some(before) = self.origins.get(name) else { return Ok(value) };
        let is_list = options::find(name).is_some_and(|row| row.form == Form::List);
        let said = self.values.get(name);
        match (is_list && !self.is_file, said) {
            (true, Some(said)) => Ok(format!("{said},{value}")),
            (true, None) => Ok(value),
            (false, Some(said)) if *said == value => Ok(value),
            _ if self.is_file => Err(format!(
                "{name} stands at {} too: names have no case, and each is said once",
                before.trim_end_matches(": ")
            )),
            _ => Err(format!("{name} is given twice, with other values: give it once")),
        }
    }

    /// What is wrong with an option that is there.
    fn said_of(&self, option: &str, why: &str) -> OptionMistake {
        let origin = self.origins.get(option).or_else(|| self.sections.get(option));
        let (origin, option) = (origin.cloned().unwrap_or_default(), option.to_owned());
        OptionMistake { origin, why: format!("{option}: {why}"), option }
    }

    /// Where options of a file stand, by their names in lower case.
    pub(crate) fn places(&self) -> BTreeMap<String, Location> {
        self.places.clone()
    }

    /// What to write to have an entry point.
    fn making(&self, point: &str) -> String {
        match self.is_file {
            true => format!("`entryPoints.{point}.address` in this file makes one"),
            false => format!("--entrypoints.{point}.address makes one"),
        }
    }

    /// What is said under names of the user's choice, which come after `prefix`.
    fn named<'s>(&'s self, prefix: &'s str) -> impl Iterator<Item = (&'s str, &'s str)> {
        let named = self.values.iter().filter(move |(name, _)| names::is_of(name, prefix));
        named.map(|(name, value)| {
            let spelled = self.spelled.get(name).unwrap_or(name);
            (&spelled[prefix.len()..], value.as_str())
        })
    }

    /// What there is to say of options that make no difference.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Files and folders of Traefik's dynamic configuration.
    pub fn dynamic_files(&self) -> Vec<PathBuf> {
        FILES.iter().filter_map(|name| self.values.get(*name)).map(PathBuf::from).collect()
    }

    /// Why nothing was read, after the option that names what is not there.
    pub(crate) fn unread(&self, error: ReadError) -> anyhow::Error {
        let ReadError::Missing { path } = &error else { return error.into() };
        let named = FILES.iter().find(|name| self.values.get(**name).map(Path::new) == Some(path));
        match named {
            Some(name) => anyhow::anyhow!("{}", self.said_of(name, &error.to_string())),
            None => error.into(),
        }
    }

    /// Whether objects of Traefik's kinds may name some of other namespaces.
    pub fn allows_cross_namespace(&self) -> bool {
        self.providers().crd.allow_cross_namespace
    }

    /// Options that count for `plan -o traefik` alone: nothing is served by them.
    pub fn idle(&self) -> Vec<String> {
        provider_of_nginx::idle(&self.values)
    }

    /// Takes flags of an ingress-nginx, by their own names, where nothing else is said; whether
    /// any of them counts.
    pub(crate) fn follow_nginx(&mut self, flags: Vec<(String, String)>) -> bool {
        let mut counts = false;
        for (name, value) in flags {
            let is_understood = flag_of_nginx(&name, &value) == Ok(None);
            let name = format!("{}{name}", nginx::PREFIX);
            let value = settled(&name, &value).to_owned();
            if is_understood && !self.values.contains_key(&name) {
                self.values.insert(name, value);
                counts = true;
            }
        }
        counts
    }

    /// Flags of ingress-nginx.
    pub fn nginx(&self) -> NginxOptions {
        nginx::chosen(&self.values)
    }

    /// Where they want health told, and by which path besides the usual one.
    pub(crate) fn nginx_health(&self) -> Option<(SocketAddr, String)> {
        nginx::health(&self.values)
    }

    /// What Ingresses report, as options say.
    pub(crate) fn ingress_status(&self) -> IngressStatus {
        published::status(&self.values)
    }

    /// The Secret with the certificate for all other names, as those flags say it.
    pub fn nginx_certificate(&self) -> Option<NamespacedName> {
        nginx::certificate(&self.values)
    }

    /// How TLS is spoken to endpoints of which nobody says how.
    pub fn https(&self) -> Transport {
        transport::https(&self.values, &self.roots)
    }

    /// How long what may take with endpoints of which nobody says more.
    pub fn forwarding_times(&self) -> ForwardingTimes {
        transport::times(&self.values)
    }

    /// How endpoints of connections are spoken to of which nobody says how.
    pub fn bytes(&self) -> Transport {
        transport::bytes(&self.values)
    }

    /// And how, where that is over TLS.
    pub fn bytes_tls(&self) -> OriginTls {
        transport::bytes_tls(&self.values, &self.roots)
    }

    /// How each object is read by itself.
    pub fn reading(&self) -> LowerOptions {
        providers::reading(&self.values)
    }

    /// Which of Traefik's providers goes first where numbers are equal.
    pub fn precedence(&self) -> Precedence {
        providers::precedence(&self.values)
    }

    /// What changes what Traefik's providers make of objects.
    pub fn providers(&self) -> DynamicOptions {
        let points = self.entry_points((PLAIN.port, SECURE.port));
        providers::chosen(&self.values, points)
    }

    /// Names with commas between.
    fn names(&self, option: &str) -> Vec<Arc<str>> {
        let names = self.values.get(option).into_iter().flat_map(|list| list.split(','));
        names.map(str::trim).filter(|it| !it.is_empty()).map(Into::into).collect()
    }

    fn is_on(&self, option: &str) -> bool {
        self.values.get(option).is_some_and(|value| value == "true")
    }

    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

#[cfg(test)]
mod tests;
