//! The tables that pass packets on, as rules. They come before anything else of ours, and of
//! kube-proxy's, sees the packet (mangle is -150, dstnat -100), and after connection tracking.

use steelyard_forwarding::pass_table::{COUNTS, DOUBTFUL_COUNTS, IN_DOUBT, SPENT_COUNTS, STRAY};
use steelyard_host::nft_set::TableFamily;
use steelyard_host::nft_table::{Maps, RuleChain, SetFrame, Term};

/// Vips whose older flows are at another node; which one, and by which interface it is reached.
pub(super) const SETS: [SetFrame; 3] = [
    SetFrame { name: "passed", maps: Maps::Nothing },
    SetFrame { name: "former", maps: Maps::Address },
    SetFrame { name: "link", maps: Maps::Link },
];

const PRIORITY: i32 = -155;
const SYN: u8 = 2;
const RST: u8 = 4;
/// Errors about packets (RFC 792, RFC 4443): unreachable, too big, time exceeded, parameter
/// problem.
const ERRORS: [u8; 3] = [3, 11, 12];
const ERRORS6: [u8; 4] = [1, 2, 3, 4];

/// The chains; those that others go to come first.
pub(super) fn chains(family: TableFamily) -> Vec<RuleChain> {
    let chain = |name, rules| RuleChain { name, prerouting: None, rules };
    vec![
        chain("pass_on", vec![vec![Term::Copy { to: "former", link: "link" }], vec![Term::Drop]]),
        chain(
            "pass_sure",
            vec![
                vec![
                    Term::TtlNot(COUNTS),
                    Term::TtlNot(DOUBTFUL_COUNTS),
                    Term::SetTtl(*COUNTS.end()),
                ],
                vec![Term::Goto("pass_on")],
            ],
        ),
        chain(
            "pass_doubtful",
            vec![
                vec![Term::TtlNot(DOUBTFUL_COUNTS), Term::SetTtl(*DOUBTFUL_COUNTS.end())],
                vec![Term::Goto("pass_on")],
            ],
        ),
        chain("pass_unknown", unknown(family)),
        RuleChain { name: "pass", prerouting: Some(PRIORITY), rules: pass() },
    ]
}

fn pass() -> Vec<Vec<Term>> {
    let [spent, doubtful_spent] = SPENT_COUNTS;
    vec![
        vec![
            Term::To("passed"),
            Term::TtlNot(spent),
            Term::TtlNot(doubtful_spent),
            Term::Jump("pass_unknown"),
        ],
        vec![
            Term::To("passed"),
            Term::Ttl(STRAY),
            Term::Tracked(Term::NEW | Term::INVALID),
            Term::TcpWithout(SYN),
            Term::Drop,
        ],
        vec![Term::To("passed"), Term::Ttl(STRAY), Term::Tracked(Term::INVALID), Term::Drop],
        // Passed to this host, and of no flow that is known here either.
        vec![
            Term::Ttl(IN_DOUBT),
            Term::Tracked(Term::NEW | Term::INVALID),
            Term::TcpWithout(SYN),
            Term::Drop,
        ],
    ]
}

/// What is of no flow that is known here, and begins none.
fn unknown(family: TableFamily) -> Vec<Vec<Term>> {
    let errors: &[u8] = if family == TableFamily::Ip { &ERRORS } else { &ERRORS6 };
    let sure = || Term::Goto("pass_sure");
    let mut rules = vec![
        vec![Term::Tracked(Term::NEW), Term::TcpWithout(SYN | RST), sure()],
        vec![Term::Tracked(Term::INVALID), Term::TcpWithout(SYN), Term::Goto("pass_doubtful")],
    ];
    rules.extend(
        errors.iter().map(|kind| vec![Term::Tracked(Term::INVALID), Term::IcmpType(*kind), sure()]),
    );
    rules
}
