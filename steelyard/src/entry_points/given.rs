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
        flags.push(Given::new("--", name, value));
    }
    Ok((flags, rest))
}

/// The name (lower case) and value of a static option, if `argument` is one.
fn static_option(argument: &OsString) -> Option<(String, Option<String>)> {
    let text = argument.to_str()?.strip_prefix("--")?;
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let name = name.to_ascii_lowercase();
    (name.contains('.') || options::find(&name).is_some()).then_some((name, value))
}

/// Whether an option without a value means `true`.
fn is_switch(name: &str) -> bool {
    use options::Form;
    nginx::is_switch(name)
        || options::find(name).is_some_and(|row| matches!(row.form, Form::Switch | Form::Below))
}

/// `TRAEFIK_ENTRYPOINTS_WEB_ADDRESS`. What only begins like that (Kubernetes tells pods of a
/// Service called `traefik` as `TRAEFIK_SERVICE_HOST`) is none, as with Traefik.
fn variables(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<Given> {
    let roots: Vec<String> = options::roots().collect();
    let mut found: Vec<Given> = Vec::new();
    for (variable, value) in environment {
        let Some(variable) = variable.to_str() else { continue };
        if !variable.get(..PREFIX.len()).is_some_and(|it| it.eq_ignore_ascii_case(PREFIX)) {
            continue;
        }
        let name = variable[PREFIX.len()..].to_ascii_lowercase().replace('_', ".");
        let root = name.split(['.', '[']).next().unwrap_or_default();
        if roots.iter().any(|known| known == root) {
            let value = value.to_string_lossy().into_owned();
            found.push(Given::new(format!("{variable}: "), name, value));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
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
