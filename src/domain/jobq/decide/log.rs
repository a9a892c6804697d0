//! LOG: a worker writes down a line.

use crate::domain::decision::Decision;
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::fencing::find_held_job;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// Decides a LOG; answers the number of lines. The holder of the last token of the job may write.
pub fn decide_log(
    queue: Option<&Queue>,
    id: &[u8],
    token: u64,
    line: &[u8],
    now: UnixMs,
) -> Result<Decision<usize, Effect>, Refusal> {
    let (queue, serial, job) = find_held_job(queue, id, token)?;
    let log = job.log();
    let lines = log.map_or(0, |log| log.staying(line.len())) + 1;
    let change = Change::Log { serial, line: line.into() };
    Ok(Decision::change(lines, Effect { now: queue.clamp(now), change }))
}
