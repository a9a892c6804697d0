//! Replies of RESP2, read as they come in, each value once.
//!
//! A POP of a thousand jobs is ten thousand values. The client library takes about as long for one
//! of them as the server takes for a whole job, so the connection that takes jobs reads its replies
//! here.

use std::fmt;

use redis::Value;

/// How deep arrays may lie in one another.
const MOST_LEVELS: usize = 16;

/// The longest string that a server sends.
const MOST_BYTES: usize = 512 << 20;

/// The most items that room is made for before they come.
const MOST_ROOM: usize = 1_024;

/// What no server sends. The connection is of no more use.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server sent {}", self.0)
    }
}

/// Bytes that have come, and the arrays of which a part has.
#[derive(Debug, Default)]
pub struct ReplyReader {
    pub bytes: Vec<u8>,
    read: usize,
    open: Vec<Open>,
}

/// An array that is not complete.
#[derive(Debug)]
struct Open {
    items: Vec<Value>,
    left: usize,
}

/// What one line begins.
enum Token {
    Value(Value),
    Array(usize),
}

impl ReplyReader {
    /// The next whole reply; None when more bytes are needed.
    pub fn next(&mut self) -> Result<Option<Value>, Broken> {
        loop {
            let Some(token) = self.token()? else {
                self.bytes.drain(..self.read);
                self.read = 0;
                return Ok(None);
            };
            let mut value = match token {
                Token::Array(left @ 1..) if self.open.len() < MOST_LEVELS => {
                    self.open.push(Open { items: Vec::with_capacity(left.min(MOST_ROOM)), left });
                    continue;
                }
                Token::Array(0) => Value::Array(Vec::new()),
                Token::Array(_) => return Err(broken("arrays too deep in one another")),
                Token::Value(value) => value,
            };
            loop {
                let Some(mut open) = self.open.pop() else { return Ok(Some(value)) };
                open.items.push(value);
                open.left -= 1;
                if open.left > 0 {
                    self.open.push(open);
                    break;
                }
                value = Value::Array(open.items);
            }
        }
    }

    /// A line, with the string behind it where it announces one.
    fn token(&mut self) -> Result<Option<Token>, Broken> {
        let rest = &self.bytes[self.read..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\r') else { return Ok(None) };
        if rest.len() < end + 2 {
            return Ok(None);
        }
        let line = &rest[1.min(end)..end];
        let mut length = end + 2;
        let token = match rest[0] {
            b':' => Token::Value(Value::Int(integer(line)?)),
            b'$' => match usize::try_from(integer(line)?) {
                Ok(count) if count <= MOST_BYTES => {
                    let Some(text) = rest.get(length..length + count) else { return Ok(None) };
                    if rest.len() < length + count + 2 {
                        return Ok(None);
                    }
                    length += count + 2;
                    Token::Value(Value::BulkString(text.to_vec()))
                }
                Ok(_) => return Err(broken("a string too long")),
                Err(_) => Token::Value(Value::Nil),
            },
            b'*' => match usize::try_from(integer(line)?) {
                Ok(count) => Token::Array(count),
                Err(_) => Token::Value(Value::Nil),
            },
            b'+' | b'-' => {
                // Few: the client library knows what each error means.
                let value = redis::parse_redis_value(&rest[..length]);
                Token::Value(value.map_err(|error| broken(&error.to_string()))?)
            }
            _ => return Err(broken("a type of reply that RESP2 does not have")),
        };
        self.read += length;
        Ok(Some(token))
    }
}

fn integer(line: &[u8]) -> Result<i64, Broken> {
    let (negative, digits) = match line {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut number = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        let next = number.checked_mul(10).and_then(|number| number.checked_sub(i64::from(digit)));
        number = next.filter(|_| digit < 10).ok_or_else(|| broken("a number that is none"))?;
    }
    let number = if negative { Some(number) } else { number.checked_neg() };
    number.filter(|_| !digits.is_empty()).ok_or_else(|| broken("a number that is none"))
}

fn broken(what: &str) -> Broken {
    Broken(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Int),
            Just(Value::Nil),
            Just(Value::Okay),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::BulkString),
            prop::collection::vec(Just(b'\r'), 0..4).prop_map(Value::BulkString),
        ];
        leaf.prop_recursive(4, 60, 8, |inner| prop::collection::vec(inner, 0..8).prop_map(Value::Array))
    }

    fn written(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Int(number) => out.extend(format!(":{number}\r\n").bytes()),
            Value::Nil => out.extend(b"$-1\r\n"),
            Value::Okay => out.extend(b"+OK\r\n"),
            Value::BulkString(bytes) => {
                out.extend(format!("${}\r\n", bytes.len()).bytes());
                out.extend(bytes);
                out.extend(b"\r\n");
            }
            Value::Array(items) => {
                out.extend(format!("*{}\r\n", items.len()).bytes());
                items.iter().for_each(|item| written(item, out));
            }
            other => panic!("{other:?} is not written"),
        }
    }

    proptest! {
        #[test]
        fn replies_are_those_that_were_sent_wherever_they_are_cut(
            values in prop::collection::vec(value(), 1..6),
            cuts in prop::collection::vec(1usize..60, 1..40),
        ) {
            let mut wire = Vec::new();
            values.iter().for_each(|value| written(value, &mut wire));
            let mut reader = ReplyReader::default();
            let mut read = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let (part, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                reader.bytes.extend_from_slice(part);
                rest = later;
                while let Some(value) = reader.next().unwrap() {
                    read.push(value);
                }
            }
            prop_assert_eq!(read, values);
        }

        #[test]
        fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = ReplyReader { bytes, ..ReplyReader::default() };
            while let Ok(Some(_)) = reader.next() {}
        }

        #[test]
        fn it_reads_as_the_client_library_does(bytes in "[-+:$*0-9a-c\r\n ]{0,40}") {
            if let Ok(value) = redis::parse_redis_value(bytes.as_bytes()) {
                let plain = |value: &Value| matches!(value, Value::Int(_) | Value::Nil | Value::BulkString(_));
                let mut reader = ReplyReader { bytes: bytes.clone().into_bytes(), ..ReplyReader::default() };
                if plain(&value) && !bytes.contains(' ') && !bytes.contains('+') {
                    prop_assert_eq!(reader.next().unwrap(), Some(value));
                }
            }
        }
    }

    #[test]
    fn numbers_at_their_bounds_are_read_and_others_refused() {
        for number in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(integer(number.to_string().as_bytes()), Ok(number));
        }
        for text in ["", "-", "9223372036854775808", "-9223372036854775809", "1a", "--1", " 1"] {
            assert!(integer(text.as_bytes()).is_err(), "{text}");
        }
    }
}
