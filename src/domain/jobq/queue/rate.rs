//! How many jobs of a queue may be begun in a time: a limit of RATELIMIT inside the queue.

use crate::domain::jobq::queue::Queue;
use crate::domain::ratelimit;
use crate::domain::ratelimit::{Check, CheckRequest, Limit, RequestedLimit};
use crate::domain::time::UnixMs;

/// The limit goes on counting when its numbers change: it is known by this name.
const NAME: &[u8] = b"rate";

fn request(queue: &Queue, cost: u64) -> Option<CheckRequest<'static>> {
    let rule = queue.config.rate?;
    Some(CheckRequest::one(RequestedLimit { limit: Limit { name: Some(NAME), rule }, cost }))
}

/// How many jobs may be begun at `now`, and when the next one may if that is none; `None` without a rate.
pub(crate) fn left(queue: &Queue, now: UnixMs) -> Option<(u64, UnixMs)> {
    let verdict = ratelimit::current_rows(Some(&queue.rate), &request(queue, 1)?, now).ok()?;
    let row = verdict.binding()?;
    let wait = u64::try_from(row.retry_after_ms).unwrap_or(0);
    Some((if row.allowed { row.remaining.max(1) } else { 0 }, now.saturating_add(wait)))
}

/// What beginning so many jobs takes of the rate.
pub(crate) fn taken(queue: &Queue, jobs: usize, now: UnixMs) -> Option<Box<ratelimit::Effect>> {
    let check = Check::plain(request(queue, jobs as u64)?);
    ratelimit::decide_check(Some(&queue.rate), &check, now).ok()?.effect.map(Box::new)
}
