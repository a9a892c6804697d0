//! POP: jobs that are ready, each with a lease and a fencing token.

use std::borrow::Cow;

use super::effect::{Change, Effect, Grant};
use super::job::State;
use super::queue::Queue;
use super::{BYTES_AT_ONCE, DEFAULT_LEASE, MOST_AT_ONCE};
use crate::domain::decision::Decision;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// A POP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pop {
    /// 1 to 1,000.
    pub count: usize,
    /// In milliseconds, for jobs that do not say themselves.
    pub lease: Option<u64>,
}

/// One job of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popped<'q> {
    pub id: Cow<'q, [u8]>,
    pub token: u64,
    pub payload: Cow<'q, [u8]>,
    pub attempt: u32,
    pub deadline: UnixMs,
    pub name: Option<Cow<'q, [u8]>>,
    pub meta: Option<Cow<'q, [u8]>>,
}

impl Popped<'_> {
    /// Frees the answer from the queue, so that it can be kept.
    pub fn into_owned(self) -> Popped<'static> {
        let owned = |part: Cow<'_, [u8]>| Cow::Owned(part.into_owned());
        Popped {
            id: owned(self.id),
            payload: owned(self.payload),
            name: self.name.map(owned),
            meta: self.meta.map(owned),
            ..self
        }
    }
}

/// Decides a POP of a queue that has advanced to `now`: the first of the line.
pub fn decide_pop<'q>(
    queue: Option<&'q Queue>,
    pop: &Pop,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<Vec<Popped<'q>>, Effect> {
    let Some(queue) = queue else { return Decision::answer(Vec::new()) };
    // Never below what this queue has seen, whatever the clock; and by the server's clock, not the
    // queue's: the tokens of all families come from the one.
    let first_token = tokens.next(now).max(queue.highest_token + 1);
    let now = queue.clamp(now);
    let mut grants = Vec::new();
    let mut popped = Vec::new();
    let mut bytes = 0;
    let ready = queue.serials(State::Ready).take(pop.count.min(MOST_AT_ONCE));
    for (token, serial) in (first_token..).zip(ready) {
        let Some(job) = queue.job(serial) else { continue };
        bytes += job.payload.len();
        if bytes > BYTES_AT_ONCE && !grants.is_empty() {
            break;
        }
        let lease = if job.lease > 0 { job.lease } else { pop.lease.unwrap_or(DEFAULT_LEASE) };
        let deadline = now + lease;
        grants.push(Grant { serial, token, deadline });
        let extra = job.extra.as_ref();
        popped.push(Popped {
            id: job.shown_id(serial),
            token,
            payload: Cow::Borrowed(&job.payload),
            attempt: job.attempt(),
            deadline,
            name: extra.and_then(|extra| extra.name.as_deref()).map(Cow::Borrowed),
            meta: extra.and_then(|extra| extra.meta.as_deref()).map(Cow::Borrowed),
        });
    }
    if grants.is_empty() {
        return Decision::answer(popped);
    }
    Decision::change(popped, Effect { now, change: Change::Pop { grants } })
}
