//! Where a job is as of now, though nothing has moved it there yet.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::time::UnixMs;

/// Where a job is at `now`, though nothing has moved it there yet; `None` when it has expired, or
/// was kept long enough.
pub(crate) fn state_at(queue: &Queue, job: BorrowedJob<'_>, now: UnixMs) -> Option<State> {
    let kept = |state| now < job.at.saturating_add(job.keep().unwrap_or(queue.keep(state).age));
    let state = match job.state {
        State::Active if job.at <= now => state_after_lease(queue, job, now),
        State::Ready | State::Delayed if job.is_expired(now) => None,
        State::Delayed if job.at <= now => Some(State::Ready),
        state => Some(state),
    };
    state.filter(|state| match (state, job.state) {
        (State::Done, _) | (State::Dead, State::Dead) => kept(job.state),
        _ => true,
    })
}

/// Where a job goes whose lease has run out; `None` when it is gone.
pub(crate) fn state_after_lease(queue: &Queue, job: BorrowedJob<'_>, now: UnixMs) -> Option<State> {
    if job.is_cancelled() || job.expires_with_its_lease() {
        None
    } else if job.dies_of_next_stall(queue.config.stall_max) {
        Some(State::Dead)
    } else {
        job.expires().is_none_or(|expires| now < expires).then_some(State::Ready)
    }
}

/// The KIND of a job that died because its lease ran out too often.
pub(crate) const STALL_KIND: &[u8] = b"stalled";

/// The error of a job that died because its lease ran out too often.
pub(crate) const STALL_ERROR: &[u8] = b"stalled: its lease ran out too often";
