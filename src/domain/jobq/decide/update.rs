//! UPDATE: an operator changes a job that has not been done.

use crate::domain::decision::Decision;
use crate::domain::jobq::MAX_PARENTS;
use crate::domain::jobq::decide::push::Due;
use crate::domain::jobq::effect::{Change, Effect, JobUpdate};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::dependencies::dependency_error;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::dependencies::{DependencyOutcome, OnDead};
use crate::domain::jobq::state::job::{BorrowedJob, Job};
use crate::domain::jobq::state::job_header::{LastOutcome, State};
use crate::domain::jobq::state::new_job::NewDependencies;
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::unique_keys::KeyRole;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// An UPDATE; what is missing stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Update<'a> {
    pub priority: Option<i32>,
    /// Of a job that waits: when it may be popped.
    pub due: Option<Due>,
    pub retries: Option<u16>,
    pub payload: Option<&'a [u8]>,
    /// Whether the job goes to the head of its priority (LIFO) or to the end (FIFO).
    pub lifo: Option<bool>,
    /// The job gives up its UNIQUE key, or its claim to be the next holder.
    pub no_unique: bool,
    pub parents: Option<AddedParents<'a>>,
}

/// AFTER and ONDEAD of an UPDATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedParents<'a> {
    /// At most [`MAX_AFTER`](crate::domain::jobq::MAX_AFTER).
    pub ids: &'a [&'a [u8]],
    /// `None` is as the job says.
    pub on_dead: Option<OnDead>,
}

/// Decides an UPDATE of a queue that has advanced to `now`.
///
/// A dead job may be mended before a REDRIVE; one that is done stays as it is. What an active job
/// is given its next run will see.
pub fn decide_update(
    queue: Option<&Queue>,
    id: &[u8],
    update: &Update<'_>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let unknown = || Refusal::new(Code::NoJob, format!("there is no job '{}'", shown(id)));
    let queue = queue.ok_or_else(unknown)?;
    let (serial, job) = queue.find(id).ok_or_else(unknown)?;
    let now = queue.clamp(now);
    let id = shown(id);
    match job.state {
        State::Ready | State::Delayed => {}
        State::Done => {
            return Err(Refusal::err(format!("the job '{id}' is done: it is not changed any more")));
        }
        State::Active if update.due.is_some() => {
            return Err(Refusal::err(format!(
                "the job '{id}' is active: DELAY, AT and NOW are for jobs that are ready or delayed"
            )));
        }
        State::Blocked if update.due.is_some() => {
            return Err(Refusal::err(format!(
                "the job '{id}' is blocked: it waits for other jobs, not for a time"
            )));
        }
        State::Dead if update.due.is_some() => {
            return Err(Refusal::err(format!("the job '{id}' is dead: REDRIVE makes it ready again")));
        }
        State::Active | State::Blocked | State::Dead => {}
    }
    let due = update.due.map(|due| match due {
        Due::After(delay) => now + delay,
        Due::At(time) => time.max(now),
    });
    let given = JobUpdate {
        priority: update.priority.filter(|priority| *priority != job.priority),
        due: due.filter(|due| !job.is_due_at(*due, now)),
        retries: update.retries.filter(|retries| *retries != job.retries),
        payload: update.payload.filter(|payload| *payload != job.payload()).map(Payload::from),
        lifo: update.lifo.filter(|lifo| *lifo != job.is_lifo()),
        parents: update
            .parents
            .map(|parents| new_parents(queue, serial, job, &parents))
            .transpose()?
            .flatten(),
        no_unique: update.no_unique && job.unique().is_some_and(|unique| unique.role != KeyRole::Past),
    };
    if given == JobUpdate::default() {
        return Ok(Decision::answer(()));
    }
    Ok(Decision::change((), Effect { now, change: Change::Update { serial, update: given } }))
}

/// What an UPDATE makes a job wait for that it does not wait for yet.
///
/// Refuses a job that waits itself, or did until it died: a circle could come of it.
fn new_parents(
    queue: &Queue,
    serial: Serial,
    job: BorrowedJob<'_>,
    parents: &AddedParents<'_>,
) -> Result<Option<NewDependencies>, Refusal> {
    if !job.waits() || job.token > 0 || job.failures() > 0 {
        let id = job.shown_id(serial);
        return Err(Refusal::err(format!(
            "the job '{}' has begun or ended: AFTER is for jobs that have not been popped yet",
            shown(&id)
        )));
    }
    let known = job.dependencies();
    let on_dead = known.map(|known| known.on_dead).or(parents.on_dead).unwrap_or(OnDead::Wait);
    if parents.on_dead.is_some_and(|given| given != on_dead) {
        return Err(Refusal::err(
            "ONDEAD: the job waits for others already, with another ONDEAD: leave it out",
        ));
    }
    let mut new = NewDependencies { after: Vec::new(), on_dead, dependency_error: None };
    for id in parents.ids {
        let Some((parent, other)) = queue.find(id) else {
            let text = format!("AFTER '{}': there is no such job in this queue", shown(id));
            return Err(Refusal::new(Code::NoJob, text));
        };
        if parent == serial || other.state == State::Blocked || other.dependencies().is_some() {
            return Err(Refusal::err(format!(
                "AFTER '{}': this job waits for others itself, so it cannot be added any more",
                shown(id)
            )));
        }
        let root = other.root(parent);
        let is_over = matches!((other.state, on_dead), (State::Done, _) | (State::Dead, OnDead::Run));
        if is_over || queue.dependency_graph.has_edge(root, on_dead, serial) {
            continue;
        }
        if other.state == State::Dead && on_dead == OnDead::Fail && new.dependency_error.is_none() {
            new.dependency_error = Some(dependency_error(&shown(id), DependencyOutcome::Dead));
        }
        new.after.push(root);
    }
    let count = known.map_or(0, |known| known.after.len());
    if count + new.after.len() > MAX_PARENTS {
        return Err(Refusal::err(format!(
            "AFTER: a job waits for at most {MAX_PARENTS} jobs, this one has {count} already"
        )));
    }
    Ok((!new.after.is_empty()).then_some(new))
}

impl BorrowedJob<'_> {
    /// Whether this due time is what the job has; one that is ready keeps its place in the line.
    fn is_due_at(self, due: UnixMs, now: UnixMs) -> bool {
        if self.state == State::Ready { due <= now } else { due == self.at }
    }
}

impl Job {
    /// `shift` is what aging adds from the new due time on.
    pub(crate) fn update(&mut self, given: JobUpdate, shift: Rank, now: UnixMs) {
        if let Some(priority) = given.priority {
            self.priority = priority;
        }
        if let Some(lifo) = given.lifo {
            self.options_mut().lifo = lifo;
        }
        if let Some(retries) = given.retries {
            self.retries = retries;
        }
        if let Some(payload) = given.payload {
            self.set_payload(payload);
        }
        if let Some(due) = given.due
            && matches!(self.state, State::Ready | State::Delayed)
        {
            if due > now {
                (self.state, self.at, self.ready_at) = (State::Delayed, due, due);
            } else {
                self.make_ready(due, shift);
            }
            let never_ran = self.token == 0 && self.read().failures() == 0;
            if never_ran && let Some(lifetime) = self.lifetime_mut() {
                lifetime.start_expiry(due);
            }
            // A worker that lost its lease can no longer move the job back to its old place.
            if self.token > 0 && self.last_outcome == LastOutcome::Open {
                self.last_outcome = LastOutcome::Released;
            }
        }
    }
}
