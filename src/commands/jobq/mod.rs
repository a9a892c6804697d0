//! JOBQ: the job queue. One file for each group of commands.

mod manage;
mod pop;
mod push;
mod settle;
mod view;

pub use manage::{Cancel, Purge, Redrive};
pub use pop::Pop;
pub use push::{Push, PushMany};
pub use settle::{Ack, AckMany, Extend, ExtendMany, Fail, Release};
pub use view::{Get, Stats};

use std::ffi::CStr;

use super::arguments::{Words, within_size};
use super::settings::JOBQ_MAX_RESULT;
use crate::domain::jobq::State;
use crate::domain::refusal::Refusal;

/// A result, error or note.
fn small<'a>(what: &str, words: &mut Words<'a>) -> Result<&'a [u8], Refusal> {
    within_size(what, words.word(what)?, JOBQ_MAX_RESULT.get(), "")
}

fn state_name(state: State) -> &'static CStr {
    match state {
        State::Ready => c"ready",
        State::Delayed => c"delayed",
        State::Active => c"active",
        State::Done => c"done",
        State::Dead => c"dead",
    }
}
