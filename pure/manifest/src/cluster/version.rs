//! Versions of an API server (`metadata.resourceVersion`): text, of which it says nothing more.
//! Those of etcd are numbers that grow with each write, whatever is written.

/// Whether `version` is of a time before `other`. Of what is no number nobody knows.
pub fn is_older(version: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u128>().ok();
    number(version).zip(number(other)).is_some_and(|(version, other)| version < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_nothing_else_is() {
        assert!(is_older("9", "10") && is_older("0", "18446744073709551616"));
        for (version, other) in [("10", "9"), ("9", "9"), ("", "9"), ("a", "b"), ("1", "")] {
            assert!(!is_older(version, other), "{version} {other}");
        }
    }
}
