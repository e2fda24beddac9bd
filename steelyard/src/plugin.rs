//! The program under the name `kubectl-steelyard`, as which kubectl finds it: what can be asked of
//! a cluster is asked of the cluster.

use std::ffi::OsString;
use std::path::Path;

/// The name that kubectl looks for; `kubectl steelyard …` runs it.
const PLUGIN: &str = "kubectl-steelyard";
/// Commands that know of clusters.
const OF_CLUSTERS: [&str; 5] = ["check", "explain", "get", "plan", "rebalance"];

/// The command line, as it is meant where the program has that name.
pub fn arguments(given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = given.into_iter().collect();
    let is_plugin =
        arguments.first().and_then(|it| Path::new(it).file_name()) == Some(PLUGIN.as_ref());
    let knows = arguments.get(1).is_some_and(|it| OF_CLUSTERS.iter().any(|command| it == command));
    if is_plugin && knows && !arguments.iter().any(|it| it == "--cluster") {
        arguments.insert(2, "--cluster".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_that_a_cluster_is_meant() {
        for (given, meant) in [
            ("steelyard get services", "steelyard get services"),
            (
                "/bin/kubectl-steelyard get services",
                "/bin/kubectl-steelyard get --cluster services",
            ),
            ("kubectl-steelyard check --cluster", "kubectl-steelyard check --cluster"),
            ("kubectl-steelyard completions bash", "kubectl-steelyard completions bash"),
            ("kubectl-steelyard", "kubectl-steelyard"),
        ] {
            let words = given.split(' ').map(OsString::from);
            let made: Vec<String> =
                arguments(words).into_iter().map(|it| it.into_string().unwrap()).collect();
            assert_eq!(made.join(" "), meant);
        }
    }
}
