//! What a test wants of a reply: exact values, and ranges where time or a token decides.

use std::fmt;
use std::ops::RangeInclusive;

use super::reply::Reply;

/// Fits a reply or not. Written with [`nil`], [`status`], [`token`], [`within`], `list!` and plain
/// values.
pub enum Want {
    Exactly(Reply),
    List(Vec<Want>),
    Within(RangeInclusive<i64>),
    Text(String),
    Any,
    Some,
}

/// A null.
pub fn nil() -> Want {
    Want::Exactly(Reply::Nil)
}

/// A simple string such as `OK`.
pub fn status(text: &str) -> Want {
    Want::Exactly(Reply::Status(text.to_owned()))
}

/// A string of either kind.
pub fn text(text: &str) -> Want {
    Want::Text(text.to_owned())
}

/// A fencing token: above 0, below 2^53.
pub fn token() -> Want {
    Want::Within(1..=(1 << 53) - 1)
}

/// An integer in a range.
pub fn within(range: RangeInclusive<i64>) -> Want {
    Want::Within(range)
}

/// Whatever it is.
pub fn any() -> Want {
    Want::Any
}

pub fn anything_but_nil() -> Want {
    Want::Some
}

impl Want {
    pub fn fits(&self, reply: &Reply) -> bool {
        match (self, reply) {
            (Want::Any, _) => true,
            (Want::Some, reply) => *reply != Reply::Nil,
            (Want::Exactly(want), reply) => want == reply,
            (Want::Within(range), Reply::Int(value)) => range.contains(value),
            (Want::Text(want), Reply::Bulk(value)) => want.as_bytes() == value,
            (Want::Text(want), Reply::Status(value)) => want == value,
            (Want::List(want), Reply::Array(items)) => {
                want.len() == items.len() && want.iter().zip(items).all(|(want, item)| want.fits(item))
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Want::Exactly(reply) => write!(f, "{reply:?}"),
            Want::List(items) => f.debug_list().entries(items).finish(),
            Want::Within(range) => write!(f, "{range:?}"),
            Want::Text(text) => write!(f, "\"{text}\""),
            Want::Any => write!(f, "_"),
            Want::Some => write!(f, "not nil"),
        }
    }
}

impl From<Reply> for Want {
    fn from(reply: Reply) -> Self {
        Want::Exactly(reply)
    }
}

impl From<&Reply> for Want {
    fn from(reply: &Reply) -> Self {
        Want::Exactly(reply.clone())
    }
}

impl From<i64> for Want {
    fn from(value: i64) -> Self {
        Want::Exactly(Reply::Int(value))
    }
}

impl From<i32> for Want {
    fn from(value: i32) -> Self {
        Want::from(i64::from(value))
    }
}

impl From<&str> for Want {
    fn from(value: &str) -> Self {
        Want::from(value.as_bytes())
    }
}

impl From<&[u8]> for Want {
    fn from(value: &[u8]) -> Self {
        Want::Exactly(Reply::Bulk(value.to_vec()))
    }
}

impl<const N: usize> From<&[u8; N]> for Want {
    fn from(value: &[u8; N]) -> Self {
        Want::from(value.as_slice())
    }
}
