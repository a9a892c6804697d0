//! STATS BY: what is counted by NAME or by KIND, as it is now.

use crate::domain::jobq::history::breakdown::{BreakdownRow, JobCounts, JobTimes, MAX_ROWS};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::as_of::{STALL_KIND, state_after_lease};
use crate::domain::jobq::state::job::{BorrowedJob, RowNumber};
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::{Totals, increment};
use crate::domain::jobq::view::job_and_stats::{SCAN_LIMIT, Stats, forgotten, passed};
use crate::domain::time::UnixMs;

/// What rows are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakdownBy {
    Name,
    /// Failures alone: a row has no jobs but dead ones, no waits, and of the totals `failed`,
    /// `retried` and `died`.
    Kind,
}

/// What has been counted of one name or kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakdownView<'q> {
    /// `None` is the rest: jobs without a label, and labels that have no row.
    pub label: Option<&'q [u8]>,
    pub jobs: JobCounts,
    pub totals: Totals,
    pub times: JobTimes,
}

/// The rows in the order of their labels, the rest behind them. `stats` are those of the same queue
/// at the same time.
pub fn stats_by<'q>(
    queue: Option<&'q Queue>,
    by: BreakdownBy,
    stats: &Stats,
    now: UnixMs,
) -> Vec<BreakdownView<'q>> {
    let mut rest = BreakdownView { label: None, ..BreakdownView::default() };
    rest.jobs = JobCounts {
        waiting: stats.ready + stats.delayed + stats.blocked,
        active: stats.active,
        done: stats.done,
        dead: stats.dead,
    };
    rest.totals = stats.totals;
    let Some(queue) = queue else { return vec![rest] };
    let breakdown = match by {
        BreakdownBy::Name => &queue.breakdowns.names,
        BreakdownBy::Kind => &queue.breakdowns.kinds,
    };
    rest.times = breakdown.rest.clone();
    let view = |row: &'q BreakdownRow| BreakdownView {
        label: Some(&row.label),
        jobs: row.jobs,
        totals: row.totals,
        times: row.times.clone(),
    };
    let mut rows: Vec<_> = breakdown.rows().iter().map(view).collect();
    match by {
        BreakdownBy::Name => move_names(queue, &mut rows, queue.clamp(now)),
        BreakdownBy::Kind => move_kinds(queue, &mut rows, queue.clamp(now)),
    }
    for row in &rows {
        subtract(&mut rest, row);
    }
    rows.sort_unstable_by_key(|row| row.label);
    rows.push(rest);
    rows
}

fn subtract(rest: &mut BreakdownView<'_>, row: &BreakdownView<'_>) {
    let JobCounts { waiting, active, done, dead } = row.jobs;
    let jobs = &mut rest.jobs;
    for (left, count) in [
        (&mut jobs.waiting, waiting),
        (&mut jobs.active, active),
        (&mut jobs.done, done),
        (&mut jobs.dead, dead),
    ] {
        *left = left.saturating_sub(count);
    }
    let Totals { pushed, acked, failed, retried, stalled, died, expired } = row.totals;
    let totals = &mut rest.totals;
    for (left, total) in [
        (&mut totals.pushed, pushed),
        (&mut totals.acked, acked),
        (&mut totals.failed, failed),
        (&mut totals.retried, retried),
        (&mut totals.stalled, stalled),
        (&mut totals.died, died),
        (&mut totals.expired, expired),
    ] {
        *left = left.saturating_sub(total);
    }
}

/// What time has done to jobs that no write has moved yet, by name.
fn move_names(queue: &Queue, rows: &mut [BreakdownView<'_>], now: UnixMs) {
    let mut change = |job: BorrowedJob<'_>, change: &dyn Fn(&mut BreakdownView<'_>)| {
        if let Some(row) = usize::from(job.name_row()).checked_sub(1).and_then(|at| rows.get_mut(at)) {
            change(row);
        }
    };
    for job in passed(queue, &queue.deadlines.expiring, 0, now) {
        change(job, &|row| {
            row.jobs.waiting -= 1;
            increment(&mut row.totals.expired);
        });
    }
    for job in passed(queue, queue.by_time(State::Active), 0, now) {
        let then = state_after_lease(queue, job, now);
        change(job, &|row| {
            row.jobs.active -= 1;
            increment(&mut row.totals.stalled);
            match then {
                Some(State::Dead) => {
                    row.jobs.dead += 1;
                    increment(&mut row.totals.died);
                }
                Some(_) => row.jobs.waiting += 1,
                None if job.is_cancelled() => {}
                None => increment(&mut row.totals.expired),
            }
        });
    }
    for state in [State::Done, State::Dead] {
        for job in no_longer_kept(queue, state, now) {
            change(job, &|row| *row.jobs.of_state(state) -= 1);
        }
    }
}

/// What time has done to dead jobs, and which jobs have died of lost leases, by kind.
fn move_kinds<'q>(queue: &'q Queue, rows: &mut Vec<BreakdownView<'q>>, now: UnixMs) {
    let stalled = dying(queue, now).count();
    let mut left = stalled;
    for job in no_longer_kept(queue, State::Dead, now) {
        left -= usize::from(job.state == State::Active);
        let kind_row: RowNumber = job.history().map_or(0, |history| history.kind_row);
        if let Some(row) = usize::from(kind_row).checked_sub(1).and_then(|at| rows.get_mut(at)) {
            row.jobs.dead -= 1;
        }
    }
    if stalled == 0 {
        return;
    }
    let known = rows.iter().position(|row| row.label == Some(STALL_KIND));
    let at = known.unwrap_or_else(|| {
        rows.push(BreakdownView { label: Some(STALL_KIND), ..BreakdownView::default() });
        rows.len() - 1
    });
    if at < MAX_ROWS {
        rows[at].jobs.dead += left;
        rows[at].totals.died = rows[at].totals.died.saturating_add(stalled as u64);
    } else {
        rows.pop();
    }
}

/// The jobs that die because their leases have run out.
fn dying(queue: &Queue, now: UnixMs) -> impl Iterator<Item = BorrowedJob<'_>> {
    let lapsed = passed(queue, queue.by_time(State::Active), 0, now);
    lapsed.filter(move |job| state_after_lease(queue, *job, now) == Some(State::Dead))
}

/// The jobs that retention removes from a state; of dead ones also those that are about to die.
fn no_longer_kept(queue: &Queue, state: State, now: UnixMs) -> Vec<BorrowedJob<'_>> {
    let own = passed(queue, &queue.deadlines.retained, 0, now).filter(|job| job.state == state);
    let lapsed = queue.by_time(State::Active).iter().take_while(|(at, _)| *at <= now).take(SCAN_LIMIT);
    let dies = |serial: &Serial| {
        let job = queue.job(*serial);
        let died = job.is_some_and(|job| state_after_lease(queue, job, now) == Some(State::Dead));
        died && job.is_some_and(|job| job.keep().is_none())
    };
    let mut died: Vec<Serial> = match state {
        State::Dead => lapsed.map(|(_, serial)| *serial).filter(dies).collect(),
        _ => Vec::new(),
    };
    // They die at the same time.
    died.sort_unstable();
    let kept = queue.by_time(state).iter().map(|(_, serial)| *serial);
    let most = forgotten(queue, state, died.len(), now).min(SCAN_LIMIT);
    let gone: Vec<Serial> = kept.chain(died).take(most).collect();
    own.chain(gone.into_iter().filter_map(|serial| queue.job(serial))).collect()
}
