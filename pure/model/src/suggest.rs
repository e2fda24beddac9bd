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

/// Longest name that is compared; longer ones are no typos.
const LONGEST: usize = 64;

/// Most edits that are still a typo.
const MAX_EDITS: usize = 3;

/// How near two names are, smaller is nearer; none if neither can be meant for the other.
/// The letters' case does not count. Total over all input; it allocates nothing and gives up as
/// soon as there are too many edits, so that it may run on behalf of anybody's request.
pub fn closeness(written: &str, name: &str) -> Option<usize> {
    if written.is_empty() || written.len() > LONGEST || name.len() > LONGEST {
        return None;
    }
    let (mut written_bytes, mut name_bytes) = ([0; LONGEST], [0; LONGEST]);
    let written = lower(written, &mut written_bytes);
    let name = lower(name, &mut name_bytes);
    let allowed = (written.len().max(name.len()) / 3).clamp(1, MAX_EDITS);
    if let Some(edits) = edits(written, name, allowed) {
        return Some(edits);
    }
    let (short, long) = if written.len() < name.len() { (written, name) } else { (name, written) };
    // `grafana` for `grafana-svc`: far in letters, near in meaning, worse than any typo.
    let is_part = short.len() >= 4 && long.windows(short.len()).any(|part| part == short);
    is_part.then_some(LONGEST + long.len())
}

fn lower<'b>(text: &str, room: &'b mut [u8; LONGEST]) -> &'b [u8] {
    let room = &mut room[..text.len()];
    room.copy_from_slice(text.as_bytes());
    room.make_ascii_lowercase();
    room
}

/// Edits (insert, delete, replace, swap of neighbours) from one to the other, if they are at most
/// `allowed`. Both have at most [`LONGEST`] bytes.
fn edits(a: &[u8], b: &[u8], allowed: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > allowed {
        return None;
    }
    // Only cells near the diagonal can be few edits away; those around them count as far.
    let mut rows = [[MAX_EDITS + 1; LONGEST + 2]; 3];
    let [mut before, mut last, mut row] = rows.each_mut();
    for (j, cell) in last[..=allowed].iter_mut().enumerate() {
        *cell = j;
    }
    for (i, &x) in a.iter().enumerate() {
        let band = i.saturating_sub(allowed)..b.len().min(i + allowed + 1);
        row[band.start] = if band.start == 0 { i + 1 } else { MAX_EDITS + 1 };
        let mut least = row[band.start];
        for j in band {
            let y = b[j];
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && y == a[i - 1] {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
            least = least.min(cost);
        }
        // No row is better than the one above it, and a swap from two rows above costs one.
        if least > allowed {
            return None;
        }
        (before, last, row) = (last, row, before);
    }
    Some(last[b.len()]).filter(|edits| *edits <= allowed)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, MAX_EDITS, closeness, edits, nearest};

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("addreses", "addresses", 1),
            ("auth-ulr", "auth-url", 1),
            ("kitten", "sitting", 3),
            ("abcdef", "badcfe", 3),
            ("grafana.lan", "grafnaa.lan", 1),
        ] {
            for allowed in 0..=MAX_EDITS {
                let found = edits(a.as_bytes(), b.as_bytes(), allowed);
                assert_eq!(found, Some(expected).filter(|it| *it <= allowed), "{a} {b}");
            }
        }
    }

    /// All pairs of short names, against the plain definition.
    #[test]
    fn as_the_whole_table_has_it() {
        fn plain(a: &[u8], b: &[u8]) -> usize {
            let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
            for i in 0..=a.len() {
                for j in 0..=b.len() {
                    if i == 0 || j == 0 {
                        table[i][j] = i + j;
                        continue;
                    }
                    let change = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    table[i][j] = change.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        table[i][j] = table[i][j].min(table[i - 2][j - 2] + 1);
                    }
                }
            }
            table[a.len()][b.len()]
        }
        let mut names = vec![Vec::new()];
        for at in 0..121 {
            let name: Vec<u8> = names[at].clone();
            names.extend(b"abc".map(|letter| [&name[..], &[letter]].concat()));
        }
        for a in &names {
            for b in names.iter().step_by(7) {
                for allowed in 0..=MAX_EDITS {
                    let expected = Some(plain(a, b)).filter(|it| *it <= allowed);
                    assert_eq!(edits(a, b, allowed), expected, "{a:?} {b:?} {allowed}");
                }
            }
        }
    }

    #[test]
    fn any_length_is_fine() {
        for len in [0, 1, LONGEST - 1, LONGEST, LONGEST + 1, 1000] {
            let (a, b) = ("a".repeat(len), "ä".repeat(len / 2));
            assert_eq!(closeness(&a, &a), (1..=LONGEST).contains(&len).then_some(0));
            let _ = closeness(&a, &b);
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
