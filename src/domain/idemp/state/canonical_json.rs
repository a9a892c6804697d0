//! The canonical form of a JSON document (RFC 8785, JCS): what clients in any language agree on.
//!
//! `serde_json` reads, `serde_json_canonicalizer` writes (members sorted by UTF-16 code units,
//! numbers as ECMAScript prints them). Between the two is a reader of our own, since `serde_json`
//! lets the last of several members of the same name win, where the RFC (by I-JSON, RFC 7493)
//! allows none.

use crate::domain::refusal::{Refusal, shown};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The canonical bytes of `text`.
///
/// `ERR` when it is not one JSON document in UTF-8, nests deeper than 127, names a member twice in
/// one object, or holds a lone surrogate or a number beyond the range of an IEEE 754 double.
pub(crate) fn canonical(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    Document
        .deserialize(&mut reader)
        .and_then(|document| reader.end().map(|()| document))
        .and_then(|document| serde_json_canonicalizer::to_vec(&document))
        .map_err(|error| Refusal::err(format!("JSON: {error}")))
}

/// Reads any value; objects without a name twice.
struct Document;

impl<'de> DeserializeSeed<'de> for Document {
    type Value = Value;

    /// `serde_json` bounds how deep this goes.
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Document)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("member '{}' stands twice", shown(name.as_bytes()))));
            }
            object.insert(name, members.next_value_seed(Document)?);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
#[path = "../tests/canonical_json.rs"]
mod tests;
