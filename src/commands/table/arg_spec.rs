//! Short words for writing down a command's arguments.

use crate::module_api::command::{Arg, ArgType};

const fn arg(name: &'static str, kind: ArgType) -> Arg {
    Arg { name, kind, token: None, optional: false, multiple: false, parts: &[] }
}

/// The key, always the first argument.
pub const KEY: Arg = arg("key", ArgType::Key);

/// One of the keys behind the n-th word of `Keys::AtAndBehind`, counted from 1.
pub const fn further_key(nth: u8) -> Arg {
    arg("key", ArgType::FurtherKey(nth))
}

/// Any bytes.
pub const fn text(name: &'static str) -> Arg {
    arg(name, ArgType::Text)
}

/// A whole number.
pub const fn integer(name: &'static str) -> Arg {
    arg(name, ArgType::Integer)
}

/// An option without a value: `[DEAD]`.
pub const fn flag(token: &'static str, name: &'static str) -> Arg {
    Arg { token: Some(token), ..optional(arg(name, ArgType::Token)) }
}

/// One of several words or options.
pub const fn one_of(name: &'static str, parts: &'static [Arg]) -> Arg {
    Arg { parts, ..arg(name, ArgType::OneOf) }
}

/// An option with its value: `[TTL duration]`.
pub const fn option(token: &'static str, value: Arg) -> Arg {
    Arg { token: Some(token), ..optional(value) }
}

pub const fn optional(arg: Arg) -> Arg {
    Arg { optional: true, ..arg }
}

pub const fn multiple(arg: Arg) -> Arg {
    Arg { multiple: true, ..arg }
}

/// An option with a duration, such as `30s`.
pub const fn duration(token: &'static str) -> Arg {
    option(token, text("duration"))
}
