//! Replies as JSON.

use redis::Value;
use serde_json::{Map, Value as Json, json};

/// Maps are objects and bulk strings text. Bytes that are no UTF-8 are shown with escapes.
pub fn of(value: &Value) -> Json {
    match value {
        Value::Int(number) => json!(number),
        Value::Double(number) => json!(number),
        Value::Boolean(yes) => json!(yes),
        Value::BulkString(bytes) => json!(shown(bytes)),
        Value::SimpleString(text) => json!(text),
        Value::VerbatimString { text, .. } => json!(text),
        Value::Okay => json!("OK"),
        Value::Array(items) | Value::Set(items) => items.iter().map(of).collect(),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(name, value)| (of(name), of(value)));
            let named = pairs.map(|(name, value)| match name {
                Json::String(name) => (name, value),
                other => (other.to_string(), value),
            });
            Json::Object(named.collect::<Map<_, _>>())
        }
        _ => Json::Null,
    }
}

pub fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_objects_and_any_bytes_can_be_shown() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let map = Value::Map(vec![
            (text("ready"), Value::Int(1)),
            (text("name"), Value::BulkString(vec![0xff])),
            (text("rate"), Value::Double(0.5)),
            (text("none"), Value::Nil),
        ]);
        assert_eq!(of(&map), json!({"ready": 1, "name": "\\xff", "rate": 0.5, "none": null}));
        assert_eq!(of(&Value::Array(vec![text("a")])), json!(["a"]));
    }
}
