//! JOBQ: the job queue.
//!
//! ```text
//! blocked → delayed → ready → active → done | dead → (retention) gone
//!                       ↑        │ FAIL with retries left: delayed by the backoff; lease ran out: ready, stalls+1
//! ```
//!
//! ```text
//! state/     the parts of a queue: jobs, settings, keys, dependencies, schedules
//! ready/     the ready queue: priorities, groups, the order in which POP serves them
//! history/   EVENTS and the counts of each minute
//! queue/     the queue and everything that changes it
//! decide/    one file a command group: what it answers and which change it makes
//! effect     the changes, as data; encoding/ is their binary form and that of a saved queue
//! view/      read-only answers: GET, STATS, LIST, RESULT, EVENTS
//! value      what the server needs of a value: apply, save, load, memory
//! ```

pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod encoding;
pub(crate) mod history;
pub(crate) mod queue;
pub(crate) mod ready;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;
pub(crate) mod view;

pub use crate::domain::jobq::decide::log::decide_log;
pub use crate::domain::jobq::history::duration_histogram::{BOUNDS_MS, BUCKETS, DurationHistogram};
pub use crate::domain::jobq::queue::Queue;
pub use crate::domain::jobq::queue::admission::BlockedBy;
pub use crate::domain::jobq::state::dependencies::OnDead;
pub use crate::domain::jobq::state::job_log::MAX_LOG_LINE_BYTES;
pub use crate::domain::jobq::state::pause::Pause;
pub use crate::domain::jobq::state::unique_keys::Until;
pub use crate::domain::jobq::view::events::{EventView, NEXT_EVENT, events, last_minute, series};
pub use decide::admin::{Cancelled, Moved, Purge, Redrive, decide_cancel, decide_purge, decide_redrive};
pub use decide::batch::{BatchResult, decide_ack_many, decide_extend_many, decide_push_many};
pub use decide::group::{decide_pause_group, decide_resume_group, decide_set_group};
pub use decide::pop::{
    Pop, PopRate, Popped, PoppedJobs, can_pop, decide_pop, decide_pop_at_rate, next_pop_due,
};
pub use decide::push::{After, Due, OnDup, Push, Pushed, UniqueKey, decide_push, push_effect};
pub use decide::rate_charge::{SettleRate, decide_end_at_rate};
pub use decide::schedule::{
    ScheduleView, SetSchedule, decide_delete_schedule, decide_run_schedule, decide_set_schedule, schedules,
};
pub use decide::settings::{config, decide_configure, decide_pause, decide_resume};
pub use decide::settle::{
    Extended, Fail, ack_effect, decide_ack, decide_extend, decide_fail, decide_release,
};
pub use decide::update::{AddedParents, Update, decide_update};
pub use effect::Effect;
pub use history::event::Event;
pub use history::minute_counts::{COLUMNS, MAX_MINUTES, Minute};
pub use state::backoff::Backoff;
pub use state::config::{Config, MAX_RETRIES};
pub use state::job_header::State;
pub use state::schedules::{CatchUp, MAX_SCHEDULE_NAME_BYTES, RunBounds};
pub use view::breakdown::{BreakdownBy, BreakdownView, stats_by};
pub use view::filter::JobFilter;
pub use view::glob::{Glob, MAX_GLOB_BYTES};
pub use view::groups::{GroupView, group, groups};
pub use view::job_and_stats::{JobView, job, stats};
pub use view::list::{Cursor, List, list};
pub use view::result::{JobRef, job_result, result_of};

/// An ERROR is cut to this many bytes, at the end of a character.
pub const MAX_ERROR_BYTES: usize = 4 * 1024;
/// The most jobs, or runs of a group, that may be under way.
pub const MAX_CONCURRENCY: u32 = 1_000_000;
/// The longest KIND of a failure.
pub const MAX_KIND_BYTES: usize = 64;
/// The longest name of a group.
pub const MAX_NAME_BYTES: usize = 128;
/// A POP stops at this many bytes of payload, though never before its first job: one reply must not
/// hold the server's thread.
pub const MAX_REPLY_BYTES: usize = 4 * 1024 * 1024;
/// The most jobs that one call makes a job wait for.
pub const MAX_AFTER: usize = 1_000;
/// The most jobs that one waits for.
pub const MAX_PARENTS: usize = 10_000;
/// The most jobs of groups that one POP takes. Most of them belong to different groups, and finding
/// a group costs time that the server's thread cannot spare.
pub(crate) const MAX_GROUPED_JOBS: usize = 250;
/// The most jobs of one POP.
pub const MAX_JOBS_PER_CALL: usize = 1_000;
