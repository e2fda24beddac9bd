//! A case as it is written, and where it finds its addresses.

use std::cmp::Reverse;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use steelyard_manifest::{ReadLimits, Source, load_unnamed};

/// One behaviour.
pub(crate) struct Case {
    /// `annotations/app-root-redirects-the-root-path`.
    pub(crate) name: String,
    pub(crate) content: Value,
    /// 127.B.C: its own addresses.
    network: [u8; 3],
}

impl Case {
    /// An address of its own: 1 is the controller's, from 10 instances, from 150 Services.
    pub(crate) fn address(&self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, last)
    }

    /// The texts in a list.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let list = self.content[key].as_array().into_iter().flatten();
        list.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }

    /// The steps.
    pub(crate) fn steps(&self) -> &[Value] {
        self.content["steps"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// Where those of others are.
pub(crate) fn others() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/compat/nginx")
}

/// All cases: those of others where they are, by name, and our own (`own/`) behind them; of those
/// whose name contains `$CASES` where that is set.
pub(crate) fn all() -> Vec<Case> {
    let root = others();
    if !root.is_dir() {
        println!("skipped: {} is not there", root.display());
    }
    let mut files: Vec<PathBuf> = folders(&root).iter().flat_map(|it| folders(it)).collect();
    files.extend(folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx/own")));
    files.retain(|file| file.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    let only = std::env::var("CASES").unwrap_or_default();
    let cases = files.iter().enumerate().map(|(index, file)| case(index, file));
    let mut cases: Vec<Case> =
        cases.filter(|case| only.split(',').any(|part| case.name.contains(part))).collect();
    // What takes long begins first.
    let slow = |case: &Case| case.content["timing"]["slow"].as_u64().unwrap_or_default();
    cases.sort_by_key(|case| Reverse(slow(case)));
    cases
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("a readable folder").path()).collect()
}

fn case(index: usize, file: &Path) -> Case {
    let text = std::fs::read_to_string(file).expect("a readable case");
    let part = |number: usize| u8::try_from(number).expect("few cases");
    of_text(&text, [127, 20 + part(index / 200), part(index % 200)])
}

/// A case as it is written, with the addresses that begin so.
pub(crate) fn of_text(text: &str, network: [u8; 3]) -> Case {
    let text = format!("apiVersion: compat/v1\nkind: Case\n{text}");
    let source = Source::new("case.yaml".to_owned(), text.into_bytes());
    let objects = load_unnamed(&source, &ReadLimits::default());
    let content: Value =
        objects.first().and_then(|it| it.read_lenient().value).expect("a case is a mapping");
    let text = |key: &str| content[key].as_str().unwrap_or_default().to_owned();
    let name = format!("{}/{}", text("suite"), text("name"));
    Case { name, content, network }
}
