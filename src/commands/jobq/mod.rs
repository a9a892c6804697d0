//! JOBQ: the job queue. One file for each group of commands.

mod control;
mod cron;
mod events;
mod list;
mod manage;
mod pop;
mod push;
mod push_many;
mod queues;
pub mod register;
mod result;
mod settle;
mod update;
mod view;

pub use control::{ConfigGet, ConfigSet, Pause, Resume};
pub use cron::{CronDelete, CronList, CronRun, CronSet};
pub use events::Events;
pub use list::List;
pub use manage::{Cancel, Purge, Redrive};
pub use pop::Pop;
pub use push::Push;
pub use push_many::PushMany;
pub use queues::Queues;
pub use result::Outcome;
pub use settle::{Ack, AckMany, Extend, ExtendMany, Fail, Log, Release};
pub use update::Update;
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

pub(super) fn state_name(state: State) -> &'static CStr {
    match state {
        State::Ready => c"ready",
        State::Delayed => c"delayed",
        State::Active => c"active",
        State::Done => c"done",
        State::Dead => c"dead",
        State::Blocked => c"blocked",
    }
}

fn state_named(given: &[u8]) -> Option<State> {
    State::ALL.into_iter().find(|state| given.eq_ignore_ascii_case(state_name(*state).to_bytes()))
}
