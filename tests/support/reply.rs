//! What a server answers, with the types of RESP2 and RESP3 kept apart.

use std::fmt;

use super::expectation::Want;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    /// A null, of either protocol and of any kind.
    Nil,
    Int(i64),
    /// A simple string such as `OK`.
    Status(String),
    Error(String),
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    /// RESP3 only.
    Map(Vec<(Reply, Reply)>),
    /// Doubles, booleans and big numbers of RESP3, as written on the wire.
    Other(String),
}

impl Reply {
    /// Checks the reply and gives it back, to take a token out of it.
    #[track_caller]
    pub fn is(self, want: impl Into<Want>) -> Self {
        let want = want.into();
        assert!(want.fits(&self), "\n  wanted: {want:?}\n     got: {self:?}");
        self
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// The item of an array.
    #[track_caller]
    pub fn at(&self, index: usize) -> &Reply {
        let Reply::Array(items) = self else { panic!("not an array: {self:?}") };
        items.get(index).unwrap_or_else(|| panic!("no item {index} in {self:?}"))
    }

    #[track_caller]
    pub fn items(&self) -> &[Reply] {
        let Reply::Array(items) = self else { panic!("not an array: {self:?}") };
        items
    }

    #[track_caller]
    pub fn int(&self) -> i64 {
        let Reply::Int(value) = self else { panic!("not an integer: {self:?}") };
        *value
    }

    #[track_caller]
    pub fn bytes(&self) -> &[u8] {
        let Reply::Bulk(value) = self else { panic!("not a bulk string: {self:?}") };
        value
    }

    /// The text of a bulk or simple string.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Reply::Bulk(value) => String::from_utf8_lossy(value).into_owned(),
            Reply::Status(value) | Reply::Error(value) => value.clone(),
            _ => panic!("not a string: {self:?}"),
        }
    }

    /// The value of a field of a map, which is a flat array on RESP2.
    #[track_caller]
    pub fn field(&self, name: &str) -> &Reply {
        self.fields()
            .into_iter()
            .find(|(field, _)| field.text().eq_ignore_ascii_case(name))
            .unwrap_or_else(|| panic!("no field '{name}' in {self:?}"))
            .1
    }

    /// All fields of a map, which is a flat array on RESP2.
    #[track_caller]
    pub fn fields(&self) -> Vec<(&Reply, &Reply)> {
        match self {
            Reply::Map(pairs) => pairs.iter().map(|(field, value)| (field, value)).collect(),
            Reply::Array(items) if items.len().is_multiple_of(2) => {
                items.chunks(2).map(|pair| (&pair[0], &pair[1])).collect()
            }
            _ => panic!("not a map: {self:?}"),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Nil => write!(f, "nil"),
            Reply::Int(value) => write!(f, "{value}"),
            Reply::Status(value) => write!(f, "{value}"),
            Reply::Error(value) => write!(f, "-{value}"),
            Reply::Bulk(value) => write!(f, "\"{}\"", value[..value.len().min(200)].escape_ascii()),
            Reply::Array(items) => f.debug_list().entries(items).finish(),
            Reply::Map(pairs) => f.debug_map().entries(pairs.iter().map(|(k, v)| (k, v))).finish(),
            Reply::Other(value) => write!(f, "{value}"),
        }
    }
}

/// Reads one reply off the front of `wire`: the reply and its length, or nothing when it is not
/// whole yet.
pub fn decode(wire: &[u8]) -> Option<(Reply, usize)> {
    let end = wire.windows(2).position(|pair| pair == b"\r\n")?;
    let line = String::from_utf8_lossy(&wire[1..end]).into_owned();
    let mut at = end + 2;
    let reply = match wire[0] {
        b'+' => Reply::Status(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Int(line.parse().expect("an integer on the wire")),
        b'_' => Reply::Nil,
        b',' | b'#' | b'(' => Reply::Other(line),
        b'$' | b'=' | b'!' => match length(&line) {
            None => Reply::Nil,
            Some(size) => {
                let body = wire.get(at..at + size + 2)?;
                at += size + 2;
                let body = &body[..size];
                match wire[0] {
                    b'!' => Reply::Error(String::from_utf8_lossy(body).into_owned()),
                    // A verbatim string begins with its three-letter format and a colon.
                    b'=' => Reply::Bulk(body[4..].to_vec()),
                    _ => Reply::Bulk(body.to_vec()),
                }
            }
        },
        b'*' | b'~' | b'>' => match length(&line) {
            None => Reply::Nil,
            Some(count) => {
                let mut items = Vec::new();
                for _ in 0..count {
                    let (item, size) = decode(&wire[at..])?;
                    at += size;
                    items.push(item);
                }
                Reply::Array(items)
            }
        },
        b'%' => {
            let mut pairs = Vec::new();
            for _ in 0..length(&line).expect("a map has a length") {
                let (field, size) = decode(wire.get(at..)?)?;
                at += size;
                let (value, size) = decode(wire.get(at..)?)?;
                at += size;
                pairs.push((field, value));
            }
            Reply::Map(pairs)
        }
        other => panic!("no RESP type begins with '{}': {line}", other.escape_ascii()),
    };
    Some((reply, at))
}

/// A length on the wire; -1 is a null.
fn length(line: &str) -> Option<usize> {
    let length: i64 = line.parse().unwrap_or_else(|_| panic!("not a length: {line}"));
    usize::try_from(length).ok()
}
