//! What ACK and FAIL do about the charge of a POP with RATE.

use crate::domain::decision::Decision;
use crate::domain::jobq::effect::Effect;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::fencing::find_held_job;
use crate::domain::ratelimit;
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time::UnixMs;

/// RATE of an ACK or FAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettleRate<'a> {
    /// The key of the subject.
    pub subject: &'a [u8],
    /// What the run has cost, 0 to 10^12.
    pub cost: u64,
}

/// Decides on the end of a run by `end`, an ACK or a FAIL, and on its true cost: the change of the
/// subject, if there is one. The end drops the charge, so that what is said again settles nothing.
///
/// Returns `ERR` for a job that was popped without RATE, or at the RATE of another subject.
pub fn decide_end_at_rate<R>(
    queue: Option<&Queue>,
    (id, token): (&[u8], u64),
    rate: &SettleRate<'_>,
    now: UnixMs,
    end: impl FnOnce(Option<&Queue>, UnixMs) -> Result<Decision<R, Effect>, Refusal>,
) -> Result<Decision<(R, Option<ratelimit::Effect>), Effect>, Refusal> {
    let Decision { reply, effect } = end(queue, now)?;
    let settled = match &effect {
        Some(_) => settle(queue, (id, token), rate, now)?,
        None => None,
    };
    Ok(Decision { reply: (reply, settled), effect })
}

fn settle(
    queue: Option<&Queue>,
    (id, token): (&[u8], u64),
    rate: &SettleRate<'_>,
    now: UnixMs,
) -> Result<Option<ratelimit::Effect>, Refusal> {
    let (_, _, job) = find_held_job(queue, id, token)?;
    let Some(charge) = job.rate_charge() else {
        let text = format!("RATE '{}': the job was popped without RATE", shown(rate.subject));
        return Err(Refusal::err(text));
    };
    if *charge.subject != *rate.subject {
        let (given, charged) = (shown(rate.subject), shown(&charge.subject));
        return Err(Refusal::err(format!("RATE '{given}': the job was popped at the RATE of '{charged}'")));
    }
    Ok(ratelimit::decide_correct(charge.of_job(job.cost()), rate.cost, charge.taken.at, now))
}
