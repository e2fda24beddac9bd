//! When a breaker opens, or a buffered request is asked again, in Traefik's words:
//! `NetworkErrorRatio() > 0.30 || LatencyAtQuantileMS(50.0) > 100`.

use std::fmt;
use std::ops::Range;

/// Conditions in each other, at most: each is a call of ours.
const DEEPEST: usize = 32;
/// Bytes of an expression, at most.
const LONGEST: usize = 4 << 10;

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Each of these.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A number is to another as said.
    Compared(Measure, Comparison, f64),
    /// No endpoint answered.
    NetworkError,
}

/// A number that is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// How many of all requests no endpoint answered, from 0 to 1.
    NetworkErrorRatio,
    /// Responses with a status in the first range, to those with one in the second.
    ResponseCodeRatio([u16; 2], [u16; 2]),
    /// Milliseconds in which this share of all (in percent) was answered.
    LatencyAtQuantile(f64),
    /// How often it was asked.
    Attempts,
    /// The status of the response.
    ResponseCode,
}

/// How a number is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

/// What an expression is about, and so what it may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerSubject {
    /// All requests of late.
    Traffic,
    /// One response.
    Response,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTrigger {
    /// Where, in bytes.
    pub at: Range<usize>,
    /// What should stand there.
    pub wanted: &'static str,
}

impl fmt::Display for BadTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is expected at character {}", self.wanted, self.at.start + 1)
    }
}

impl Comparison {
    /// Whether it holds. Nothing is equal to what is no number.
    pub fn holds(self, left: f64, right: f64) -> bool {
        #[expect(clippy::float_cmp, reason = "as written: whole numbers are meant")]
        match self {
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }
}

impl Trigger {
    /// Reads a condition.
    ///
    /// # Errors
    /// When it cannot be read, or looks at what `subject` does not have.
    pub fn parse(text: &str, subject: TriggerSubject) -> Result<Self, BadTrigger> {
        let mut reader = Reader { text, at: 0, depth: 0, subject };
        if text.len() > LONGEST {
            return Err(BadTrigger { at: 0..text.len(), wanted: "a shorter expression" });
        }
        let condition = reader.any()?;
        reader.skip();
        if reader.at < text.len() {
            return Err(reader.bad("&&, || or the end"));
        }
        Ok(condition)
    }

    /// Whether it holds, by what is measured.
    pub fn holds(&self, is_error: bool, measure: &mut dyn FnMut(Measure) -> f64) -> bool {
        match self {
            Self::All(all) => all.iter().all(|it| it.holds(is_error, measure)),
            Self::Any(any) => any.iter().any(|it| it.holds(is_error, measure)),
            Self::Not(it) => !it.holds(is_error, measure),
            Self::Compared(what, comparison, with) => comparison.holds(measure(*what), *with),
            Self::NetworkError => is_error,
        }
    }

    /// Shows each number that is looked at.
    pub fn each(&self, see: &mut dyn FnMut(Measure)) {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().for_each(|it| it.each(see)),
            Self::Not(it) => it.each(see),
            Self::Compared(what, ..) => see(*what),
            Self::NetworkError => {}
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    subject: TriggerSubject,
}

type Read<T> = Result<T, BadTrigger>;

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn takes(&mut self, token: &str) -> bool {
        self.skip();
        let is_next = self.rest().starts_with(token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    fn bad(&self, wanted: &'static str) -> BadTrigger {
        let end = self.rest().chars().next().map_or(0, char::len_utf8);
        BadTrigger { at: self.at..self.at + end, wanted }
    }

    /// `&&` binds closer than `||`.
    fn any(&mut self) -> Read<Trigger> {
        let mut all = vec![self.all()?];
        while self.takes("||") {
            all.push(self.all()?);
        }
        Ok(joined(all, Trigger::Any))
    }

    fn all(&mut self) -> Read<Trigger> {
        let mut all = vec![self.one()?];
        while self.takes("&&") {
            all.push(self.one()?);
        }
        Ok(joined(all, Trigger::All))
    }

    fn one(&mut self) -> Read<Trigger> {
        self.skip();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.bad("fewer parentheses"));
        }
        let condition = if self.takes("!") {
            Trigger::Not(Box::new(self.one()?))
        } else if self.takes("(") {
            let condition = self.any()?;
            if !self.takes(")") {
                return Err(self.bad("`)`"));
            }
            condition
        } else {
            self.compared()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn compared(&mut self) -> Read<Trigger> {
        let begin = self.at;
        let length = self.rest().bytes().take_while(u8::is_ascii_alphanumeric).count();
        let name = self.text[begin..begin + length].to_owned();
        self.at += length;
        if !self.takes("(") {
            self.at = begin;
            return Err(self.bad(self.functions()));
        }
        let mut numbers = Vec::new();
        while !self.takes(")") {
            numbers.push(self.number()?);
            if !self.takes(",") && !self.rest().starts_with(')') {
                return Err(self.bad("`,` or `)`"));
            }
        }
        if (self.subject, &*name, &*numbers) == (TriggerSubject::Response, "IsNetworkError", &[]) {
            return Ok(Trigger::NetworkError);
        }
        let Some(measure) = self.measure(&name, &numbers) else {
            return Err(BadTrigger { at: begin..self.at, wanted: self.functions() });
        };
        let comparison = self.comparison()?;
        Ok(Trigger::Compared(measure, comparison, self.number()?))
    }

    fn functions(&self) -> &'static str {
        match self.subject {
            TriggerSubject::Traffic => {
                "NetworkErrorRatio(), ResponseCodeRatio(from, to, of, to) or \
                 LatencyAtQuantileMS(percent)"
            }
            TriggerSubject::Response => "Attempts(), ResponseCode() or IsNetworkError()",
        }
    }

    fn measure(&self, name: &str, numbers: &[f64]) -> Option<Measure> {
        Some(match (self.subject, name, numbers) {
            (TriggerSubject::Traffic, "NetworkErrorRatio", []) => Measure::NetworkErrorRatio,
            (TriggerSubject::Traffic, "LatencyAtQuantileMS", [share])
                if (0.0..=100.0).contains(share) =>
            {
                Measure::LatencyAtQuantile(*share)
            }
            (TriggerSubject::Traffic, "ResponseCodeRatio", [a, b, c, d]) => {
                let [a, b, c, d] = [status(*a)?, status(*b)?, status(*c)?, status(*d)?];
                Measure::ResponseCodeRatio([a, b], [c, d])
            }
            (TriggerSubject::Response, "Attempts", []) => Measure::Attempts,
            (TriggerSubject::Response, "ResponseCode", []) => Measure::ResponseCode,
            _ => return None,
        })
    }

    fn comparison(&mut self) -> Read<Comparison> {
        let rows = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
        ];
        let found = rows.into_iter().find(|(token, _)| self.takes(token));
        found.map(|(_, comparison)| comparison).ok_or_else(|| self.bad(">, >=, <, <=, == or !="))
    }

    fn number(&mut self) -> Read<f64> {
        self.skip();
        let is_of_it = |it: &char| it.is_ascii_digit() || *it == '.';
        let length = self.rest().chars().take_while(is_of_it).count();
        let number = self.rest()[..length].parse().map_err(|_| self.bad("a number"))?;
        self.at += length;
        Ok(number)
    }
}

/// A bound of statuses.
fn status(number: f64) -> Option<u16> {
    let is_one = number.fract() == 0.0 && (0.0..=1000.0).contains(&number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    is_one.then_some(number as u16)
}

fn joined(mut all: Vec<Trigger>, join: fn(Vec<Trigger>) -> Trigger) -> Trigger {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            join(all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Trigger::{All, Any, Compared, NetworkError, Not};
    use super::*;

    #[test]
    fn conditions() {
        use Comparison::{AtLeast, AtMost, Equal, Greater, Less, Unequal};
        use TriggerSubject::{Response, Traffic};
        let errors = || Compared(Measure::NetworkErrorRatio, Greater, 0.3);
        let slow = || Compared(Measure::LatencyAtQuantile(50.0), AtLeast, 100.0);
        for (text, subject, expected) in [
            ("NetworkErrorRatio() > 0.30", Traffic, errors()),
            (" ( NetworkErrorRatio()>.3 ) ", Traffic, errors()),
            ("!NetworkErrorRatio() > 0.30", Traffic, Not(Box::new(errors()))),
            (
                "LatencyAtQuantileMS(50.0) >= 100 || NetworkErrorRatio() > 0.30 && \
                 LatencyAtQuantileMS(50.0) >= 100",
                Traffic,
                Any(vec![slow(), All(vec![errors(), slow()])]),
            ),
            (
                "ResponseCodeRatio(500, 600, 0, 600) < 0.25",
                Traffic,
                Compared(Measure::ResponseCodeRatio([500, 600], [0, 600]), Less, 0.25),
            ),
            (
                "IsNetworkError() && Attempts() <= 2 && ResponseCode() != 500",
                Response,
                All(vec![
                    NetworkError,
                    Compared(Measure::Attempts, AtMost, 2.0),
                    Compared(Measure::ResponseCode, Unequal, 500.0),
                ]),
            ),
            ("ResponseCode() == 502", Response, Compared(Measure::ResponseCode, Equal, 502.0)),
        ] {
            assert_eq!(Trigger::parse(text, subject), Ok(expected), "{text}");
        }
    }

    #[test]
    fn texts_that_are_none() {
        let deep = "(".repeat(DEEPEST + 1);
        let long = " ".repeat(LONGEST + 1);
        for (text, subject, at) in [
            ("", TriggerSubject::Traffic, 0),
            ("NetworkErrorRatio", TriggerSubject::Traffic, 0),
            ("NetworkErrorRatio()", TriggerSubject::Traffic, 19),
            ("NetworkErrorRatio() >", TriggerSubject::Traffic, 21),
            ("NetworkErrorRatio() > 1.2.3", TriggerSubject::Traffic, 22),
            ("NetworkErrorRatio(1) > 1", TriggerSubject::Traffic, 0),
            ("NetworkErrorRatio() > 1 &&", TriggerSubject::Traffic, 26),
            ("NetworkErrorRatio() > 1 x", TriggerSubject::Traffic, 24),
            ("(NetworkErrorRatio() > 1", TriggerSubject::Traffic, 24),
            ("LatencyAtQuantileMS(101) > 1", TriggerSubject::Traffic, 0),
            ("LatencyAtQuantileMS(50 > 1", TriggerSubject::Traffic, 23),
            ("ResponseCodeRatio(500, 600, 0) > 1", TriggerSubject::Traffic, 0),
            ("ResponseCodeRatio(500.5, 600, 0, 600) > 1", TriggerSubject::Traffic, 0),
            ("Attempts() > 1", TriggerSubject::Traffic, 0),
            ("NetworkErrorRatio() > 1", TriggerSubject::Response, 0),
            ("IsNetworkError", TriggerSubject::Response, 0),
            (&deep, TriggerSubject::Traffic, DEEPEST),
            (&long, TriggerSubject::Traffic, 0),
        ] {
            let bad = Trigger::parse(text, subject).unwrap_err();
            assert_eq!(bad.at.start, at, "{text:.40}: {bad}");
        }
    }

    #[test]
    fn what_holds() {
        let measured = &mut |it| match it {
            Measure::Attempts => 2.0,
            Measure::ResponseCode => 503.0,
            _ => f64::NAN,
        };
        for (text, expected) in [
            ("Attempts() < 3", true),
            ("Attempts() < 2", false),
            ("Attempts() <= 2 && ResponseCode() == 503", true),
            ("Attempts() >= 3 || ResponseCode() != 503", false),
            ("!(Attempts() > 2)", true),
            ("IsNetworkError()", false),
            ("!IsNetworkError()", true),
        ] {
            let condition = Trigger::parse(text, TriggerSubject::Response).unwrap();
            assert_eq!(condition.holds(false, measured), expected, "{text}");
        }
        let errors = Trigger::parse("NetworkErrorRatio() > 0", TriggerSubject::Traffic).unwrap();
        assert!(!errors.holds(false, measured));
        let mut seen = 0;
        errors.each(&mut |_| seen += 1);
        assert_eq!(seen, 1);
    }
}
