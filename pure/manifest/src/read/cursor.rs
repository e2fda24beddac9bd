//! The deserializer: a place in the tree, and how it was reached.

mod access;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::Session;
use super::problem::{Address, Error};
use super::trail::Trail;
use crate::kinds::file::UNLESS_FALSE;
use crate::tree::{Entry, Node, Plain, Value};

use access::{Entries, Items, Words};

/// A node to deserialize.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t, 'de> {
    pub(super) session: &'t Session<'t>,
    node: &'de Node,
    pub(super) trail: &'t Trail<'t>,
    /// A value of a mapping that is no struct: null is "" where text is wanted.
    blank: bool,
}

impl<'t, 'de> Cursor<'t, 'de> {
    pub(super) fn root(session: &'t Session<'t>, node: &'de Node) -> Self {
        Cursor { session, node, trail: &Trail::Root, blank: false }
    }

    fn whole(self, low: i128, high: i128) -> Result<i128, Error> {
        let value = match self.node.scalar() {
            Some(Plain::Int(value)) => Some(value),
            Some(Plain::Float(value)) => whole(value),
            Some(Plain::Text(text)) if self.session.is_of_traefik => text.parse().ok(),
            _ => None,
        };
        value.filter(|value| (low..=high).contains(value)).ok_or_else(|| {
            if low == i128::from(i64::MIN) || high > i128::from(u32::MAX) {
                Error::wants("a whole number")
            } else {
                Error::wants(format!("a whole number from {low} to {high}"))
            }
        })
    }

    fn string(self) -> Result<&'de str, Error> {
        match self.node.scalar() {
            Some(Plain::Text(text)) => Ok(text),
            Some(Plain::Null) if self.blank => Ok(""),
            Some(Plain::Bool(value)) if self.session.is_of_traefik => {
                Ok(if value { "true" } else { "false" })
            }
            Some(_) if self.session.is_of_traefik => Ok(self.node.written().unwrap_or_default()),
            _ => Err(Error::wants("a string")),
        }
    }

    fn boolean(self) -> Option<bool> {
        match self.node.scalar()? {
            Plain::Bool(value) => Some(value),
            _ if self.session.is_of_traefik => match self.node.written()? {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a mapping with nothing in it is meant.
    fn is_empty_mapping(self) -> bool {
        self.session.is_of_traefik && self.boolean() == Some(true)
    }

    /// Whether a value that is no mapping is meant to say that there is one: `tls: true`.
    fn is_said_by_being_there(self) -> bool {
        self.session.mends && !matches!(self.node.scalar(), Some(Plain::Bool(false)))
    }

    /// What of a list is meant where a mapping is wanted: the first that it has.
    fn first_of(items: &[Node]) -> &[Entry] {
        let mappings = items.iter().filter_map(|item| match &item.resolved().value {
            Value::Map(entries) => Some(&**entries),
            _ => None,
        });
        mappings.into_iter().next().unwrap_or_default()
    }

    fn entries<V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries::new(self, entries, fields)),
            Value::Scalar { .. }
                if fields.is_some()
                    && (self.is_empty_mapping() || self.is_said_by_being_there()) =>
            {
                visitor.visit_map(Entries::new(self, &[], fields))
            }
            Value::List(items) if fields.is_some() && self.session.mends => {
                visitor.visit_map(Entries::new(self, Self::first_of(items), fields))
            }
            // Only at the root or in a list; elsewhere null was taken as absent.
            _ => Err(Error::wants("a mapping")),
        }
    }

    /// Deserializes `node`, one step below; a problem gets its place here.
    pub(super) fn below<T: DeserializeSeed<'de>>(
        self,
        node: &'de Node,
        trail: &Trail<'_>,
        blank: bool,
        seed: T,
    ) -> Result<T::Value, Error> {
        let resolved = node.resolved();
        let cursor = Cursor { session: self.session, node: resolved, trail, blank };
        seed.deserialize(cursor).map_err(|error| {
            let mut problem = error.settle(node, trail);
            self.session.settle_missing(&mut problem, resolved);
            problem.culprit.get_or_insert_with(|| Address::of(node));
            problem.into()
        })
    }
}

fn whole(value: f64) -> Option<i128> {
    // Beyond 2^53 a float is no exact number.
    let exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "an integer within 2^53")]
    exact.then_some(value as i128)
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let value = self.whole(<$type>::MIN.into(), <$type>::MAX.into())?;
            visitor.$visit(<$type>::try_from(value).expect("checked against the type's range"))
        }
    )*};
}

impl<'de> Deserializer<'de> for Cursor<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (&self.node.value, self.node.scalar()) {
            (Value::Map(_), _) => self.entries(None, visitor),
            (Value::List(_), _) => self.deserialize_seq(visitor),
            (_, None | Some(Plain::Null)) => visitor.visit_unit(),
            (_, Some(Plain::Bool(value))) => visitor.visit_bool(value),
            (_, Some(Plain::Float(value))) => visitor.visit_f64(value),
            (_, Some(Plain::Text(text))) => visitor.visit_borrowed_str(text),
            (_, Some(Plain::Int(value))) => match (u64::try_from(value), i64::try_from(value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                _ => Err(Error::wants("a whole number of 64 bits")),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.boolean().ok_or_else(|| Error::wants("a boolean"))?)
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.scalar() {
            Some(Plain::Float(value)) => visitor.visit_f64(value),
            #[allow(clippy::cast_precision_loss, reason = "a float was asked for")]
            Some(Plain::Int(value)) => visitor.visit_f64(value as f64),
            Some(Plain::Text(text)) if self.session.is_of_traefik => {
                visitor.visit_f64(text.parse().map_err(|_| Error::wants("a number"))?)
            }
            _ => Err(Error::wants("a number")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == UNLESS_FALSE && self.session.is_of_traefik && self.boolean() == Some(false) {
            return visitor.visit_none();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items::new(self, items)),
            Value::Scalar { text, .. } if self.session.is_of_traefik => {
                visitor.visit_seq(Words::of(text))
            }
            Value::Scalar { .. } | Value::Map(_) if self.session.mends => {
                visitor.visit_seq(Items::new(self, std::slice::from_ref(self.node)))
            }
            _ => Err(Error::wants("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.entries(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.entries(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let text: StrDeserializer<'_, Error> = self.string()?.into_deserializer();
        visitor.visit_enum(text)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct i128 u128 }
}
