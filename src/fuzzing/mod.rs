//! The decoders and parsers that take bytes from outside, for fuzz targets (feature `fuzzing`).
//!
//! Each function takes any bytes. It panics where what it tries breaks its own promise: what was
//! accepted must encode to what it was decoded from, and must load again; a schedule goes on; a
//! canonical form is its own. Unit tests try the same with a bounded number of bytes, which are
//! random, or sound ones with something wrong in them.

mod commands;
mod decoders;
mod texts;

pub use commands::command;
pub use decoders::{Kind, effect, value};
pub use texts::{json, limit, schedule};
