//! The binary forms: nothing is lost, nothing is left out, nothing out of range is taken.

use super::encoding_of_groups::{group_pause, use_group_rate};
use super::harness::*;
use super::shared_rates::charge_at;
use crate::domain::codec::Corrupt;
use crate::domain::jobq::effect::Change;
use crate::domain::jobq::encoding::queue::SCHEDULES;
use crate::domain::jobq::ready::aging::Aging;
use crate::domain::jobq::state::job::{Job, JobHistory, JobOptions};
use crate::domain::jobq::state::job_header::{JobHeader, LastOutcome};
use crate::domain::jobq::state::job_log::Log;
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::state::new_job::NewJob;
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::schedules::{Run, RunBounds, RunProgress, ScheduleEntry, ScheduleSpec};
use crate::domain::jobq::state::serial::{MAX_AHEAD, MAX_CLOCK};
use crate::domain::jobq::state::shared_rate::JobRate;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::state::unique_keys::{KeyRole, Unique};
use crate::domain::jobq::*;
use crate::domain::long_token;
use crate::domain::time::LONGEST;
use crate::domain::token::BOUND;
use crate::domain::value::{Effect as _, Value};
use std::sync::Arc;

pub(super) fn log_of(lines: &[&[u8]]) -> Log {
    let mut log = Log::default();
    lines.iter().for_each(|line| log.add(Box::from(*line)));
    log
}

pub(super) fn full_job() -> Job {
    let unique = Unique {
        key: (*b"key").into(),
        until: Until::Done,
        window: 34,
        role: KeyRole::Holds,
        free_at: 35,
        since: 5,
    };
    let history = JobHistory {
        failures: 15,
        stalls: 16,
        cancelled: true,
        error: Some(Box::from(*b"error")),
        kind: Some(Box::from(*b"kind")),
        result: Some(Box::from(*b"result")),
        worker: None,
        progress: Some(Box::from(*b"progress")),
        kind_row: 0,
        log: Some(Box::new(log_of(&[b"one", b"two"]))),
    };
    let options = JobOptions {
        id: Some(Box::from(*b"id")),
        name: Some(Box::from(*b"name")),
        meta: Some(Box::from(*b"meta")),
        backoff: Some(Box::new(Backoff::Fixed(19))),
        lease: 18,
        lifo: true,
        rate: Some(Box::new(JobRate { cost: 6, charge: None })),
        batch: 21,
        name_row: 0,
        run_started: 22,
        group: Some(Arc::from(*b"group")),
        shift: 20,
        lifetime: Some(Box::new(JobLifetime {
            expire: 31,
            expires: 32,
            keep: Some(33),
            unique: Some(unique),
            dependencies: None,
            root: None,
        })),
        history: Some(Box::new(history)),
    };
    let head = JobHeader {
        state: State::Delayed,
        last_outcome: LastOutcome::Failed,
        at: 11,
        ready_at: 12,
        created: 13,
        token: 14,
        retries: 17,
        priority: -18,
    };
    let mut job = Job::new(head, b"payload"[..].into());
    job.options = Some(Box::new(options));
    job
}

pub(super) fn let_go(unique: &mut Unique) {
    (unique.role, unique.free_at) = (KeyRole::Past, 0);
}

pub(super) fn be_next(unique: &mut Unique) {
    (unique.role, unique.free_at) = (KeyRole::Next, 0);
}

pub(super) fn queue_of(serial: u64, job: Job) -> Queue {
    let mut queue = Queue::default();
    (queue.clock, queue.next_serial, queue.highest_token) = (21, 22, 23);
    (queue.ready.last_turn, queue.ready.ungrouped_turn) = (25, 24);
    queue.aging = Aging { risen: 1, since: 2 };
    queue.pause = Some(Pause { until: Some(7), pushes: true });
    use_rate(&mut queue, 1);
    queue.totals = Totals { pushed: 1, acked: 2, failed: 3, retried: 4, stalled: 5, died: 6, expired: 7 };
    assert!(queue.insert(serial, job));
    queue
}

/// Takes so much of the rate.
pub(super) fn use_rate(queue: &mut Queue, jobs: usize) {
    queue.config.set(b"rate", b"5/1d").unwrap();
    queue.rate.apply(*crate::domain::jobq::queue::admission::rate_effect(queue, jobs, 20).expect("room"));
}

pub(super) fn full_entry() -> ScheduleEntry {
    let job = NewJob {
        payload: b"payload"[..].into(),
        due: 0,
        id: None,
        name: Some(Box::from(*b"name")),
        meta: Some(Box::from(*b"meta")),
        retries: 1,
        priority: -2,
        lifo: true,
        backoff: Some(Box::new(Backoff::Fixed(3))),
        lease: 4,
        expire: 5,
        keep: Some(6),
        group: Some(Box::from(*b"group")),
        cost: 7,
        unique: None,
        dependencies: None,
    };
    let (pattern, zone) = (Box::from(*b"* * * * *"), Box::from(*b"UTC"));
    let bounds = RunBounds { start: Some(8), end: Some(9), max_runs: Some(10) };
    let spec = ScheduleSpec { pattern, zone, catch_up: CatchUp::One, overlap: true, bounds, job };
    let progress = RunProgress { made: 11, behind: 7, missed_until: 12 };
    // It waits for the one job that there is.
    let last = Some(Run { due: 6, serial: 3 });
    ScheduleEntry { spec, next: Some(5), last, set_at: 13, progress, held: true }
}

pub(super) fn with_schedule(name: &[u8], entry: ScheduleEntry) -> Queue {
    let mut queue = queue_of(3, full_job());
    queue.schedules.put(name.into(), entry);
    queue
}

pub(super) const CHANGES_OF_A_SCHEDULE: [fn(&mut ScheduleEntry); 29] = [
    |entry| entry.next = None,
    |entry| entry.next = Some(0),
    |entry| (entry.last, entry.held) = (None, false),
    |entry| entry.last = Some(Run { due: 7, serial: 3 }),
    |entry| (entry.last, entry.held) = (Some(Run { due: 6, serial: 2 }), false),
    |entry| entry.progress.behind = 0,
    |entry| entry.progress.made = 0,
    |entry| entry.progress.missed_until = 0,
    |entry| entry.set_at = 0,
    |entry| entry.spec.bounds.start = None,
    |entry| entry.spec.bounds.end = None,
    |entry| entry.spec.bounds.max_runs = None,
    |entry| entry.held = false,
    |entry| entry.spec.pattern = Box::from(*b"@daily"),
    |entry| entry.spec.zone = Box::from(*b"Europe/Berlin"),
    |entry| entry.spec.catch_up = CatchUp::Skip,
    |entry| entry.spec.catch_up = CatchUp::All,
    |entry| entry.spec.overlap = false,
    |entry| entry.spec.job.payload = Payload::default(),
    |entry| entry.spec.job.name = None,
    |entry| entry.spec.job.meta = None,
    |entry| entry.spec.job.retries = 0,
    |entry| entry.spec.job.priority = 0,
    |entry| entry.spec.job.lifo = false,
    |entry| entry.spec.job.backoff = None,
    |entry| entry.spec.job.lease = 0,
    |entry| entry.spec.job.expire = 0,
    |entry| entry.spec.job.keep = None,
    |entry| entry.spec.job.cost = 1,
];

#[test]
fn every_field_reaches_the_saved_bytes_and_comes_back() {
    let of_queue: [fn(&mut Queue); 33] = [
        |queue| queue.change_group(&Arc::from(*b"g"), 21, |control| control.concurrency = Some(2)),
        |queue| queue.change_group(&Arc::from(*b"g"), 21, |control| control.concurrency = Some(3)),
        |queue| queue.change_group(&Arc::from(*b"h"), 21, |control| control.concurrency = Some(3)),
        |queue| queue.change_group(&Arc::from(*b"g"), 21, |control| control.pause = group_pause(None, false)),
        |queue| queue.change_group(&Arc::from(*b"g"), 21, |control| control.pause = group_pause(None, true)),
        |queue| {
            queue.change_group(&Arc::from(*b"g"), 21, |control| control.pause = group_pause(Some(99), true))
        },
        |queue| use_group_rate(queue, 1),
        |queue| use_group_rate(queue, 2),
        |queue| queue.group_controls.recheck_from = Some(Box::default()),
        |queue| queue.group_controls.recheck_from = Some(Box::from(*b"g")),
        |queue| queue.config.set(b"group_rate", b"7/1h").unwrap(),
        |queue| queue.ready.last_turn += 1,
        |queue| queue.ready.ungrouped_turn += 1,
        |queue| queue.aging.risen += 1,
        |queue| queue.aging.since += 1,
        |queue| queue.pause = None,
        |queue| queue.pause = Some(Pause { until: Some(7), pushes: false }),
        |queue| queue.pause = Some(Pause { until: None, pushes: true }),
        |queue| queue.config.concurrency = Some(7),
        |queue| use_rate(queue, 2),
        |queue| queue.clock += 1,
        |queue| queue.next_serial += 1,
        |queue| queue.highest_token += 1,
        |queue| queue.totals.pushed += 1,
        |queue| queue.totals.acked += 1,
        |queue| queue.totals.failed += 1,
        |queue| queue.totals.retried += 1,
        |queue| queue.totals.stalled += 1,
        |queue| queue.totals.died += 1,
        |queue| queue.totals.expired += 1,
        |queue| assert!(queue.keys.restore_orphan(&(*b"gone").into(), (*b"a").into(), 36)),
        |queue| assert!(queue.keys.restore_orphan(&(*b"gone").into(), (*b"a").into(), 37)),
        |queue| assert!(queue.keys.restore_orphan(&(*b"gone").into(), (*b"b").into(), 36)),
    ];
    let of_job: [fn(&mut Job); 54] = [
        |job| job.options_mut().run_started += 1,
        |job| (job.options_mut().group, job.options_mut().batch) = (None, 0),
        |job| job.options_mut().group = Some(Arc::from(*b"other")),
        |job| job.options_mut().shift += 1,
        |job| job.set_payload(Payload::default()),
        |job| (job.state, job.at) = (State::Ready, job.ready_at),
        |job| (job.state, job.unique_mut().unwrap().until) = (State::Dead, Until::Time),
        |job| job.last_outcome = LastOutcome::Open,
        |job| job.last_outcome = LastOutcome::Released,
        |job| job.at += 1,
        |job| job.ready_at += 1,
        |job| job.created += 1,
        |job| job.token += 1,
        |job| job.history_mut().failures += 1,
        |job| job.history_mut().stalls += 1,
        |job| job.retries += 1,
        |job| job.priority = i32::MIN,
        |job| job.options_mut().lifo = false,
        |job| job.options_mut().batch = 22,
        |job| job.options_mut().rate = None,
        |job| job.options_mut().rate = Some(Box::new(JobRate { cost: 0, charge: None })),
        |job| charge_at(job, b"subject", 41),
        |job| charge_at(job, b"subject", 42),
        |job| job.options_mut().lease += 1,
        |job| job.options_mut().backoff = None,
        |job| job.options_mut().backoff = Some(Box::new(Backoff::Fixed(20))),
        |job| job.options_mut().backoff = Some(Box::new(Backoff::List([19].into()))),
        |job| job.options = None,
        |job| job.options_mut().history = None,
        |job| job.history_mut().cancelled = false,
        |job| job.options_mut().id = None,
        |job| job.options_mut().name = Some(Box::default()),
        |job| job.options_mut().meta = None,
        |job| job.history_mut().error = None,
        |job| job.history_mut().kind = None,
        |job| job.history_mut().result = None,
        |job| job.options_mut().lifetime = None,
        |job| job.lifetime_mut().unwrap().expire += 1,
        |job| job.lifetime_mut().unwrap().expires += 1,
        |job| job.lifetime_mut().unwrap().keep = Some(0),
        |job| job.lifetime_mut().unwrap().keep = None,
        |job| job.lifetime_mut().unwrap().unique = None,
        |job| job.lifetime_mut().unwrap().root = Some(1),
        |job| job.unique_mut().unwrap().key = (*b"kez").into(),
        |job| job.unique_mut().unwrap().until = Until::Start,
        |job| job.unique_mut().unwrap().until = Until::Time,
        |job| job.unique_mut().unwrap().window += 1,
        |job| job.unique_mut().unwrap().free_at += 1,
        |job| job.unique_mut().unwrap().since += 1,
        |job| let_go(job.unique_mut().unwrap()),
        |job| job.history_mut().progress = None,
        |job| job.history_mut().log = None,
        |job| job.history_mut().log = Some(Box::new(log_of(&[b"one"]))),
        |job| job.history_mut().log = Some(Box::new(log_of(&[b"two", b"one"]))),
    ];
    let mut all = vec![queue_of(3, full_job()), queue_of(4, full_job())];
    all.extend(of_queue.map(|change| {
        let mut queue = queue_of(3, full_job());
        change(&mut queue);
        queue
    }));
    all.extend(of_job.map(|change| {
        let mut job = full_job();
        change(&mut job);
        queue_of(3, job)
    }));
    for (state, last_outcome) in [(State::Active, LastOutcome::Open), (State::Done, LastOutcome::Acked)] {
        let mut job = full_job().with(|job| (job.state, job.last_outcome) = (state, last_outcome));
        job.options_mut().run_started = 0;
        job.unique_mut().unwrap().until = Until::Time;
        all.push(queue_of(3, job));
    }
    for worker in [*b"a", *b"b"] {
        let mut job =
            full_job().with(|job| (job.state, job.last_outcome) = (State::Active, LastOutcome::Open));
        job.history_mut().worker = Some(Box::from(worker));
        all.push(queue_of(3, job));
    }
    all.push(with_schedule(b"t", full_entry()));
    all.extend(CHANGES_OF_A_SCHEDULE.map(|change| {
        let mut entry = full_entry();
        change(&mut entry);
        with_schedule(b"s", entry)
    }));
    all.push(with_schedule(b"s", full_entry()));
    for (i, one) in all.iter().enumerate() {
        assert_eq!(saved(&reloaded(one)), saved(one));
        assert!(reloaded(one).schedules.iter().eq(one.schedules.iter()));
        assert_eq!(reloaded(one).jobs, one.jobs);
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn a_queue_that_no_history_leaves_is_corrupt() {
    let of_job: [fn(&mut Job); 29] = [
        |job| job.options_mut().group = None,
        |job| job.options_mut().batch = BOUND,
        |job| job.history_mut().worker = Some(Box::default()),
        |job| job.history_mut().kind = Some(vec![b'k'; MAX_KIND_BYTES + 1].into()),
        |job| job.state = State::Ready,
        |job| job.state = State::Active,
        |job| (job.state, job.last_outcome, job.token) = (State::Active, LastOutcome::Open, 0),
        |job| job.state = State::Done,
        |job| job.last_outcome = LastOutcome::Acked,
        |job| job.at = 1 << 53,
        |job| job.ready_at = 1 << 53,
        |job| job.created = u64::MAX,
        |job| job.token = 24,
        |job| job.options_mut().lease = LONGEST + 1,
        |job| job.options_mut().id = Some(Box::from(*b"#1")),
        |job| job.options_mut().id = Some(Box::default()),
        |job| job.lifetime_mut().unwrap().expire = 0,
        |job| job.lifetime_mut().unwrap().expire = LONGEST + 1,
        |job| job.lifetime_mut().unwrap().expires = 1 << 53,
        |job| job.lifetime_mut().unwrap().keep = Some(LONGEST + 1),
        |job| job.unique_mut().unwrap().window = LONGEST + 1,
        |job| job.unique_mut().unwrap().free_at = 1 << 53,
        |job| job.unique_mut().unwrap().free_at = 0,
        |job| (job.unique_mut().unwrap().window, job.unique_mut().unwrap().until) = (0, Until::Time),
        |job| job.unique_mut().unwrap().role = KeyRole::Past,
        |job| be_next(job.unique_mut().unwrap()),
        |job| job.state = State::Blocked,
        |job| job.state = State::Dead,
        |job| {
            job.state = State::Blocked;
            be_next(job.unique_mut().unwrap());
        },
    ];
    for (i, change) in of_job.into_iter().enumerate() {
        let mut job = full_job();
        change(&mut job);
        assert!(loaded(&saved(&queue_of(3, job))).is_err(), "change {i} of a job");
    }
    let of_queue: [fn(&mut Queue); 9] = [
        |queue| queue.ready.last_turn = MAX_CLOCK,
        |queue| queue.ready.ungrouped_turn = 27,
        |queue| queue.aging.risen = MAX_CLOCK,
        |queue| queue.aging.since = 22,
        |queue| queue.clock = MAX_CLOCK,
        |queue| queue.next_serial = MAX_CLOCK,
        |queue| queue.next_serial = 3,
        |queue| queue.highest_token = 13,
        |queue| queue.highest_token = BOUND,
    ];
    for (i, change) in of_queue.into_iter().enumerate() {
        let mut queue = queue_of(3, full_job());
        change(&mut queue);
        assert!(loaded(&saved(&queue)).is_err(), "change {i} of a queue");
    }
    let twice = [saved(&queue_of(3, full_job())), saved(&queue_of(4, full_job()))[1..].to_vec()].concat();
    assert!(loaded(&twice).is_err(), "one id of two jobs");
    let head_later = [saved(&queue_of(3, full_job())), saved(&Queue::default())].concat();
    assert!(loaded(&head_later).is_err(), "a next serial that takes back what was pushed");
}

#[test]
fn a_schedule_that_no_history_leaves_is_corrupt() {
    let far = 1 << 53;
    let changes: [fn(&mut ScheduleEntry); 14] = [
        |entry| entry.next = Some(1 << 53),
        |entry| entry.set_at = 1 << 53,
        |entry| entry.progress.missed_until = 1 << 53,
        |entry| entry.spec.bounds.end = Some(1 << 53),
        |entry| entry.spec.bounds.end = Some(7),
        |entry| entry.spec.bounds.max_runs = Some(0),
        |entry| entry.last = Some(Run { due: 1 << 53, serial: 3 }),
        |entry| (entry.last, entry.held) = (Some(Run { due: 6, serial: 22 }), false),
        // There is nothing to wait for.
        |entry| entry.last = None,
        |entry| entry.last = Some(Run { due: 6, serial: 2 }),
        |entry| entry.spec.pattern = vec![b'*'; 129].into(),
        |entry| entry.spec.zone = vec![b'Z'; 65].into(),
        |entry| entry.spec.job.id = Some(Box::from(*b"id")),
        |entry| entry.spec.job.due = 1,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut entry = full_entry();
        change(&mut entry);
        assert!(loaded(&saved(&with_schedule(b"s", entry))).is_err(), "change {i}");
    }
    for name in [&b""[..], b"#s", &[b's'; MAX_SCHEDULE_NAME_BYTES + 1]] {
        assert!(loaded(&saved(&with_schedule(name, full_entry()))).is_err(), "{name:?}");
    }
    let mut ended = with_schedule(b"s", full_entry());
    ended.jobs.get_mut(3).expect("the job").state = State::Dead;
    assert!(loaded(&saved(&ended)).is_err(), "it waits for what has ended");
    let mut many = queue_of(3, full_job());
    for i in 0..=1_000 {
        assert_eq!(loaded(&saved(&many)).is_ok(), i <= 1_000);
        many.schedules.put(format!("s{i:04}").into_bytes().into(), full_entry());
    }
    assert!(loaded(&saved(&many)).is_err(), "more than there may be");
    let (one, two) = (saved(&with_schedule(b"s", full_entry())), saved(&with_schedule(b"r", full_entry())));
    for second in [&one, &two] {
        let twice = [&one[..], &second[second.len() - 1..]].concat();
        assert!(loaded(&twice).is_err(), "out of order");
    }
    let name = || Box::from(*b"s");
    let spec = |change: fn(&mut ScheduleEntry)| {
        let mut entry = full_entry();
        change(&mut entry);
        Box::new(entry.spec)
    };
    for change in [
        Change::SetSchedule { name: Box::default(), spec: spec(|_| ()), next: None },
        Change::SetSchedule { name: name(), spec: spec(|_| ()), next: Some(far) },
        Change::SetSchedule { name: name(), spec: spec(|entry| entry.spec.job.due = 1), next: None },
        Change::DeleteSchedule { name: vec![b's'; MAX_SCHEDULE_NAME_BYTES + 1].into() },
        Change::RunSchedule { name: name(), due: far },
        Change::RunSchedule { name: Box::from(*b"#s"), due: 0 },
        Change::SetNextRun { name: name(), next: Some(far), progress: RunProgress::default() },
        Change::SetNextRun {
            name: name(),
            next: None,
            progress: RunProgress { missed_until: far, ..RunProgress::default() },
        },
        Change::SetSchedule { name: name(), spec: spec(|entry| entry.spec.bounds.end = Some(7)), next: None },
        Change::HoldSchedule { name: Box::default() },
    ] {
        let effect = Effect { now: 0, change };
        assert_eq!(Effect::decode(&effect.encode(), None), Err(Corrupt), "{effect:?}");
    }
}

/// A schedule as encoding 1 had it: without what was added at its end.
#[test]
fn a_schedule_of_the_first_encoding_is_read() {
    let mut entry = full_entry();
    (entry.spec.bounds, entry.spec.job.cost) = (RunBounds::default(), 1);
    (entry.set_at, entry.progress) = (0, RunProgress { behind: 7, ..RunProgress::default() });
    // A job without what later encodings added.
    let mut job = full_job();
    job.options = None;
    let mut queue = queue_of(3, job.clone());
    queue.schedules.put(Box::from(*b"s"), entry);
    let mut blocks = saved(&queue);
    let schedules = blocks.iter_mut().find(|block| block[0] == SCHEDULES).expect("its block");
    // No START, END and RUNS; 0 as the time of its SET, of its runs, and up to which they are
    // missed; a cost of 1.
    assert!(schedules.ends_with(&[0, 0, 0, 0, 0, 0, 1]));
    schedules.truncate(schedules.len() - 7);
    // No group_rate.
    assert!(blocks[0].ends_with(b"\x03off"));
    let short = blocks[0].len() - 4;
    blocks[0].truncate(short);
    assert!(loaded(&blocks).is_err());
    let mut old = Queue::default();
    blocks.iter().for_each(|block| old.load(1, block).expect("a block of encoding 1"));
    old.loaded().expect("a queue of encoding 1");
    // Its tokens were long ones.
    job.token = long_token::shorten(job.token);
    let mut short = queue_of(3, job);
    short.highest_token = long_token::shorten(short.highest_token);
    short.schedules = queue.schedules;
    assert_eq!(saved(&old), saved(&short));
}

/// A RESTORE of such a queue is refused: after a few pushes or pops it could not be loaded.
#[test]
fn a_queue_whose_counters_are_nearly_used_up_has_no_room() {
    let counters: [fn(&mut Queue); 3] = [
        |queue| queue.next_serial = MAX_AHEAD,
        |queue| queue.ready.last_turn = MAX_AHEAD,
        |queue| queue.aging.risen = MAX_AHEAD,
    ];
    assert!(queue_of(3, full_job()).has_room());
    for raise in counters {
        let mut queue = queue_of(3, full_job());
        raise(&mut queue);
        assert!(!queue.has_room());
    }
}
