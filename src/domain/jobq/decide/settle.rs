//! ACK, FAIL, RELEASE and EXTEND: what a worker says of a job it holds.
//!
//! The last token of a job is good until the job is popped again, even when its lease has run out:
//! work that was done is not done twice for the sake of a second. What was said once may be said
//! again.

use crate::domain::decision::Decision;
use crate::domain::jobq::MAX_ERROR_BYTES;
use crate::domain::jobq::effect::{AfterFail, Change, Effect};
use crate::domain::jobq::history::event_log::cut;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::fencing::{fenced_error, find_held_job};
use crate::domain::jobq::state::job_header::{LastOutcome, State};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// A FAIL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fail<'a> {
    /// Cut to [`MAX_ERROR_BYTES`], so that every failure can be recorded.
    pub error: Option<&'a [u8]>,
    /// 1 to [`MAX_KIND_BYTES`](crate::domain::jobq::MAX_KIND_BYTES).
    pub kind: Option<&'a [u8]>,
    /// What the next run is handed.
    pub progress: Option<&'a [u8]>,
    /// In place of the backoff, in milliseconds.
    pub delay: Option<u64>,
    /// Not to be tried again.
    pub dead: bool,
    /// Any number: the part of chance in a backoff with jitter.
    pub chance: u64,
}

/// What FAIL answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failed {
    /// None when its cancellation was asked for: it is gone.
    pub state: Option<State>,
    /// When it is tried again, in Unix milliseconds; 0 when it is not.
    pub due: UnixMs,
}

/// Decides an ACK: the job is done.
pub fn decide_ack(
    queue: Option<&Queue>,
    id: &[u8],
    token: u64,
    result: Option<&[u8]>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    Ok(match find_to_ack(queue, id, token)? {
        Some(serial) => Decision::change((), done_effect(serial, result, now)),
        None => Decision::answer(()),
    })
}

/// Returns the job to acknowledge, `None` if it is done already.
pub(crate) fn find_to_ack(queue: Option<&Queue>, id: &[u8], token: u64) -> Result<Option<Serial>, Refusal> {
    let (_, serial, job) = find_held_job(queue, id, token)?;
    Ok((job.state != State::Done).then_some(serial))
}

/// The effect of an ACK that a primary accepted at `now`, if the job is there.
pub fn ack_effect(queue: Option<&Queue>, id: &[u8], result: Option<&[u8]>, now: UnixMs) -> Option<Effect> {
    let (serial, _) = queue?.find(id)?;
    Some(done_effect(serial, result, now))
}

fn done_effect(serial: Serial, result: Option<&[u8]>, now: UnixMs) -> Effect {
    Effect { now, change: Change::Ack { serial, result: result.map(Box::from) } }
}

/// Decides a FAIL: the job is tried again after its backoff, or is dead.
pub fn decide_fail(
    queue: Option<&Queue>,
    id: &[u8],
    token: u64,
    fail: &Fail<'_>,
    now: UnixMs,
) -> Result<Decision<Failed, Effect>, Refusal> {
    let (queue, serial, job) = find_held_job(queue, id, token)?;
    let now = queue.clamp(now);
    match (job.state, job.last_outcome) {
        (State::Done, _) => return Err(fenced_error("the job was acknowledged")),
        (State::Dead, _) => return Ok(Decision::answer(Failed { state: Some(State::Dead), due: 0 })),
        // The same again: also when the wait is over meanwhile.
        (_, LastOutcome::Failed) => {
            return Ok(Decision::answer(Failed { state: Some(State::Delayed), due: job.ready_at }));
        }
        _ => {}
    }
    if job.is_cancelled() {
        let gone = Failed { state: None, due: 0 };
        return Ok(Decision::change(gone, Effect { now, change: Change::Remove { serial } }));
    }
    let failures = job.attempt();
    let (answer, after_fail) = if fail.dead || failures > job.retries.into() {
        (Failed { state: Some(State::Dead), due: 0 }, AfterFail::Dead)
    } else {
        let backoff = job.backoff().unwrap_or(&queue.config.backoff);
        let due = now + fail.delay.unwrap_or_else(|| backoff.wait(failures, fail.chance));
        (Failed { state: Some(State::Delayed), due }, AfterFail::Retry { due })
    };
    let change = Change::Fail {
        serial,
        error: fail.error.map(|error| cut(error, MAX_ERROR_BYTES).into()),
        kind: fail.kind.map(Box::from),
        progress: fail.progress.map(Box::from),
        after_fail,
    };
    Ok(Decision::change(answer, Effect { now, change }))
}

/// Decides a RELEASE: back to its place, or (with a delay) later, without charging an attempt.
pub fn decide_release(
    queue: Option<&Queue>,
    id: &[u8],
    token: u64,
    delay: u64,
    progress: Option<&[u8]>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let (queue, serial, job) = find_held_job(queue, id, token)?;
    let now = queue.clamp(now);
    match (job.state, job.last_outcome) {
        (State::Done | State::Dead, _) | (_, LastOutcome::Failed) => {
            Err(fenced_error("the job was finished"))
        }
        (_, LastOutcome::Released) => Ok(Decision::answer(())),
        // Its lease ran out: it is where a release would bring it.
        (State::Ready, _)
            if delay == 0 && progress.is_none_or(|progress| job.progress() == Some(progress)) =>
        {
            Ok(Decision::answer(()))
        }
        _ if job.is_cancelled() => {
            Ok(Decision::change((), Effect { now, change: Change::Remove { serial } }))
        }
        _ => {
            let due = (delay > 0).then(|| now + delay);
            let progress = progress.map(Box::from);
            Ok(Decision::change((), Effect { now, change: Change::Release { serial, due, progress } }))
        }
    }
}

/// What EXTEND answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    Held,
    /// And its cancellation was asked for: the worker should stop.
    Cancelled,
}

/// Decides an EXTEND: the lease is renewed from now on, and what is said of the progress is kept. A
/// lease that has run out is not renewed.
pub fn decide_extend(
    queue: Option<&Queue>,
    id: &[u8],
    token: u64,
    lease: Option<u64>,
    progress: Option<&[u8]>,
    now: UnixMs,
) -> Result<Decision<Extended, Effect>, Refusal> {
    let (queue, serial, job) = find_held_job(queue, id, token)?;
    let now = queue.clamp(now);
    if job.state != State::Active || job.at <= now {
        return Err(fenced_error("the lease is over"));
    }
    let own = if job.lease() > 0 { job.lease() } else { queue.config.lease };
    let deadline = now + lease.unwrap_or(own);
    let extended = if job.is_cancelled() { Extended::Cancelled } else { Extended::Held };
    let change = Change::Extend { serial, deadline, progress: progress.map(Box::from) };
    Ok(Decision::change(extended, Effect { now, change }))
}
