//! What holds for every input.

use proptest::collection::vec;
use proptest::prelude::*;
use steelyard_model::FieldPath;

use super::loaded;
use crate::exercise;
use crate::path::{Step, steps};

/// Pieces that make text interesting to a YAML parser.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n".to_owned()),
        2 => Just("spec:\n  ports:\n  - port: 80\n".to_owned()),
        2 => Just("\n---\n".to_owned()),
        1 => Just("kind: List\nitems:\n- ".to_owned()),
        1 => Just("<<: *a".to_owned()),
        1 => Just("&a ".to_owned()),
        1 => Just("*a".to_owned()),
        4 => "[ \t\n\r]{1,4}",
        4 => "[-:?,\\[\\]{}#&*!|>'\"%@`]{1,3} ?",
        2 => "[a-z0-9.]{1,6}",
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_loaded(bytes in vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
    }

    #[test]
    fn any_near_yaml_is_loaded(text in pieces()) {
        exercise(text.as_bytes());
    }

    #[test]
    fn any_path_is_walked(path in "[a-c.\\[\\]\"\\\\0-9]{0,12}|\\PC{0,8}") {
        let object = &loaded(b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\na: {b: [c]}\n").objects[0];
        let _ = object.locate(&FieldPath::from(path));
    }

    #[test]
    fn paths_lead_back_to_their_keys(keys in vec((any::<String>(), any::<Option<u8>>()), 1..4)) {
        let mut path = FieldPath::root();
        let mut expected = Vec::new();
        for (key, index) in &keys {
            path = path.key(key);
            expected.push(Step::Key(key.as_str().into()));
            if let Some(index) = index {
                path = path.index(usize::from(*index));
                expected.push(Step::Index(usize::from(*index)));
            }
        }
        prop_assert_eq!(steps(&path.0), expected, "{}", path);
    }
}
