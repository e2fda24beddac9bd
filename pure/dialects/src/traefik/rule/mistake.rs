//! What is wrong with a rule, as data: where, what, and what mends it.

use std::fmt;
use std::ops::Range;

use steelyard_model::routing::pattern::BadPattern;

/// A mistake in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMistake {
    /// Where it stands, in bytes of the rule.
    pub at: Range<usize>,
    /// What it is.
    pub what: RuleProblem,
}

/// What may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleProblem {
    /// There is no rule.
    Empty,
    /// Longer than any that is read.
    TooLong,
    /// Parentheses in parentheses, deeper than any that are read.
    TooDeep,
    /// Something else is expected here.
    Expected(&'static str),
    /// A text in single quotes.
    SingleQuotes,
    /// A text that does not end.
    Unended,
    /// An escape that means nothing.
    BadEscape,
    /// No matcher of that name.
    UnknownMatcher {
        /// The name.
        name: String,
        /// Which one may be meant.
        meant: Option<&'static str>,
        /// Which there are.
        known: Vec<&'static str>,
    },
    /// More or fewer arguments than the matcher has.
    Count {
        /// Of which matcher.
        matcher: String,
        /// How many there are at least and at most.
        wanted: (usize, usize),
    },
    /// An argument without a character.
    EmptyArgument,
    /// A host in other letters than those of DNS.
    NotAscii,
    /// A wildcard that is not the whole first label.
    Wildcard,
    /// What no host is written like.
    NoHost,
    /// No regular expression.
    BadPattern(BadPattern),
    /// A path that does not begin with `/`.
    NoSlash,
    /// Neither an address nor a range of them.
    NoAddress,
    /// The protocol of certificates' challenges, which no rule may be about.
    ChallengeProtocol,
    /// A part in braces that has no name, no expression, or no end.
    BadTemplate,
    /// Not written as `name=value`.
    NoPair,
    /// A name without a value behind it.
    Unpaired,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the rule is empty"),
            Self::TooLong => f.write_str("the rule is too long"),
            Self::TooDeep => f.write_str("too many parentheses in parentheses"),
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::SingleQuotes => f.write_str("single quotes are none of this language"),
            Self::Unended => f.write_str("the text does not end"),
            Self::BadEscape => f.write_str("this escape means nothing"),
            Self::UnknownMatcher { name, .. } => write!(f, "there is no matcher `{name}`"),
            Self::Count { matcher, wanted: (least, most) } => {
                let many = if *most == 1 { "argument" } else { "arguments" };
                match () {
                    () if *most == usize::MAX => {
                        write!(f, "`{matcher}` has {least} or more {many}")
                    }
                    () if least == most => write!(f, "`{matcher}` has {most} {many}"),
                    () => write!(f, "`{matcher}` has {least} to {most} {many}"),
                }
            }
            Self::EmptyArgument => f.write_str("the argument is empty"),
            Self::NotAscii => f.write_str("the host is not in ASCII"),
            Self::Wildcard => f.write_str("no host has a `*` in its name"),
            Self::NoHost => f.write_str("it is not the name of a host"),
            Self::BadPattern(why) => write!(f, "the regular expression cannot be used: {why}"),
            Self::NoSlash => f.write_str("the path does not begin with `/`"),
            Self::NoAddress => f.write_str("it is neither an address nor a range of addresses"),
            Self::ChallengeProtocol => {
                f.write_str("`acme-tls/1` is the protocol of certificates' challenges")
            }
            Self::BadTemplate => {
                f.write_str("a part in braces has no name, no expression or no end")
            }
            Self::NoPair => f.write_str("it is not written as `name=value`"),
            Self::Unpaired => f.write_str("no value stands behind this name"),
        }
    }
}

impl RuleProblem {
    /// What mends it.
    pub fn help(&self) -> String {
        let help = match self {
            Self::Empty => "write a rule, for example Host(`app.example.com`)",
            Self::TooLong => "make several routes of it",
            Self::TooDeep => "write it with fewer parentheses",
            Self::Expected(_) => "matchers are joined by && and ||, and negated by !",
            Self::SingleQuotes | Self::Unended => "put it between backticks or double quotes",
            Self::BadEscape => "put it between backticks: nothing is escaped there",
            Self::UnknownMatcher { meant: Some(meant), .. } => {
                return format!("did you mean `{meant}`?");
            }
            Self::UnknownMatcher { known, .. } => return format!("there are {}", known.join(", ")),
            Self::Count { matcher, wanted: (_, 1) } => {
                return format!("join several by ||: {matcher}(`a`) || {matcher}(`b`)");
            }
            Self::Count { .. } => "give it as many",
            Self::EmptyArgument => "say what is to be compared with",
            Self::NotAscii => "write it in punycode (xn--…)",
            Self::Wildcard => {
                "write *.example.com for one label, `*` for every host, or a HostRegexp \
                 (HostSNIRegexp) for others"
            }
            Self::NoHost => {
                "write the name alone, and join several by ||: Host(`a.example`) || \
                 Host(`b.example`)"
            }
            Self::BadPattern(_) => "correct the expression (RE2, as Go has it)",
            Self::NoSlash => "begin it with `/`",
            Self::NoAddress => "write 10.0.0.1, 10.0.0.0/8 or fd00::/8",
            Self::ChallengeProtocol => "leave it out",
            Self::BadTemplate => "write {name:expression}, or {name} for one part",
            Self::NoPair => "write it so",
            Self::Unpaired => "write names and values in turn",
        };
        help.to_owned()
    }
}
