//! PUSH: a job is added, once for each id.

use super::automatic_id;
use super::backoff::Backoff;
use super::effect::{Change, Effect, NewJob};
use super::queue::Queue;
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// When a job may first be popped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So many milliseconds after the push.
    After(u64),
    /// At this time, in Unix milliseconds; one that has passed is now.
    At(UnixMs),
}

/// A PUSH. Durations are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push<'a> {
    pub payload: &'a [u8],
    /// Chosen by the pusher: 1 to 128 bytes, not beginning with `#`.
    pub id: Option<&'a [u8]>,
    pub name: Option<&'a [u8]>,
    pub meta: Option<&'a [u8]>,
    pub due: Due,
    /// MATCH: a known id must have this payload.
    pub must_match: bool,
    /// Lower ones are served first.
    pub priority: i32,
    /// At the head of those of its priority.
    pub lifo: bool,
    pub retries: u32,
    /// `None` is the default.
    pub backoff: Option<Backoff>,
    /// `None` is as the POP says.
    pub lease: Option<u64>,
}

/// What PUSH answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    New(Box<[u8]>),
    /// The id is known: nothing was added.
    Duplicate(Box<[u8]>),
}

/// Decides a PUSH. An id is remembered for as long as its job is kept, done and dead ones included.
///
/// Refuses (`MISMATCH`), when asked to look, an id that is known with another payload.
pub fn decide_push(
    queue: Option<&Queue>,
    push: &Push<'_>,
    now: UnixMs,
) -> Result<Decision<Pushed, Effect>, Refusal> {
    if let Some(id) = push.id
        && let Some((_, known)) = queue.and_then(|queue| queue.find(id))
    {
        if push.must_match && *known.payload != *push.payload {
            let text = format!("the id '{}' is known with another payload", shown(id));
            return Err(Refusal::new(Code::Mismatch, text));
        }
        return Ok(Decision::answer(Pushed::Duplicate(id.into())));
    }
    let now = queue.map_or(now, |queue| queue.clamp(now));
    let serial = queue.map_or(0, |queue| queue.next_serial);
    let job = NewJob {
        payload: push.payload.into(),
        due: match push.due {
            Due::After(delay) => now + delay,
            Due::At(time) => time.max(now),
        },
        id: push.id.map(Box::from),
        name: push.name.map(Box::from),
        meta: push.meta.map(Box::from),
        retries: push.retries,
        backoff: push.backoff.clone().filter(|backoff| *backoff != Backoff::default()).map(Box::new),
        lease: push.lease.unwrap_or(0),
        priority: push.priority,
        lifo: push.lifo,
    };
    let id = push.id.map_or_else(|| automatic_id(serial), Box::from);
    Ok(Decision::change(Pushed::New(id), Effect { now, change: Change::Push { serial, job } }))
}
