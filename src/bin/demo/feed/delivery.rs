//! One delivery: a line of NDJSON as a front end would have got it over HTTP.
//!
//! `{"id": …, "topic": …, "sender": …, "body": …}`. Id, topic and sender are text. The body is any
//! bytes: a JSON string whose escapes are resolved (`\u0000` is a NUL byte) and whose raw bytes are
//! taken as they are, valid UTF-8 or not, as a mail in Latin-1 would bring them. A body that is a
//! JSON object or array itself is taken for its own compact text.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// The largest body a front end takes, in bytes: a queue's `max_payload` less room for the head.
const LARGEST_BODY: usize = 1_000_000;

/// The longest id, topic or sender, in bytes.
const LONGEST_NAME: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: String,
    pub topic: String,
    pub sender: String,
    pub body: Vec<u8>,
}

/// Why a line is not a delivery; a front end would answer 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

#[derive(Deserialize)]
struct Line {
    id: String,
    topic: String,
    sender: String,
    body: Bytes,
}

#[derive(Deserialize)]
struct LineOfJson {
    id: String,
    topic: String,
    sender: String,
    body: serde_json::Value,
}

impl Delivery {
    /// Reads one line.
    pub fn read(line: &[u8]) -> Result<Self, Malformed> {
        let delivery = match serde_json::from_slice(line) {
            Ok(Line { id, topic, sender, body: Bytes(body) }) => Delivery { id, topic, sender, body },
            Err(error) => match serde_json::from_slice(line) {
                Ok(LineOfJson {
                    id,
                    topic,
                    sender,
                    body: body @ (serde_json::Value::Object(_) | serde_json::Value::Array(_)),
                }) => Delivery { id, topic, sender, body: body.to_string().into_bytes() },
                _ => return Err(Malformed(error.to_string())),
            },
        };
        delivery.check()
    }

    fn check(self) -> Result<Self, Malformed> {
        for (what, text) in [("id", &self.id), ("topic", &self.topic), ("sender", &self.sender)] {
            if text.is_empty() || text.len() > LONGEST_NAME {
                return Err(Malformed(format!("{what}: expected 1 to {LONGEST_NAME} bytes")));
            }
            if text.chars().any(char::is_control) {
                return Err(Malformed(format!("{what}: holds a control character")));
            }
        }
        if self.id.starts_with('#') {
            return Err(Malformed("id: '#' begins the ids that a queue gives itself".into()));
        }
        if self.body.len() > LARGEST_BODY {
            return Err(Malformed(format!("body: more than {LARGEST_BODY} bytes")));
        }
        Ok(self)
    }

    /// What is fingerprinted and queued: a head of two lines, an empty line, and the body's bytes.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = format!("topic: {}\nsender: {}\n\n", self.topic, self.sender).into_bytes();
        payload.extend_from_slice(&self.body);
        payload
    }

    /// The sender in the head of a payload.
    pub fn sender_of(payload: &[u8]) -> Option<&str> {
        payload
            .split(|byte| *byte == b'\n')
            .take_while(|line| !line.is_empty())
            .find_map(|line| std::str::from_utf8(line).ok()?.strip_prefix("sender: "))
    }

    /// The line, without its line break. Reading it gives the same delivery.
    pub fn write(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.body.len() + 128);
        for (lead, text) in [
            (r#"{"id":"#, self.id.as_bytes()),
            (r#","topic":"#, self.topic.as_bytes()),
            (r#","sender":"#, self.sender.as_bytes()),
            (r#","body":"#, &self.body),
        ] {
            line.extend_from_slice(lead.as_bytes());
            write_string(&mut line, text);
        }
        line.push(b'}');
        line
    }
}

/// A JSON string, but except that bytes that are not UTF-8 are written as they are.
fn write_string(line: &mut Vec<u8>, bytes: &[u8]) {
    line.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            0..0x20 => line.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => line.push(byte),
        }
    }
    line.push(b'"');
}

/// The bytes of a JSON string, unchecked for UTF-8.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsTheyAre;
        impl Visitor<'_> for AsTheyAre {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(AsTheyAre)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delivery(body: &[u8]) -> Delivery {
        Delivery {
            id: "d-1".into(),
            topic: "orders/paid".into(),
            sender: "shop.example".into(),
            body: body.to_vec(),
        }
    }

    proptest! {
        #[test]
        fn a_line_holds_any_body(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let delivery = delivery(&body);
            let line = delivery.write();
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(Delivery::read(&line), Ok(delivery));
        }

        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Delivery::read(&line);
        }
    }

    #[test]
    fn nul_and_bytes_that_are_not_utf8_reach_the_payload() {
        let read =
            Delivery::read(b"{\"id\":\"a\",\"topic\":\"t\",\"sender\":\"s\",\"body\":\"\\u0000\xe9\xff\"}")
                .unwrap();
        assert_eq!(read.body, b"\0\xe9\xff");
        assert_eq!(read.payload(), b"topic: t\nsender: s\n\n\0\xe9\xff");
        assert_eq!(Delivery::sender_of(&read.payload()), Some("s"));
    }

    #[test]
    fn a_body_that_is_json_stands_for_its_text() {
        let read =
            Delivery::read(br#"{"id":"a","topic":"t","sender":"s","body":{ "x" : [1, null] }}"#).unwrap();
        assert_eq!(read.body, br#"{"x":[1,null]}"#);
    }

    #[test]
    fn a_sender_in_the_body_is_not_the_sender() {
        let forged = Delivery { sender: "real".into(), ..delivery(b"sender: forged\n\n") };
        assert_eq!(Delivery::sender_of(&forged.payload()), Some("real"));
        assert_eq!(Delivery::sender_of(b"topic: t\n\nsender: forged\n"), None);
    }

    #[test]
    fn what_is_no_delivery_is_malformed() {
        for line in [
            &b""[..],
            b"not json",
            br#"{"id":"a","topic":"t","sender":"s","body":"cut"#,
            br#"{"id":"a","topic":"t","sender":"s"}"#,
            br#"{"id":7,"topic":"t","sender":"s","body":""}"#,
            br#"{"id":"","topic":"t","sender":"s","body":""}"#,
            br##"{"id":"#1","topic":"t","sender":"s","body":""}"##,
            br#"{"id":"a\u0000","topic":"t","sender":"s","body":""}"#,
            br#"{"id":"a","topic":"t","sender":"s","body":7}"#,
            b"{\"id\":\"\xff\",\"topic\":\"t\",\"sender\":\"s\",\"body\":\"\"}",
            b"[1]",
        ] {
            assert!(Delivery::read(line).is_err(), "{}", line.escape_ascii());
        }
        assert!(Delivery::read(&delivery(&vec![b'x'; LARGEST_BODY + 1]).write()).is_err());
    }
}
