//! LINGER: whether jobs may go to a POP that waits for many, and when it is to look again.
//!
//! Each push to a queue at which a POP lingers asks this. Bounds that the ready queue keeps answer
//! mostly, so that few jobs are looked at.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::ready::group_index::{FULL_OF_BYTES, GroupPosition};
use crate::domain::jobq::ready::group_runs::{GroupRun, GroupRuns};
use crate::domain::jobq::ready::serving_order::ServingOrder;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::{MAX_GROUPED_JOBS, MAX_REPLY_BYTES};
use crate::domain::time::UnixMs;

/// The most jobs that a call looks at: for those that have not expired, or for a group whose jobs
/// may go.
const SCAN_LIMIT: usize = 5_000;

/// The most groups whose jobs are looked at because one of their bounds says that they may go.
const MAX_CANDIDATES: usize = 64;

/// If there are more of those, so many groups are asked in the order of POP before them.
const MAX_GROUPS: usize = 500;

/// When to look again where not all candidates were looked at, in milliseconds.
const LOOK_AGAIN_MS: u64 = 100;

/// What a POP lingers for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linger {
    pub count: usize,
    /// Milliseconds.
    pub length: u64,
    pub grouped: bool,
}

/// Found what may go, or when to look again without a command.
pub(crate) type Found<T> = Result<T, Option<UnixMs>>;

/// The jobs that may be popped, in their order.
pub(crate) fn eligible<'q, 'o>(
    queue: &'q Queue,
    order: &'o mut ServingOrder<'q>,
    now: UnixMs,
) -> impl Iterator<Item = Serial> + use<'q, 'o> {
    let expired = queue.first_expired(now).is_some();
    order.take(SCAN_LIMIT).filter(move |serial| !expired || !queue.has_expired(*serial, now))
}

/// The run of the first group in the order of POP that has one.
pub(crate) fn first_group(queue: &Queue, most: usize, now: UnixMs) -> Option<GroupRun> {
    let runs = GroupRuns::of(queue.serving_order(now), most).take(MAX_GROUPS);
    runs.map(|run| without_expired(queue, run, now)).find(|run| !run.serials.is_empty())
}

fn without_expired(queue: &Queue, mut run: GroupRun, now: UnixMs) -> GroupRun {
    if queue.first_expired(now).is_some() {
        run.serials.retain(|serial| !queue.has_expired(*serial, now));
    }
    run
}

/// Whether jobs that a POP lingers for may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ripeness {
    /// There is none.
    Nothing,
    /// Not before this time, unless more of them become ready.
    At(UnixMs),
    Ripe,
}

impl Ripeness {
    fn at(self) -> Option<UnixMs> {
        if let Ripeness::At(at) = self { Some(at) } else { None }
    }
}

impl Linger {
    fn of_oldest(&self, oldest: Option<UnixMs>, now: UnixMs) -> Ripeness {
        match oldest.map(|oldest| oldest.saturating_add(self.length)) {
            None => Ripeness::Nothing,
            Some(at) if at <= now => Ripeness::Ripe,
            Some(at) => Ripeness::At(at),
        }
    }

    /// Judges these jobs: there are as many as the POP wants or as one answer holds, or the first
    /// of them became ready so long ago.
    fn judge(&self, queue: &Queue, jobs: impl Iterator<Item = Serial>, now: UnixMs) -> Ripeness {
        let (mut count, mut bytes, mut of_groups, mut oldest) = (0, 0, 0, None::<UnixMs>);
        for job in jobs.filter_map(|serial| queue.job(serial)) {
            count += 1;
            bytes += job.payload().len();
            of_groups += usize::from(job.group().is_some() && !self.grouped);
            oldest = Some(oldest.map_or(job.at, |oldest| oldest.min(job.at)));
            if count >= self.count || bytes >= MAX_REPLY_BYTES || of_groups >= MAX_GROUPED_JOBS {
                return Ripeness::Ripe;
            }
        }
        self.of_oldest(oldest, now)
    }
}

/// Whether the first jobs in line may go, at most so many.
pub(crate) fn find_jobs(queue: &Queue, linger: &Linger, most: usize, now: UnixMs) -> Found<()> {
    let (ready, limit) = (&queue.ready, queue.config.group_concurrency);
    let of_groups = ready.most_of_groups(limit);
    let is_few = of_groups < MAX_GROUPED_JOBS && ready.ungrouped.jobs() + of_groups < linger.count;
    if is_few && ready.bytes() < MAX_REPLY_BYTES {
        let oldest_of_groups = ready.oldest_of_groups(limit.unwrap_or(u32::MAX), None);
        let oldest = ready.ungrouped.oldest(|_| true).into_iter().chain(oldest_of_groups).min();
        let ripeness = linger.of_oldest(oldest, now);
        if ripeness != Ripeness::Ripe {
            return Err(ripeness.at());
        }
    }
    let mut order = queue.serving_order(now);
    let ripeness = linger.judge(queue, eligible(queue, &mut order, now).take(most), now);
    if ripeness == Ripeness::Ripe {
        return Ok(());
    }
    // What a group's rate cuts short is more when the rate frees.
    let cut = order.cut_by_rates().take(MAX_CANDIDATES);
    let more = cut.filter_map(|group| queue.group_more_starts_at(group, now)).min();
    Err(ripeness.at().into_iter().chain(more).min())
}

/// The run of the first group, in the order of POP, whose jobs may go.
pub(crate) fn find_group(queue: &Queue, linger: &Linger, most: usize, now: UnixMs) -> Found<GroupRun> {
    let mut search = GroupSearch::new(queue, linger, most, now);
    let (mut candidates, is_complete) = search.candidates();
    if !is_complete && let Some(run) = search.walk() {
        return Ok(run);
    }
    candidates.sort_unstable();
    candidates.dedup();
    for (_, name) in candidates {
        if let Some(run) = search.try_run(name) {
            return Ok(run);
        }
    }
    if !is_complete || search.looks == 0 {
        search.look_again(Some(now + LOOK_AGAIN_MS));
    }
    Err(search.again)
}

/// A group, or the jobs without one, and when its turn is.
type Candidate<'q> = (GroupPosition, Option<&'q [u8]>);

struct GroupSearch<'q, 'l> {
    queue: &'q Queue,
    linger: &'l Linger,
    now: UnixMs,
    runs: GroupRuns<'q>,
    /// The slots of a group.
    limit: u32,
    /// A run may go if it has so many jobs, or one that has been ready since then.
    size: u32,
    since: UnixMs,
    /// How many more jobs may be looked at.
    looks: usize,
    /// When to look again.
    again: Option<UnixMs>,
}

impl<'q, 'l> GroupSearch<'q, 'l> {
    fn new(queue: &'q Queue, linger: &'l Linger, most: usize, now: UnixMs) -> Self {
        let limit = queue.config.group_concurrency.unwrap_or(u32::MAX);
        let since = now.checked_sub(linger.length);
        let is_possible = most.min(queue.group_starts_at_most(now)) >= linger.count;
        let size =
            if is_possible { u32::try_from(linger.count).unwrap_or(FULL_OF_BYTES) } else { FULL_OF_BYTES };
        let next = queue.ready.oldest_of_groups(limit, since);
        GroupSearch {
            queue,
            linger,
            now,
            runs: GroupRuns::of(queue.serving_order(now), most),
            limit,
            size,
            since: since.unwrap_or(0),
            looks: SCAN_LIMIT,
            again: next.map(|oldest| oldest.saturating_add(linger.length)),
        }
    }

    fn look_again(&mut self, at: Option<UnixMs>) {
        self.again = self.again.into_iter().chain(at).min();
    }

    /// Those that may have a run to go, and whether these are all.
    fn candidates(&mut self) -> (Vec<Candidate<'q>>, bool) {
        let ready = &self.queue.ready;
        let mut names = ready.with_runs(self.limit, self.size, self.since);
        let position = |name: &'q [u8]| Some((ready.group(name)?.position(self.limit)?, Some(name)));
        let mut found: Vec<_> =
            names.by_ref().take(MAX_CANDIDATES).filter_map(|name| position(name)).collect();
        let is_complete = names.next().is_none();
        let ungrouped = &ready.ungrouped;
        // The group's rate does not bound them.
        let may_be_full = ungrouped.jobs() >= self.linger.count || ungrouped.bytes() >= MAX_REPLY_BYTES;
        let ripeness = self.linger.of_oldest(ungrouped.oldest(|_| true), self.now);
        if may_be_full || ripeness == Ripeness::Ripe {
            found.extend(self.runs.ungrouped_position().map(|position| (position, None)));
        } else {
            self.look_again(ripeness.at());
        }
        (found, is_complete)
    }

    /// Asks the first groups in the order of POP.
    fn walk(&mut self) -> Option<GroupRun> {
        let (limit, size, since) = (self.limit, self.size, self.since);
        for _ in 0..MAX_GROUPS {
            let run = self.runs.next_if(|group| group.may_have_run(limit, size, since))?;
            if let Some(run) = run.and_then(|run| self.judge(run).ok()) {
                return Some(run);
            }
            if self.looks == 0 {
                return None;
            }
        }
        None
    }

    /// The run of a candidate, if it may go.
    fn try_run(&mut self, name: Option<&'q [u8]>) -> Option<GroupRun> {
        if self.looks == 0 {
            return None;
        }
        let run = match name {
            Some(name) => self.runs.of_group(name)?,
            None => self.runs.of_ungrouped()?,
        };
        match self.judge(run) {
            Ok(run) => Some(run),
            Err((is_cut_by_rate, ripeness)) => {
                self.look_again(ripeness.at());
                if let Some(name) = name.filter(|_| is_cut_by_rate) {
                    self.look_again(self.queue.group_more_starts_at(name, self.now));
                }
                None
            }
        }
    }

    fn judge(&mut self, run: GroupRun) -> Result<GroupRun, (bool, Ripeness)> {
        let run = without_expired(self.queue, run, self.now);
        self.looks = self.looks.saturating_sub(run.serials.len());
        match self.linger.judge(self.queue, run.serials.iter().copied(), self.now) {
            Ripeness::Ripe => Ok(run),
            ripeness => Err((run.is_cut_by_rate, ripeness)),
        }
    }
}
