//! `deploy/Containerfile`, held equal to what is made without a daemon: the program, built with the
//! same features, and whom it runs as. One of its images has what carrying packets takes besides.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cross::BUILD;
use super::oci;

/// A part of it that begins with `FROM`.
#[derive(Debug, Default)]
struct Stage {
    /// What stands behind `FROM`.
    from: Vec<String>,
    /// Each instruction, and what stands behind it.
    steps: Vec<(String, String)>,
}

impl Stage {
    fn of(&self, instruction: &str) -> Vec<&str> {
        let those = self.steps.iter().filter(|(name, _)| name == instruction);
        those.map(|(_, text)| &**text).collect()
    }
}

fn stages() -> Vec<Stage> {
    let file = crate::root().join("deploy/Containerfile");
    let text = std::fs::read_to_string(file).unwrap();
    let mut stages: Vec<Stage> = Vec::new();
    for line in text.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        assert!(!line.ends_with('\\'), "an instruction is a line: {line}");
        let (name, rest) = line.split_once(' ').unwrap();
        match (name, stages.last_mut()) {
            ("FROM", _) => {
                let from = rest.split_whitespace().map(str::to_owned).collect();
                stages.push(Stage { from, ..Stage::default() });
            }
            (_, Some(stage)) => stage.steps.push((name.to_owned(), rest.to_owned())),
            (_, None) => panic!("before FROM: {line}"),
        }
    }
    stages
}

#[test]
fn what_a_daemon_builds_is_what_is_packed_here() {
    let all = stages();
    let [build, with_nft, plain] = &all[..] else { panic!("{all:?}") };

    // Built as here.
    let built = build.of("RUN");
    let cargo: BTreeSet<&str> =
        built.iter().find_map(|it| it.strip_prefix("cargo ")).unwrap().split(' ').collect();
    let expected: BTreeSet<&str> = BUILD.into_iter().chain(["--release"]).collect();
    assert_eq!(cargo, expected);

    // Without a target the last one is made: users, a folder for what is kept, the program.
    assert_eq!(plain.from, ["scratch"]);
    assert_eq!(plain.steps.len(), 6, "{plain:?}");
    let users = "--from=build /passwd /etc/passwd";
    let state = "--from=build --chown=65532:65532 --chmod=0700 /state /var/lib/steelyard";
    let program = "--from=build /source/target/release/steelyard /steelyard";
    assert_eq!(plain.of("COPY"), [users, state, program]);
    let written = format!("printf '{}' > /passwd", oci::users().replace('\n', "\\n"));
    assert!(built.contains(&&*written), "{built:?} has not {written}");
    let config = &oci::config(&Value::Null, "amd64", "1")["config"];
    assert_eq!(plain.of("USER"), [config["User"].as_str().unwrap()]);
    let entrypoint: Value = serde_json::from_str(plain.of("ENTRYPOINT")[0]).unwrap();
    assert_eq!(entrypoint, config["Entrypoint"]);
    assert_eq!(entrypoint, json!(["/steelyard"]));
    assert_eq!(json!(plain.of("ENV")), config["Env"]);

    // The other one is the same with `nft`, which is found where Alpine's package puts it.
    assert_eq!(with_nft.from[1..], ["AS", "with-nft"]);
    assert!(with_nft.from[0].contains("/alpine:"), "{with_nft:?}");
    assert_eq!(with_nft.of("RUN"), ["apk add --no-cache nftables"]);
    // Alpine has users and a PATH of its own.
    assert_eq!(with_nft.of("COPY"), [state, program]);
    for instruction in ["USER", "ENTRYPOINT"] {
        assert_eq!(with_nft.of(instruction), plain.of(instruction));
    }
}
