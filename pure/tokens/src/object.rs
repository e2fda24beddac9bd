//! JSON objects in which each name stands once, at every depth: of two that are alike some readers
//! take the first and some the last (RFC 7519 §4 lets them be refused), and what was verified must
//! be what all others read.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The object that this text is; none where it is no such object.
pub(crate) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Unique.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Reads a value with no name twice in it.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a name that stands twice")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self)?;
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_at_every_depth() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for (text, is_good) in [
            (r#"{"a":1,"b":{"a":[true,null,-1,1.5,"x",{}]}}"#, true),
            (r#" {"a": 1} "#, true),
            ("{}", true),
            (r#"{"a":1,"a":1}"#, false),
            // The same name in another spelling.
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"b":{"a":1,"a":2}}"#, false),
            (r#"{"b":[{"a":1,"a":2}]}"#, false),
            (r#"{"a":1} {}"#, false),
            ("[]", false),
            ("1", false),
            ("", false),
            (&*format!("{{\"a\":{deep}}}"), false),
        ] {
            let read = object(text.as_bytes());
            assert_eq!(read.is_some(), is_good, "{text}");
            // What is taken is what others read.
            let others = serde_json::from_str::<Value>(text).ok();
            assert!(read.is_none_or(|read| others == Some(Value::Object(read))), "{text}");
        }
    }
}
