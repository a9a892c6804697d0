//! Which changes make a queue larger, so that a full server refuses them.

use crate::domain::jobq::effect::{Change, JobUpdate};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::new_job::KeyClaim;
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::serial::Serial;

/// Whether the change adds a job, a schedule, a line of a log or the settings of a new queue, or
/// replaces a payload by a longer one. What finishes, frees or moves jobs does not, whatever a
/// worker reports with it.
pub(crate) fn adds(queue: Option<&Queue>, change: &Change) -> bool {
    match change {
        Change::Push { job, .. } => {
            let replaced = job.unique.as_ref().and_then(|unique| match unique.claim {
                KeyClaim::Replace(old) => Some(old),
                _ => None,
            });
            replaced.is_none_or(|old| is_longer(queue, old, &job.payload))
        }
        Change::Update { update: JobUpdate { parents: Some(_), .. }, .. } => true,
        Change::Update { serial, update: JobUpdate { payload, .. } } => {
            payload.as_ref().is_some_and(|payload| is_longer(queue, *serial, payload))
        }
        Change::Log { serial, line } => {
            let log = queue.and_then(|queue| queue.job(*serial)).and_then(|job| job.log());
            log.is_none_or(|log| log.grows_by(line.len()))
        }
        Change::Configure(_) => queue.is_none(),
        // At most so many: MAX_OWN_GROUPS.
        Change::SetGroup { concurrency, .. } => concurrency.is_some(),
        Change::RunSchedule { .. } => true,
        Change::SetSchedule { name, spec, .. } => {
            let known = queue.and_then(|queue| queue.schedules.get(name));
            known.is_none_or(|known| spec.job.payload.len() > known.spec.job.payload.len())
        }
        Change::Batch(changes) => changes.iter().any(|change| adds(queue, change)),
        Change::Advance { .. }
        | Change::Pop { .. }
        | Change::Ack { .. }
        | Change::AckMany { .. }
        | Change::Fail { .. }
        | Change::Release { .. }
        | Change::Extend { .. }
        | Change::Remove { .. }
        | Change::Purge { .. }
        | Change::RequestCancel { .. }
        | Change::Redrive { .. }
        | Change::Pause(_)
        | Change::PauseGroup { .. }
        | Change::DeleteSchedule { .. }
        | Change::SetNextRun { .. }
        | Change::HoldSchedule { .. } => false,
    }
}

fn is_longer(queue: Option<&Queue>, old: Serial, payload: &Payload) -> bool {
    let old = queue.and_then(|queue| queue.job(old));
    old.is_none_or(|old| payload.len() > old.payload().len())
}
