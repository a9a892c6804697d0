//! Floor 1: what the commands decide. Pure: no server, no clock, no I/O, no `unsafe`.
//!
//! Every family is one state machine with the same shape:
//!
//! ```text
//! decide(&state, request, now, &tokens) -> Result<Decision { reply, effect: Option<Effect> }, Refusal>
//! apply(&mut state, &effect)                                      (total, no clock, no chance)
//! view(&state, now) -> reply                                      (for read-only commands)
//! ```
//!
//! The primary decides and applies; replicas and the AOF loader only apply.

pub mod bounds;
pub mod breaker;
pub mod cache;
pub mod codec;
pub mod cron;
pub mod decision;
pub mod idemp;
pub mod jobq;
pub mod number;
pub mod ratelimit;
pub mod refusal;
pub mod table;
pub mod time;
pub mod token;
pub mod value;
pub mod zone;
