//! The table equals the plain definition, whatever the rules, whatever came and went.

use std::cmp::Reverse;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::select;

use crate::candidate::Indexed;
use crate::choice::choose_by_scan;
use crate::covering::covers;
use crate::table::RuleTable;
use crate::tests::ranked::Ranked;
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::pattern::{
    Expression, HostPattern, PathForm, PathPattern, PathShape,
};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::rule::Rule;
use steelyard_testbed::Probe;
use steelyard_testbed::probe::get;

const HOSTS: &[&str] = &["", "a", "a.b", "b.b", "x.a.b", "y.x.a.b", "c"];
const PATHS: &[&str] = &["/", "/a", "/a/", "/a/b", "/ab", "/a%2Fb", "/a/b/c", "/x"];
const WORDS: &[&str] = &["GET", "PUT", "", "1"];

fn word(from: &'static [&'static str]) -> impl Strategy<Value = Arc<str>> {
    select(from).prop_map(Arc::from)
}

fn expression() -> impl Strategy<Value = Expression> {
    static COMPILED: LazyLock<Vec<Expression>> = LazyLock::new(|| {
        let sources = [
            "^a", "b$", "/a", ".", "^$", "^/a", "^/ab?$", "^/a/|x", "", ".*", "^.*$", "^/",
            "^/.*$", "^/?.*", "/$", ".*b$", "^/.+$",
        ];
        sources.map(|source| Expression::new(source).expect("it is right")).to_vec()
    });
    select(&COMPILED[..])
}

pub(super) fn host() -> impl Strategy<Value = HostPattern> {
    prop_oneof![
        word(HOSTS).prop_map(HostPattern::Exact),
        word(&["a.b", "b", "c"]).prop_map(HostPattern::Label),
        word(&["a.b", "b", "c"]).prop_map(HostPattern::Labels),
        Just(HostPattern::Any),
    ]
}

fn path() -> impl Strategy<Value = PathPattern> {
    let shape = prop_oneof![
        word(PATHS).prop_map(PathShape::Exact),
        select(PATHS).prop_map(PathShape::elements),
        word(PATHS).prop_map(PathShape::Bytes),
        expression().prop_map(PathShape::Regex),
    ];
    let form = select(&[PathForm::Normal, PathForm::Decoded, PathForm::Readable][..]);
    (form, shape).prop_map(|(form, shape)| PathPattern { form, shape })
}

fn values() -> impl Strategy<Value = Values> {
    prop_oneof![
        Just(Values::Present),
        word(WORDS).prop_map(Values::Exact),
        expression().prop_map(Values::Regex),
    ]
}

fn matcher() -> impl Strategy<Value = Matcher> {
    prop_oneof![
        6 => host().prop_map(Matcher::Host),
        6 => path().prop_map(Matcher::Path),
        1 => expression().prop_map(Matcher::HostRegex),
        1 => host().prop_map(Matcher::Sni),
        1 => expression().prop_map(Matcher::SniRegex),
        1 => word(WORDS).prop_map(Matcher::Alpn),
        1 => word(WORDS).prop_map(Matcher::Method),
        1 => (word(&["x-a", "x-b"]), values()).prop_map(|(name, v)| Matcher::Header(name, v)),
        1 => (word(&["q", "r"]), values()).prop_map(|(name, v)| Matcher::Query(name, v)),
        1 => select(&["10.0.0.0/8", "10.0.0.1/32"][..])
            .prop_map(|net| Matcher::ClientIp(net.parse().expect("a range"))),
        1 => Just(Matcher::Invalid("broken".into())),
    ]
}

pub(super) fn rule() -> impl Strategy<Value = Rule> {
    matcher().prop_map(Rule::One).prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..4).prop_map(Rule::All),
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Rule::Any),
            1 => inner.prop_map(Rule::negated),
        ]
    })
}

pub(super) fn rank() -> impl Strategy<Value = Rank> {
    let ladder = select(&[Ladder::Specific, Ladder::Priority][..]);
    let host = prop_oneof![
        Just(HostSpecificity::Exact),
        (0_u16..3).prop_map(|length| HostSpecificity::Wildcard(Reverse(length))),
        Just(HostSpecificity::Any),
    ];
    let path = prop_oneof![
        Just(PathSpecificity::Exact),
        (0_u16..3).prop_map(|length| PathSpecificity::Length(Reverse(length))),
    ];
    (ladder, -2_i64..3, host, path, any::<bool>(), 0_u8..2, 0_u32..3).prop_map(
        |(ladder, number, host, path, is_fallback, provider, index)| Rank {
            ladder,
            number,
            specific: Specificity { is_fallback, ..Specificity::new(host, path) },
            provider,
            created: None,
            object: "ns/object".into(),
            index,
        },
    )
}

fn candidates() -> impl Strategy<Value = Vec<Arc<Ranked>>> {
    prop::collection::vec((rank(), rule()), 0..14).prop_map(|routes| {
        let numbered = routes.into_iter().enumerate();
        let made = numbered
            .map(|(at, (rank, rule))| Arc::new(Ranked { id: format!("r{at}").into(), rank, rule }));
        made.collect()
    })
}

pub(super) fn sample() -> impl Strategy<Value = Probe> {
    let pairs = |names| prop::collection::vec((select(names), select(WORDS)), 0..3);
    let sni = prop::option::of(select(HOSTS));
    let client = prop::option::of(select(&["10.0.0.1", "10.9.9.9", "192.0.2.1", "::1"][..]));
    (
        (select(HOSTS), select(PATHS), select(WORDS)),
        (pairs(&["x-a", "x-b"][..]), pairs(&["q", "r"][..])),
        (client, sni, prop::collection::vec(select(WORDS), 0..2)),
    )
        .prop_map(|((host, path, method), (headers, query), (client, sni, alpn))| {
            let owned = |pairs: Vec<(&str, &str)>| {
                pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
            };
            Probe {
                method: method.into(),
                headers: owned(headers),
                query: owned(query),
                client: client.map(|text| text.parse().expect("an address")),
                sni: sni.map(str::to_owned),
                alpn: alpn.into_iter().map(str::to_owned).collect(),
                ..get(host, path)
            }
        })
}

fn table(indexed: Indexed, candidates: &[Arc<Ranked>]) -> RuleTable<Ranked> {
    let mut table = RuleTable::new(indexed);
    candidates.iter().for_each(|candidate| table.insert(candidate.clone()));
    table
}

/// Winner and bids, comparable.
fn chosen(table: &RuleTable<Ranked>, sample: &Probe) -> Option<String> {
    let choice = table.choose(sample)?;
    Some(format!("{} {:?}", choice.candidate.id, choice.bids))
}

fn scanned(candidates: &[Arc<Ranked>], sample: &Probe) -> Option<String> {
    let choice = choose_by_scan(candidates.iter(), sample)?;
    Some(format!("{} {:?}", choice.candidate.id, choice.bids))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_table_equals_the_scan(
        routes in candidates(),
        samples in prop::collection::vec(sample(), 6),
        indexed in select(&[Indexed::Host, Indexed::Sni][..]),
    ) {
        let table = table(indexed, &routes);
        for sample in samples {
            prop_assert_eq!(chosen(&table, &sample), scanned(&routes, &sample));
        }
    }

    #[test]
    fn edits_equal_building_anew_and_leave_the_former_table_alone(
        routes in candidates(),
        keep in prop::collection::vec(any::<bool>(), 14),
        samples in prop::collection::vec(sample(), 6),
    ) {
        let full = table(Indexed::Host, &routes);
        let mut edited = full.clone();
        let (kept, gone): (Vec<_>, Vec<_>) =
            routes.iter().cloned().zip(&keep).partition(|(_, keep)| **keep);
        gone.iter().for_each(|(route, _)| edited.remove(route));
        let kept: Vec<_> = kept.into_iter().map(|(route, _)| route).collect();
        prop_assert_eq!(edited.len(), kept.len());
        for sample in &samples {
            prop_assert_eq!(chosen(&edited, sample), scanned(&kept, sample));
            prop_assert_eq!(chosen(&full, sample), scanned(&routes, sample));
        }
        for (route, _) in gone {
            edited.insert(route);
        }
        for sample in &samples {
            prop_assert_eq!(chosen(&edited, sample), scanned(&routes, sample));
        }
    }

    #[test]
    fn a_new_route_of_one_ladder_never_moves_a_request_to_the_other(
        routes in candidates(),
        newcomer in (rank(), rule()),
        sample in sample(),
    ) {
        let (mut rank, rule) = newcomer;
        rank.specific.is_fallback = false;
        let ladder = rank.ladder;
        let newcomer = Arc::new(Ranked { id: "new".into(), rank, rule });
        let before = table(Indexed::Host, &routes);
        let mut after = before.clone();
        after.insert(newcomer);
        let of = |table: &RuleTable<Ranked>| table.choose(&sample).map(|choice| choice.candidate.rank.ladder);
        if let Some(former) = of(&before)
            && former == ladder
        {
            prop_assert_eq!(of(&after), Some(ladder));
        }
    }

    /// What is made of parts of the other is covered more often than two of nobody's making.
    #[test]
    fn a_rule_that_covers_another_holds_wherever_that_does(
        (narrow, wide) in (rule(), rule()),
        how in 0_u8..5,
        samples in prop::collection::vec(sample(), 12),
    ) {
        let (wide, narrow) = match how {
            0 => (wide, narrow),
            1 => (wide.clone(), Rule::All(vec![narrow, wide])),
            2 => (Rule::Any(vec![narrow.clone(), wide]), narrow),
            3 => (wide.clone().negated(), Rule::Any(vec![narrow, wide.negated()])),
            _ => (Rule::Any(vec![wide.clone(), narrow.clone()]), Rule::All(vec![narrow, wide])),
        };
        let made = matches!(how, 1 | 2 | 4) && !format!("{wide:?}{narrow:?}").contains("([])");
        prop_assert!(!made || covers(&wide, &narrow), "{wide:?} covers {narrow:?}");
        if covers(&wide, &narrow) {
            for sample in samples {
                prop_assert!(!narrow.holds(&sample) || wide.holds(&sample), "{sample:?}");
            }
        }
    }

    #[test]
    fn a_rule_fails_by_its_first_failure_and_only_then(rule in rule(), sample in sample()) {
        let failure = rule.first_failure(&sample);
        if rule.holds(&sample) {
            prop_assert_eq!(failure, None);
        } else if !matches!(rule, Rule::Any(ref rules) if rules.is_empty()) {
            // A rule without conditions has none to name.
            let empty = format!("{rule:?}").contains("([])");
            prop_assert!(failure.is_some() || empty);
        }
    }
}

proptest! {
    /// What looks at nothing around is found alike by either way.
    #[test]
    fn looks_change_nothing_else(
        source in "(\\^)?(/|a|b|[ab]|(\\.)|\\(a\\|b\\)|\\(ab\\)|a\\*|b\\+|a\\?){1,5}\\$?",
        text in "[/ab]{0,8}",
    ) {
        let linear = Expression::new(&source).expect("it is one");
        let stepped = Expression::looking(&format!("(?=){source}")).expect("it is one");
        prop_assert!(stepped.is_stepped() && !Expression::looking(&source).unwrap().is_stepped());
        prop_assert_eq!(stepped.decides(&text), Ok(linear.is_found_in(&text)), "{}", source);
    }
}
