//! Reads the server's replies. Used by every program that sends commands.
//!
//! States are bulk strings, and only `OK` is a simple one. Both are read as text, so that a program
//! does not depend on which of the two a command answers.

// Each program uses its own part.
#![allow(dead_code)]

use redis::Value;

/// A simple or a bulk string, as bytes.
pub fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        Value::Okay => Some(b"OK"),
        _ => None,
    }
}

/// A simple or a bulk string that is UTF-8: a state, the name of a field.
pub fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

/// Bytes, or nil. `None` when the value is neither.
pub fn bytes_or_nil(value: &Value) -> Option<Option<&[u8]>> {
    if *value == Value::Nil { Some(None) } else { bytes(value).map(Some) }
}

/// An integer.
pub fn integer(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number) } else { None }
}

/// A number, as whichever of the types a server writes it: an integer, a double, or digits in a
/// string.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        other => text(other)?.parse().ok(),
    }
}

/// Yes or no, as whichever of the types a server writes it.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Boolean(yes) => *yes,
        Value::Int(number) => *number != 0,
        other => matches!(text(other), Some("1" | "yes" | "true")),
    }
}

/// An array.
pub fn array(value: &Value) -> Option<&[Value]> {
    if let Value::Array(items) = value { Some(items) } else { None }
}

/// One field of a map, which RESP2 writes as a flat array of names and values.
pub fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map_iter()?.find_map(|(key, value)| (text(key) == Some(name)).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_a_simple_and_as_a_bulk_string() {
        assert_eq!(text(&Value::SimpleString("NEW".into())), Some("NEW"));
        assert_eq!(text(&Value::BulkString(b"NEW".to_vec())), Some("NEW"));
        assert_eq!(text(&Value::Okay), Some("OK"));
        for other in [Value::Nil, Value::Int(1), Value::Array(vec![]), Value::BulkString(vec![0xff])] {
            assert_eq!(text(&other), None, "{other:?}");
        }
    }

    #[test]
    fn numbers_and_truth_are_read_in_each_form_that_a_server_writes() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        for value in [Value::Int(2), Value::Double(2.0), text("2"), text("2.0000")] {
            assert_eq!(number(&value), Some(2.0), "{value:?}");
        }
        assert_eq!((number(&Value::Nil), number(&text("two"))), (None, None));
        for yes in [Value::Boolean(true), Value::Int(1), text("yes")] {
            assert!(is_true(&yes), "{yes:?}");
        }
        for no in [Value::Boolean(false), Value::Int(0), text("no"), Value::Nil] {
            assert!(!is_true(&no), "{no:?}");
        }
    }

    #[test]
    fn nil_is_told_from_bytes_and_from_other_values() {
        assert_eq!(bytes_or_nil(&Value::Nil), Some(None));
        assert_eq!(bytes_or_nil(&Value::BulkString(vec![0xff])), Some(Some(&[0xff][..])));
        assert_eq!(bytes_or_nil(&Value::Int(1)), None);
    }

    #[test]
    fn a_field_is_found_in_a_map_and_in_a_flat_array() {
        let name = |name: &str| Value::BulkString(name.as_bytes().to_vec());
        let flat = Value::Array(vec![name("ready"), Value::Int(1), name("dead"), Value::Int(2)]);
        let map = Value::Map(vec![(name("ready"), Value::Int(1)), (name("dead"), Value::Int(2))]);
        for reply in [flat, map] {
            assert_eq!(field(&reply, "dead").and_then(integer), Some(2));
            assert_eq!(field(&reply, "done"), None);
        }
        assert_eq!(field(&Value::Nil, "dead"), None);
    }
}
