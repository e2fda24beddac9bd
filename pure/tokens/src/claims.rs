//! What a token says of its bearer.

use std::borrow::Cow;

use serde_json::{Map, Value};
use steelyard_model::routing::claims::{ClaimPath, ClaimRule, ClaimTest};

use crate::fault::TokenFault;

/// Seconds that clocks may differ.
pub(crate) const LEEWAY: i64 = 60;

/// A claim that no header line can say: who reads it would take it for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untellable;

/// What a token says of its bearer: members of a JSON object (RFC 7519 §4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(pub(crate) Map<String, Value>);

impl Claims {
    /// Whether they are as is demanded.
    pub fn meet(&self, rule: &ClaimRule) -> bool {
        match rule {
            ClaimRule::All(rules) => rules.iter().all(|rule| self.meet(rule)),
            ClaimRule::Any(rules) => rules.iter().any(|rule| self.meet(rule)),
            ClaimRule::Not(rule) => !self.meet(rule),
            ClaimRule::Claim(path, test) => self.at(path).is_some_and(|claim| passes(claim, test)),
        }
    }

    /// A claim as text: a list as its elements with commas between, an object as JSON.
    pub fn text(&self, path: &ClaimPath) -> Option<Cow<'_, str>> {
        match self.at(path)? {
            Value::Array(elements) => {
                let texts: Vec<Cow<'_, str>> = elements.iter().filter_map(text).collect();
                Some(texts.join(",").into())
            }
            object @ Value::Object(_) => Some(object.to_string().into()),
            scalar => text(scalar),
        }
    }

    /// A claim as the value of a header line, which is read as a list of what stands between
    /// commas.
    ///
    /// # Errors
    /// When it is a list with an element that would be read as another one, or as several.
    pub fn line(&self, path: &ClaimPath) -> Result<Option<Cow<'_, str>>, Untellable> {
        let is_another = |element: &Value| {
            text(element).is_some_and(|text| text.contains(',') || text.trim() != text)
        };
        match self.at(path) {
            Some(Value::Array(elements)) if elements.iter().any(is_another) => Err(Untellable),
            _ => Ok(self.text(path)),
        }
    }

    /// Whether it is their time, in seconds since 1970; clocks may differ by a minute.
    ///
    /// # Errors
    /// When it is not, or when it is cannot be told.
    pub fn are_in_time(&self, now: i64) -> Result<(), TokenFault> {
        let time = |name: &str| self.time(name).map_err(|()| TokenFault::Timeless);
        if time("exp")?.is_some_and(|end| now >= end.saturating_add(LEEWAY)) {
            return Err(TokenFault::Expired);
        }
        if time("nbf")?.is_some_and(|begin| now < begin.saturating_sub(LEEWAY)) {
            return Err(TokenFault::Early);
        }
        Ok(())
    }

    /// Seconds since 1970 of a claim that says a time (RFC 7519 §2, `NumericDate`); fractions are
    /// cut off.
    ///
    /// # Errors
    /// When it says no time.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, ()> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                let whole = number.as_i64().or_else(|| seconds(number.as_f64()?));
                whole.map(Some).ok_or(())
            }
            Some(_) => Err(()),
        }
    }

    fn at(&self, path: &ClaimPath) -> Option<&Value> {
        let mut names = path.names();
        let outermost = self.0.get(names.next()?)?;
        names.try_fold(outermost, |claim, name| claim.get(name))
    }
}

fn seconds(time: f64) -> Option<i64> {
    let is_sound = time.is_finite() && (0.0..1e15).contains(&time);
    #[expect(clippy::cast_possible_truncation, reason = "cut off on purpose, within bounds")]
    is_sound.then_some(time as i64)
}

fn text(scalar: &Value) -> Option<Cow<'_, str>> {
    match scalar {
        Value::String(text) => Some(text.into()),
        Value::Bool(_) | Value::Number(_) => Some(scalar.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn passes(claim: &Value, test: &ClaimTest) -> bool {
    let is = |claim: &Value, wanted: &str| text(claim).is_some_and(|text| text == wanted);
    match test {
        ClaimTest::Equals(wanted) => is(claim, wanted),
        ClaimTest::Prefix(prefix) => text(claim).is_some_and(|text| text.starts_with(&**prefix)),
        ClaimTest::Contains(wanted) => match claim {
            Value::Array(elements) => elements.iter().any(|element| is(element, wanted)),
            scalar => text(scalar).is_some_and(|text| {
                *text == **wanted || text.split_whitespace().any(|word| *word == **wanted)
            }),
        },
        ClaimTest::SplitContains(separator, wanted) => match claim {
            Value::String(text) if !separator.is_empty() => {
                text.split(&**separator).any(|part| part == &**wanted)
            }
            _ => false,
        },
        ClaimTest::OneOf(wanted) => match claim {
            Value::Array(elements) => {
                elements.iter().any(|element| wanted.iter().any(|it| is(element, it)))
            }
            scalar => wanted.iter().any(|it| is(scalar, it)),
        },
    }
}
