//! What stands at the root of a file of options and is none of them. Traefik passes over it there,
//! and nowhere below: so people keep what aliases refer to there, and one file is both
//! configurations. What is called like a section, but for a typo, is a mistake all the same.

use std::collections::BTreeSet;
use std::path::Path;

use steelyard_dialects::traefik::options;
use steelyard_manifest::{Setting, is_extension};
use steelyard_model::suggest::closeness;

use super::FILES;

/// What stands at the root of the dynamic configuration.
const DYNAMIC: [&str; 4] = ["http", "tcp", "tls", "udp"];

/// Edits that are a typo.
const TYPO: usize = 2;

/// Whether what a file says is taken for an option, be it a wrong one.
pub(super) fn is_of_options(setting: &Setting) -> bool {
    let root = root(setting);
    if is_extension(root) || is_dynamic(root) {
        return false;
    }
    let is_near = |it: String| closeness(root, &it).is_some_and(|edits| edits <= TYPO);
    options::roots().any(is_near)
}

/// What there is to say of the others in the file at `path`, of each name once: nothing of what is
/// read there as dynamic configuration.
pub(super) fn remarks(path: &Path, options: &[Setting], others: &[Setting]) -> Vec<String> {
    let is_read = is_dynamic_too(path, options);
    let mut said = BTreeSet::new();
    let first = others.iter().filter(|it| said.insert(root(it).to_ascii_lowercase()));
    let remark = |setting: &Setting| {
        let (root, at) = (root(setting), &setting.location);
        let why = match is_dynamic(root) {
            true if is_read => return None,
            true => {
                "it is dynamic configuration, and nothing of it is read: name this file in \
                 providers.file.filename too, or write it into one that is"
            }
            false => "it is no section of Traefik's static configuration, and passed over as there",
        };
        Some(format!("{}:{}:{}: {root}: {why}", at.file, at.line, at.column))
    };
    first.filter_map(remark).collect()
}

/// Whether options of a file name it as one of dynamic configuration.
fn is_dynamic_too(path: &Path, options: &[Setting]) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let Some(own) = real(path) else { return false };
    let is_place =
        |setting: &&Setting| FILES.iter().any(|it| setting.name.eq_ignore_ascii_case(it));
    let places = options.iter().filter(is_place);
    let mut places = places.filter_map(|setting| real(Path::new(&setting.value)));
    places.any(|place| own.starts_with(place))
}

fn root(setting: &Setting) -> &str {
    let name = &setting.name;
    let begins = name.find(|it| it != '.').unwrap_or(name.len());
    let ends = name[begins..].find(['.', '[']).map_or(name.len(), |length| begins + length);
    &name[..ends]
}

fn is_dynamic(root: &str) -> bool {
    DYNAMIC.iter().any(|it| it.eq_ignore_ascii_case(root))
}
