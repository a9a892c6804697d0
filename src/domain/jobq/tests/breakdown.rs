//! What STATS counts by NAME and by KIND: the rows against the jobs, their bound, their saved form.

use super::harness::*;
use crate::domain::jobq::encoding::breakdown::{KINDS, NAMES};
use crate::domain::jobq::history::breakdown::{Breakdown, JobCounts, JobTimes, MAX_ROWS};
use crate::domain::jobq::state::job::{BorrowedJob, RowNumber};
use crate::domain::jobq::*;
use crate::domain::value::Value as _;
use proptest::prelude::*;

/// The rows against the jobs that carry their numbers.
pub(crate) fn check_rows(queue: &Queue) {
    let name_row = |job: BorrowedJob<'_>| (job.name_row(), job.name().map(<[u8]>::to_vec));
    let kind_row = |job: BorrowedJob<'_>| {
        let number = job.history().map_or(0, |history| history.kind_row);
        assert!(number == 0 || job.state == State::Dead, "only dead jobs are counted by kind");
        (number, job.kind().map(<[u8]>::to_vec))
    };
    check_jobs(queue, &queue.breakdowns.names, name_row);
    check_jobs(queue, &queue.breakdowns.kinds, kind_row);
}

fn check_jobs(
    queue: &Queue,
    breakdown: &Breakdown,
    row_of: impl Fn(BorrowedJob<'_>) -> (RowNumber, Option<Vec<u8>>),
) {
    let mut counts = vec![JobCounts::default(); breakdown.rows().len()];
    for (_, job) in queue.jobs.iter() {
        let (number, label) = row_of(job);
        if number > 0 {
            let row = breakdown.row(number).expect("the row of a job");
            assert_eq!(Some(&*row.label), label.as_deref());
            *counts[usize::from(number) - 1].of_state(job.state) += 1;
        }
    }
    let have: Vec<JobCounts> = breakdown.rows().iter().map(|row| row.jobs).collect();
    assert_eq!(have, counts);
    assert!(breakdown.is_sound());
    assert!(breakdown.rows().len() <= MAX_ROWS);
}

fn label(nth: usize) -> Vec<u8> {
    format!("label-{nth:03}").into_bytes()
}

proptest! {
    /// The sums are those of the queue, however many labels there are.
    #[test]
    fn all_rows_together_are_the_queue(
        steps in prop::collection::vec((0..5u8, 0..160usize, any::<bool>()), 1..400),
    ) {
        let mut world = World::new();
        world.configure("keep_done", "40ms/1000");
        world.configure("keep_dead", "60ms/1000");
        let mut held: Vec<(Vec<u8>, u64)> = Vec::new();
        for (what, nth, flag) in steps {
            let label = label(nth);
            match what {
                0 | 1 => drop(world.push(&Push { name: Some(&label), retries: Some(0), ..plain(b"") })),
                2 => {
                    let popped = world.pop(3, Some(50));
                    held.extend(popped.into_iter().map(|job| (job.id.to_vec(), job.token)));
                }
                3 => if let Some((id, token)) = held.pop() {
                    let fail = Fail { kind: Some(&label), dead: true, ..FAIL };
                    _ = if flag { world.ack(&id, token) } else { world.fail(&id, token, &fail).map(drop) };
                },
                _ => world.now += if flag { 1 } else { nth as u64 },
            }
            if let Some(queue) = &world.primary {
                check_rows(queue);
            }
        }
        let Some(queue) = &world.primary else { return Ok(()) };
        prop_assert_eq!(blocks(Some(queue)), blocks(world.replica.as_ref()));
        prop_assert_eq!(saved(&reloaded(queue)), saved(queue));
        for queue in [queue, &reloaded(queue), &queue.duplicate()] {
            check_rows(queue);
        }
        let all = stats(Some(queue), world.now);
        for by in [BreakdownBy::Name, BreakdownBy::Kind] {
            let rows = stats_by(Some(queue), by, &all, world.now);
            prop_assert!(rows.len() <= MAX_ROWS + 1);
            let sum = |count: fn(&BreakdownView<'_>) -> u64| rows.iter().map(count).sum::<u64>();
            prop_assert_eq!(sum(|row| row.totals.failed), all.totals.failed);
            prop_assert_eq!(sum(|row| row.totals.died), all.totals.died);
            prop_assert_eq!(sum(|row| row.jobs.dead as u64), all.dead as u64);
            let by_name = by == BreakdownBy::Name;
            let runs = if by_name { all.totals.acked + all.totals.failed } else { all.totals.failed };
            let counted = sum(|row| row.times.run.counts().iter().sum());
            prop_assert_eq!(counted, runs, "every job has a name, so every run is timed");
            if by_name {
                prop_assert_eq!(sum(|row| row.totals.pushed), all.totals.pushed);
                prop_assert_eq!(sum(|row| row.jobs.done as u64), all.done as u64);
            }
        }
    }
}

fn counted_queue() -> Queue {
    let mut world = World::new();
    world.push(&Push { name: Some(b"mail"), retries: Some(0), ..named(b"a") });
    world.push(&Push { name: Some(b"sms"), ..named(b"b") });
    world.now += 70;
    let job = world.pop_one();
    world.now += 700;
    world.fail(b"a", job.token, &Fail { kind: Some(b"http_500"), ..FAIL }).unwrap();
    world.primary.take().expect("a queue")
}

#[test]
fn waits_and_runs_are_counted_in_milliseconds() {
    let queue = counted_queue();
    let now = queue.clock;
    let rows = stats_by(Some(&queue), BreakdownBy::Name, &stats(Some(&queue), now), now);
    let labels: Vec<_> = rows.iter().map(|row| row.label).collect();
    assert_eq!(labels, [Some(&b"mail"[..]), Some(b"sms"), None]);
    assert_eq!((rows[0].times.wait.sum_ms(), rows[0].times.run.sum_ms()), (70, 700));
    assert_eq!(rows[1].times, JobTimes::default());
    let kinds = stats_by(Some(&queue), BreakdownBy::Kind, &stats(Some(&queue), now), now);
    assert_eq!((kinds[0].label, kinds[0].jobs.dead), (Some(&b"http_500"[..]), 1));
    assert_eq!((kinds[0].times.run.sum_ms(), kinds[0].totals.died), (700, 1));
}

#[test]
fn rows_that_no_history_leaves_are_corrupt() {
    let good = counted_queue();
    assert_eq!(saved(&reloaded(&good)), saved(&good));
    let changes: [fn(&mut Queue); 8] = [
        |queue| queue.jobs.get_mut(0).unwrap().options_mut().name_row = 2,
        |queue| queue.jobs.get_mut(0).unwrap().options_mut().name_row = 3,
        |queue| queue.jobs.get_mut(0).unwrap().options_mut().name_row = 0,
        |queue| queue.jobs.get_mut(0).unwrap().options_mut().name = None,
        |queue| queue.jobs.get_mut(0).unwrap().history_mut().kind_row = 2,
        |queue| queue.jobs.get_mut(0).unwrap().history_mut().kind = None,
        |queue| queue.jobs.get_mut(1).unwrap().history_mut().kind_row = 1,
        |queue| queue.breakdowns.names.row_mut(2).unwrap().label = (*b"mail").into(),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut queue = reloaded(&good);
        change(&mut queue);
        assert!(loaded(&saved(&queue)).is_err(), "change {i}");
    }
    for head in [NAMES, KINDS] {
        let mut twice = saved(&good);
        let at = twice.iter().position(|block| block[0] == head).expect("its block");
        twice.insert(at, twice[at].clone());
        assert!(loaded(&twice).is_err());
        twice[at].truncate(33);
        twice.remove(at + 1);
        assert!(loaded(&twice).is_err(), "nothing has been counted");
    }
}

#[test]
fn jobs_of_an_older_file_get_their_rows() {
    let counted = counted_queue();
    let mut old = Queue::default();
    (old.clock, old.next_serial, old.highest_token) = (counted.clock, 2, counted.highest_token);
    for (serial, job) in counted.jobs.iter() {
        let mut job = job.to_job();
        job.options_mut().name_row = 0;
        job.options_mut().history.iter_mut().for_each(|history| history.kind_row = 0);
        old.breakdowns.assign(&mut job, old.clock);
        assert!(old.insert(serial, job));
    }
    let jobs = |queue: &Queue| queue.breakdowns.names.rows().iter().map(|row| row.jobs).collect::<Vec<_>>();
    assert_eq!(jobs(&old), jobs(&counted));
    assert_eq!(old.breakdowns.kinds.rows()[0].jobs.dead, 1);
    check_rows(&old);
    assert_eq!(saved(&reloaded(&old)), saved(&old));
}

#[test]
fn rows_count_in_the_memory_of_a_queue() {
    let mut world = World::new();
    world.push(&plain(b""));
    let before = world.queue().memory();
    for nth in 0..MAX_ROWS {
        world.push(&Push { name: Some(&label(nth)), ..plain(b"") });
    }
    let jobs = world.queue().job_bytes;
    assert!(world.queue().memory() - before > jobs - 100 + MAX_ROWS * 300);
}
