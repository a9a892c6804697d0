//! JOBQ: the job queue. One file for each group of commands.

pub(crate) mod admin;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod group;
pub(crate) mod list;
mod moved_queues;
pub(crate) mod mpush;
pub(crate) mod pop;
pub(crate) mod push;
pub(crate) mod queue_registry;
pub(crate) mod queues;
pub(crate) mod result;
pub(crate) mod schedule;
pub(crate) mod sealed_name;
pub(crate) mod settings;
pub(crate) mod settle;
pub(crate) mod stats;
pub(crate) mod update;
pub(crate) mod value_type;

pub use admin::{Cancel, Purge, Redrive};
pub use events::Events;
pub use get::Get;
pub use group::{GroupGet, GroupList, GroupSet};
pub use list::List;
pub use mpush::PushMany;
pub use pop::command::Pop;
pub use push::Push;
pub use queues::Queues;
pub use result::GetResult;
pub use schedule::{CronDelete, CronList, CronRun, CronSet};
pub use settings::{ConfigGet, ConfigSet, Pause, Resume};
pub use settle::{Ack, AckMany, Extend, ExtendMany, Fail, Log, Release};
pub use stats::Stats;
pub use update::Update;

use std::ffi::CStr;

use super::args::{ArgReader, within_size};
use crate::domain::jobq::{Glob, MAX_GLOB_BYTES, MAX_KIND_BYTES, State};
use crate::domain::refusal::Refusal;
use crate::runtime::settings::JOBQ_MAX_RESULT;

/// A result, error or note.
fn parse_small<'a>(what: &str, words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    within_size(what, words.next_arg(what)?, JOBQ_MAX_RESULT.get(), "")
}

/// The KIND of a failure.
fn parse_kind<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    words.id_of("KIND", MAX_KIND_BYTES)
}

/// A pattern for the texts of errors.
fn parse_error_glob(words: &mut ArgReader<'_>) -> Result<Glob, Refusal> {
    Ok(Glob::new(within_size("ERROR", words.next_arg("ERROR")?, MAX_GLOB_BYTES as i64, "")?))
}

pub(crate) fn state_name(state: State) -> &'static CStr {
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
