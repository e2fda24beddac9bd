//! Where static options come from: a file (`--configfile`), flags, or the environment
//! (`TRAEFIK_…`); of several the first counts, as with Traefik.
//!
//! Flags have dots and free names in them, which a declared option cannot have, so they are taken
//! out of the arguments first. Names are compared without case.

use std::ffi::OsString;
use std::path::Path;

use steelyard_dialects::traefik::options;
use steelyard_manifest::{ReadLimits, Setting, Source, settings};
use steelyard_model::Location;

use super::names::entry_point_name;
use super::{nginx, root};

/// What environment variables begin with.
const PREFIX: &str = "TRAEFIK_";

/// The option that names a file of options.
const FILE: &str = "configfile";

/// Bytes of such a file, at most.
const LARGEST: u64 = 1 << 20;

/// An option that is given.
pub(super) struct Given {
    /// What its name is shown after: `--`, or a file and line.
    pub(super) origin: String,
    /// In lower case.
    pub(super) name: String,
    /// As it is written, where that says more: flags and variables have no case, as with Traefik.
    pub(super) spelled: Option<String>,
    pub(super) value: String,
    /// Whether that is written as a list.
    pub(super) is_list: bool,
    /// Whether something is below it, and this says only that it is there.
    pub(super) is_section: bool,
    /// Where it stands, in a file.
    pub(super) location: Option<Location>,
}

impl Given {
    pub(super) fn new(origin: impl Into<String>, name: String, value: String) -> Self {
        Self {
            origin: origin.into(),
            name,
            spelled: None,
            value,
            is_list: false,
            is_section: false,
            location: None,
        }
    }
}

/// The options that count.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) options: Vec<Given>,
    /// Whether they are those of a file.
    pub(super) is_file: bool,
    /// What there is to say of those that do not.
    pub(super) remarks: Vec<String>,
}

/// The options that count, and the arguments that are none.
pub(super) fn chosen(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Chosen, Vec<OsString>), String> {
    let (mut flags, rest) = flags(arguments)?;
    let file = flags.iter().position(|given| given.name == FILE).map(|at| flags.remove(at));
    let variables = variables(environment);
    let mut chosen = Chosen::default();
    let instead = match (&file, flags.first()) {
        (Some(file), Some(flag)) => {
            return Err(format!(
                "--{} beside --{FILE}={}: Traefik would leave it out; write it into the file",
                flag.name, file.value
            ));
        }
        (Some(file), None) => {
            (chosen.options, chosen.remarks) = from_file(Path::new(&file.value))?;
            chosen.is_file = true;
            "the file of options counts"
        }
        (None, Some(_)) => {
            chosen.options = flags;
            "the options of the command line count"
        }
        (None, None) => {
            chosen.options = variables;
            return Ok((chosen, rest));
        }
    };
    let left_out = variables.iter().map(|it| format!("{}it is left out: {instead}", it.origin));
    chosen.remarks.extend(left_out);
    Ok((chosen, rest))
}

/// The options among the arguments, and the others.
fn flags(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(Vec<Given>, Vec<OsString>), String> {
    let (mut flags, mut rest) = (Vec::new(), Vec::new());
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        let Some((name, value)) = static_option(&argument) else {
            rest.push(argument);
            continue;
        };
        let is_value = |next: &OsString| !next.to_string_lossy().starts_with('-');
        let value = match value {
            Some(value) => value,
            None if !is_switch(&name) => arguments
                .next_if(is_value)
                .map(|next| next.to_string_lossy().into_owned())
                .ok_or_else(|| format!("--{name} wants a value: --{name}=VALUE"))?,
            None => "true".to_owned(),
        };
        flags.extend(alone(Given::new("--", name, value)));
    }
    Ok((flags, rest))
}

/// The name (lower case) and value of a static option, if `argument` is one.
fn static_option(argument: &OsString) -> Option<(String, Option<String>)> {
    let text = argument.to_str()?.strip_prefix('-')?;
    let (text, is_long) = text.strip_prefix('-').map_or((text, false), |text| (text, true));
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let name = name.to_ascii_lowercase();
    let is_one = || options::find(&name).is_some();
    // One dash is enough, as with Traefik, where it cannot be anything else.
    let is_it = if is_long { name.contains('.') || is_one() } else { is_one() || is_there(&name) };
    is_it.then_some((name, value))
}

/// Whether a name is that of an entry point alone: that it is there.
fn is_there(name: &str) -> bool {
    entry_point_name(name, "").is_some()
}

/// Whether an option without a value means `true`.
fn is_switch(name: &str) -> bool {
    use options::Form;
    nginx::is_switch(name)
        || is_there(name)
        || options::find(name).is_some_and(|row| matches!(row.form, Form::Switch | Form::Below))
}

/// An option, unless it says of an entry point that it is not there: `--entrypoints.web=true`, as
/// Traefik lists it.
fn alone(mut given: Given) -> Option<Given> {
    match options::switched(&given.value).filter(|_| is_there(&given.name)) {
        Some(false) => return None,
        is_there => given.is_section = is_there.is_some(),
    }
    Some(given)
}

/// `TRAEFIK_ENTRYPOINTS_WEB_ADDRESS`. What only begins like that (Kubernetes tells pods of a
/// Service called `traefik` as `TRAEFIK_SERVICE_HOST`) is none, as with Traefik.
fn variables(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<Given> {
    let roots: Vec<String> = options::roots().collect();
    let mut found: Vec<Given> = Vec::new();
    let environment: Vec<(OsString, OsString)> = environment.into_iter().collect();
    let services = Services::of(&environment);
    for (variable, value) in environment {
        let Some(variable) = variable.to_str() else { continue };
        if services.tell(variable) {
            continue;
        }
        if !variable.get(..PREFIX.len()).is_some_and(|it| it.eq_ignore_ascii_case(PREFIX)) {
            continue;
        }
        let name = variable[PREFIX.len()..].to_ascii_lowercase().replace('_', ".");
        let name = indexed(&name).filter(|_| options::find(&name).is_none()).unwrap_or(name);
        let root = name.split(['.', '[']).next().unwrap_or_default();
        if roots.iter().any(|known| known == root) {
            let value = value.to_string_lossy().into_owned();
            found.extend(alone(Given::new(format!("{variable}: "), name, value)));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// An option by a name with brackets, which variables cannot have: `domains.0.main` of theirs is
/// `domains[0].main`.
fn indexed(name: &str) -> Option<String> {
    let mut made = String::new();
    for part in name.split('.') {
        let is_index =
            !made.is_empty() && !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        match (is_index, made.is_empty()) {
            (true, _) => made.push_str(&format!("[{part}]")),
            (false, true) => made.push_str(part),
            (false, false) => made.push_str(&format!(".{part}")),
        }
    }
    options::find(&made).map(|_| made)
}

/// What the variables of Services begin with, which Kubernetes tells pods beside them.
struct Services(Vec<String>);

impl Services {
    fn of(environment: &[(OsString, OsString)]) -> Self {
        let name = |(variable, _): &(OsString, OsString)| {
            Some(variable.to_str()?.strip_suffix("_SERVICE_HOST")?.to_owned())
        };
        Self(environment.iter().filter_map(name).collect())
    }

    /// Whether a variable is one of theirs: `TRAEFIK_METRICS_PORT_9100_TCP`.
    fn tell(&self, variable: &str) -> bool {
        let is_of = |service: &String| {
            let rest = variable.strip_prefix(&**service)?;
            Some(rest == "_PORT" || ["_SERVICE_", "_PORT_"].iter().any(|it| rest.starts_with(it)))
        };
        self.0.iter().filter_map(is_of).any(|is_it| is_it)
    }
}

/// What a file says, and what there is to say of the rest.
fn from_file(path: &Path) -> Result<(Vec<Given>, Vec<String>), String> {
    let name = path.display().to_string();
    let failed = |error: &dyn std::fmt::Display| format!("{name} cannot be read: {error}");
    let bytes = steelyard_host::files::read(path, LARGEST).map_err(|error| failed(&error))?;
    let found = settings(&Source::new(&*name, bytes), &ReadLimits::default());
    let found = found.map_err(|fault| match &fault.location {
        Some(at) => {
            format!("{}:{}:{}: {}; {}", at.file, at.line, at.column, fault.message, fault.help)
        }
        None => fault.message.clone(),
    })?;
    let (options, others): (Vec<_>, Vec<_>) = found.into_iter().partition(root::is_of_options);
    let remarks = root::remarks(path, &options, &others);
    Ok((options.into_iter().map(given).collect(), remarks))
}

/// What is empty says nothing but that it is there, unless that is an option.
fn given(setting: Setting) -> Given {
    let name = setting.name.to_ascii_lowercase();
    let is_section = options::find(&name).is_none() && options::has_below(&name);
    let at = setting.location;
    let origin = format!("{}:{}:{}: ", at.file, at.line, at.column);
    let spelled = (name != setting.name).then_some(setting.name);
    let is_section = is_section && setting.value == "true";
    let (value, is_list) = (setting.value, setting.items.is_some());
    Given { origin, name, spelled, value, is_list, is_section, location: Some(at) }
}
