//! JOBQ: the job queue.
//!
//! ```text
//! blocked → delayed → ready → active → done | dead → (retention) gone
//!                       ↑        │ FAIL with retries left: delayed by the backoff; lease ran out: ready, stalls+1
//! ```
//!
//! ```text
//! queue    the state: slab, lanes, ids           push     PUSH
//! line     the jobs that are ready, in order: lanes of those without a group and of each group, the
//!          ring of groups, turns (whose it is), aging
//! gate     what holds a queue up: pause, concurrency, rate
//! config   what can be set                       control  CONFIG, PAUSE, RESUME
//! job      one job                               pop      POP
//! effect   what is replicated                    finish   ACK, FAIL, RELEASE, EXTEND
//! apply    an effect made to happen              advance  what time has made due
//! persist  the binary form                       view     GET and STATS, as of now
//! backoff  when to try again                     batch    MPUSH, MACK, MEXTEND
//! unique   UNIQUE                                flow     AFTER
//! expire   EXPIRE and KEEP                       manage   CANCEL, REDRIVE, PURGE
//! cron     CRON SET, DEL, RUN, LIST              list     LIST, page by page
//! timetable  the schedules of a queue            runs     what they make due
//! outcome  RESULT, and waiting for it              events   the log of what has happened
//! record   where it is written, and EVENTS          series   how much has happened in each minute
//! log      what workers write down of a job      update   UPDATE
//! ```

mod advance;
mod aging;
mod apply;
mod backoff;
mod batch;
mod config;
mod control;
mod cron;
mod effect;
mod event;
mod events;
mod expire;
mod finish;
mod flow;
mod gate;
mod id;
mod ids;
mod job;
mod jobs;
mod lanes;
mod line;
mod list;
mod log;
mod manage;
mod outcome;
mod persist;
mod persist_flows;
mod pop;
mod push;
mod queue;
mod rate;
mod record;
mod ring;
mod runs;
mod series;
mod sorted;
mod timetable;
mod turns;
mod unique;
mod update;
mod view;
mod wire;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod cron_tests;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod list_cases;
#[cfg(test)]
mod masses;
#[cfg(test)]
mod model;
#[cfg(test)]
mod model_follow;
#[cfg(test)]
mod model_order;
#[cfg(test)]
mod model_schedules;
#[cfg(test)]
mod model_time;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod saving;
#[cfg(test)]
mod update_cases;
#[cfg(test)]
mod world;

pub use backoff::Backoff;
pub use batch::{Each, decide_ack_many, decide_extend_many, decide_push_many};
pub use config::{Config, MOST_RETRIES};
pub use control::{config, decide_configure, decide_pause, decide_resume};
pub use cron::{Plan, Planned, decide_plan, decide_run, decide_unplan, schedules};
pub use effect::Effect;
pub use event::Event;
pub use expire::Life;
pub use finish::{Extended, Fail, Failed, acked, decide_ack, decide_extend, decide_fail, decide_release};
pub use flow::{Flow, OnDead};
pub use gate::{Hindrance, Pause};
pub use id::Id;
pub use job::{Head, Job, State};
pub use list::{Cursor, List, Page, list};
pub use log::{LONGEST_LINE, decide_log};
pub use manage::{Cancelled, Moved, Redrive, decide_cancel, decide_purge, decide_redrive};
pub use outcome::{Outcome, Waited, outcome, outcome_of};
pub use pop::{Pop, Popped, PoppedJobs, decide_pop};
pub use push::{After, Due, OnDup, Push, Pushed, UniqueKey, decide_push, pushed};
pub use queue::{Queue, Totals};
pub use record::{EventView, NEXT_EVENT, events, last_minute, series};
pub use series::{COLUMNS, MOST_MINUTES, Minute};
pub use timetable::{CatchUp, Entry, LONGEST_SCHEDULE, Run};
pub use unique::{Role, Unique, Until};
pub use update::{Update, decide_update};
pub use view::{JobView, Stats, job, stats};

/// The longest name of a group.
pub const LONGEST_NAME: usize = 128;
/// A POP stops at this many bytes of payload, though never before its first job: one reply must not
/// hold the server's thread.
pub const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// The most jobs that one waits for.
pub const MOST_AFTER: usize = 1_000;
/// The most jobs of one POP.
pub const MOST_AT_ONCE: usize = 1_000;
