//! What the commands decide. Pure: no server, no clock, no I/O, no `unsafe`.
//!
//! Every family is one state machine with the same shape:
//!
//! ```text
//! decide(&state, request, now, &tokens)
//!     -> Result<Decision { reply, effect: Option<Effect> }, Refusal>
//! apply(&mut state, &effect)                                      (total, no clock, no chance)
//! view(&state, now) -> reply                                      (for read-only commands)
//! ```
//!
//! The primary decides and applies; replicas and the AOF loader only apply.

pub(crate) mod breaker;
pub(crate) mod cache;
pub(crate) mod calendar;
pub(crate) mod codec;
pub(crate) mod decision;
pub(crate) mod global_state;
pub(crate) mod idemp;
pub(crate) mod integer;
pub(crate) mod jobq;
pub(crate) mod long_token;
pub(crate) mod ratelimit;
pub(crate) mod refusal;
pub(crate) mod setting;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod value;
