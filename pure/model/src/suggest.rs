//! "Did you mean …": the known name nearest to what somebody wrote.

/// The name among `known` that is nearest to `written`, if any is near enough to be meant: a typo
/// or two away, or one of them a part of the other. The first of equally near ones wins.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (_, best) = known
        .into_iter()
        .filter_map(|name| Some((closeness(written, name)?, name)))
        .min_by_key(|(rank, _)| *rank)?;
    Some(best)
}

/// How near two names are, smaller is nearer; none if neither can be meant for the other.
/// The letters' case does not count. Total over all input and bounded by the product of lengths,
/// which is cut off at 64 characters.
pub fn closeness(written: &str, name: &str) -> Option<usize> {
    const LONGEST: usize = 64;
    if written.is_empty() || written.len() > LONGEST || name.len() > LONGEST {
        return None;
    }
    let written = written.to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    let allowed = (written.len().max(name.len()) / 3).clamp(1, 3);
    if written.len().abs_diff(name.len()) <= allowed {
        let distance = distance(written.as_bytes(), name.as_bytes());
        if distance <= allowed {
            return Some(distance);
        }
    }
    let (short, long) =
        if written.len() < name.len() { (&written, &name) } else { (&name, &written) };
    // `grafana` for `grafana-svc`: far in letters, near in meaning, worse than any typo.
    (short.len() >= 4 && long.contains(short.as_str())).then_some(LONGEST + long.len())
}

/// Edits (insert, delete, replace, swap of neighbours) from one to the other.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && y == a[i - 1] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("addreses", "addresses", 1),
            ("auth-ulr", "auth-url", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_of_what_can_be_meant() {
        let known = ["addresses", "autoAssign", "avoidBuggyIPs", "serviceAllocation"];
        for (written, expected) in [
            ("adresses", Some("addresses")),
            ("avoidBuggyIps", Some("avoidBuggyIPs")),
            ("auto_assign", Some("autoAssign")),
            ("allocation", Some("serviceAllocation")),
            ("protocol", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
    }
}
