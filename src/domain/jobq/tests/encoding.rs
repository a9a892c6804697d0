//! The binary forms: nothing is lost, nothing is left out, nothing out of range is taken.

use super::harness::*;
use crate::domain::codec::{Corrupt, Writer};
use crate::domain::jobq::effect::{Change, Fate, Given, Grant};
use crate::domain::jobq::ready::aging::Aging;
use crate::domain::jobq::state::dependencies::{Flow, Outcome};
use crate::domain::jobq::state::job::{Extra, Head, Job, Payload, Settled, Story};
use crate::domain::jobq::state::job_log::Log;
use crate::domain::jobq::state::lifetime::Life;
use crate::domain::jobq::state::new_job::{NewFlow, NewJob, NewKey, Turn};
use crate::domain::jobq::state::schedules::{Entry, Run, Terms};
use crate::domain::jobq::state::serial::FAR;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::state::unique_keys::{Role, Unique};
use crate::domain::jobq::*;
use crate::domain::time::LONGEST;
use crate::domain::token::BOUND;
use crate::domain::value::{Effect as _, Value};
use std::sync::Arc;

fn log_of(lines: &[&[u8]]) -> Log {
    let mut log = Log::default();
    lines.iter().for_each(|line| log.add(Box::from(*line)));
    log
}

fn full_job() -> Job {
    let unique =
        Unique { key: (*b"key").into(), until: Until::Done, window: 34, role: Role::Holds, frees: 35 };
    let story = Story {
        failures: 15,
        stalls: 16,
        cancelled: true,
        error: Some(Box::from(*b"error")),
        result: Some(Box::from(*b"result")),
        worker: None,
        progress: Some(Box::from(*b"progress")),
        log: Some(Box::new(log_of(&[b"one", b"two"]))),
    };
    let extra = Extra {
        id: Some(Box::from(*b"id")),
        name: Some(Box::from(*b"name")),
        meta: Some(Box::from(*b"meta")),
        backoff: Some(Box::new(Backoff::Fixed(19))),
        lease: 18,
        lifo: true,
        group: Some(Arc::from(*b"group")),
        shift: 20,
        life: Some(Box::new(Life {
            expire: 31,
            expires: 32,
            keep: Some(33),
            unique: Some(unique),
            flow: None,
            anchor: None,
        })),
        story: Some(Box::new(story)),
    };
    let head = Head {
        state: State::Delayed,
        settled: Settled::Failed,
        at: 11,
        place: 12,
        created: 13,
        token: 14,
        retries: 17,
        priority: -18,
        extra: Some(Box::new(extra)),
    };
    Job::new(head, b"payload"[..].into())
}

fn let_go(unique: &mut Unique) {
    (unique.role, unique.frees) = (Role::Past, 0);
}

fn be_next(unique: &mut Unique) {
    (unique.role, unique.frees) = (Role::Next, 0);
}

fn queue_of(serial: u64, job: Job) -> Queue {
    let mut queue = Queue::default();
    (queue.clock, queue.next_serial, queue.highest_token) = (21, 22, 23);
    (queue.line.last_turn, queue.line.alone_turn) = (25, 24);
    queue.aging = Aging { risen: 1, since: 2 };
    queue.pause = Some(Pause { until: Some(7), pushes: true });
    use_rate(&mut queue, 1);
    queue.totals = Totals { pushed: 1, acked: 2, failed: 3, retried: 4, stalled: 5, died: 6, expired: 7 };
    assert!(queue.insert(serial, job));
    queue
}

/// Takes so much of the rate.
fn use_rate(queue: &mut Queue, jobs: usize) {
    queue.config.set(b"rate", b"5/1d").unwrap();
    queue.rate.apply(*crate::domain::jobq::queue::rate::taken(queue, jobs, 20).expect("room"));
}

fn full_entry() -> Entry {
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
        unique: None,
        flow: None,
    };
    let (pattern, zone) = (Box::from(*b"* * * * *"), Box::from(*b"UTC"));
    let terms = Terms { pattern, zone, catch_up: CatchUp::One, overlap: true, job };
    // It waits for the one job that there is.
    Entry { terms, next: Some(5), last: Some(Run { due: 6, serial: 3 }), behind: 7, held: true }
}

fn with_schedule(name: &[u8], entry: Entry) -> Queue {
    let mut queue = queue_of(3, full_job());
    queue.timetable.put(name.into(), entry);
    queue
}

const CHANGES_OF_A_SCHEDULE: [fn(&mut Entry); 22] = [
    |entry| entry.next = None,
    |entry| entry.next = Some(0),
    |entry| (entry.last, entry.held) = (None, false),
    |entry| entry.last = Some(Run { due: 7, serial: 3 }),
    |entry| (entry.last, entry.held) = (Some(Run { due: 6, serial: 2 }), false),
    |entry| entry.behind = 0,
    |entry| entry.held = false,
    |entry| entry.terms.pattern = Box::from(*b"@daily"),
    |entry| entry.terms.zone = Box::from(*b"Europe/Berlin"),
    |entry| entry.terms.catch_up = CatchUp::Skip,
    |entry| entry.terms.catch_up = CatchUp::All,
    |entry| entry.terms.overlap = false,
    |entry| entry.terms.job.payload = Payload::default(),
    |entry| entry.terms.job.name = None,
    |entry| entry.terms.job.meta = None,
    |entry| entry.terms.job.retries = 0,
    |entry| entry.terms.job.priority = 0,
    |entry| entry.terms.job.lifo = false,
    |entry| entry.terms.job.backoff = None,
    |entry| entry.terms.job.lease = 0,
    |entry| entry.terms.job.expire = 0,
    |entry| entry.terms.job.keep = None,
];

#[test]
fn every_field_reaches_the_saved_bytes_and_comes_back() {
    let of_queue: [fn(&mut Queue); 22] = [
        |queue| queue.line.last_turn += 1,
        |queue| queue.line.alone_turn += 1,
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
        |queue| assert!(queue.keys.enter_gone(&(*b"gone").into(), (*b"a").into(), 36)),
        |queue| assert!(queue.keys.enter_gone(&(*b"gone").into(), (*b"a").into(), 37)),
        |queue| assert!(queue.keys.enter_gone(&(*b"gone").into(), (*b"b").into(), 36)),
    ];
    let of_job: [fn(&mut Job); 46] = [
        |job| job.extra_mut().group = None,
        |job| job.extra_mut().group = Some(Arc::from(*b"other")),
        |job| job.extra_mut().shift += 1,
        |job| job.set_payload(Payload::default()),
        |job| (job.state, job.at) = (State::Ready, job.place),
        |job| (job.state, job.unique_mut().unwrap().until) = (State::Dead, Until::Time),
        |job| job.settled = Settled::Open,
        |job| job.settled = Settled::Released,
        |job| job.at += 1,
        |job| job.place += 1,
        |job| job.created += 1,
        |job| job.token += 1,
        |job| job.story_mut().failures += 1,
        |job| job.story_mut().stalls += 1,
        |job| job.retries += 1,
        |job| job.priority = i32::MIN,
        |job| job.extra_mut().lifo = false,
        |job| job.extra_mut().lease += 1,
        |job| job.extra_mut().backoff = None,
        |job| job.extra_mut().backoff = Some(Box::new(Backoff::Fixed(20))),
        |job| job.extra_mut().backoff = Some(Box::new(Backoff::List([19].into()))),
        |job| job.extra = None,
        |job| job.extra_mut().story = None,
        |job| job.story_mut().cancelled = false,
        |job| job.extra_mut().id = None,
        |job| job.extra_mut().name = Some(Box::default()),
        |job| job.extra_mut().meta = None,
        |job| job.story_mut().error = None,
        |job| job.story_mut().result = None,
        |job| job.extra_mut().life = None,
        |job| job.life_mut().unwrap().expire += 1,
        |job| job.life_mut().unwrap().expires += 1,
        |job| job.life_mut().unwrap().keep = Some(0),
        |job| job.life_mut().unwrap().keep = None,
        |job| job.life_mut().unwrap().unique = None,
        |job| job.life_mut().unwrap().anchor = Some(1),
        |job| job.unique_mut().unwrap().key = (*b"kez").into(),
        |job| job.unique_mut().unwrap().until = Until::Start,
        |job| job.unique_mut().unwrap().until = Until::Time,
        |job| job.unique_mut().unwrap().window += 1,
        |job| job.unique_mut().unwrap().frees += 1,
        |job| let_go(job.unique_mut().unwrap()),
        |job| job.story_mut().progress = None,
        |job| job.story_mut().log = None,
        |job| job.story_mut().log = Some(Box::new(log_of(&[b"one"]))),
        |job| job.story_mut().log = Some(Box::new(log_of(&[b"two", b"one"]))),
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
    for (state, settled) in [(State::Active, Settled::Open), (State::Done, Settled::Acked)] {
        let mut job = full_job().with(|job| (job.state, job.settled) = (state, settled));
        job.unique_mut().unwrap().until = Until::Time;
        all.push(queue_of(3, job));
    }
    for worker in [*b"a", *b"b"] {
        let mut job = full_job().with(|job| (job.state, job.settled) = (State::Active, Settled::Open));
        job.story_mut().worker = Some(Box::from(worker));
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
        assert!(reloaded(one).timetable.iter().eq(one.timetable.iter()));
        assert_eq!(reloaded(one).jobs, one.jobs);
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn a_queue_that_no_history_leaves_is_corrupt() {
    let of_job: [fn(&mut Job); 26] = [
        |job| job.story_mut().worker = Some(Box::default()),
        |job| job.state = State::Ready,
        |job| job.state = State::Active,
        |job| (job.state, job.settled, job.token) = (State::Active, Settled::Open, 0),
        |job| job.state = State::Done,
        |job| job.settled = Settled::Acked,
        |job| job.at = 1 << 53,
        |job| job.place = 1 << 53,
        |job| job.created = u64::MAX,
        |job| job.token = 24,
        |job| job.extra_mut().lease = LONGEST + 1,
        |job| job.extra_mut().id = Some(Box::from(*b"#1")),
        |job| job.extra_mut().id = Some(Box::default()),
        |job| job.life_mut().unwrap().expire = 0,
        |job| job.life_mut().unwrap().expire = LONGEST + 1,
        |job| job.life_mut().unwrap().expires = 1 << 53,
        |job| job.life_mut().unwrap().keep = Some(LONGEST + 1),
        |job| job.unique_mut().unwrap().window = LONGEST + 1,
        |job| job.unique_mut().unwrap().frees = 1 << 53,
        |job| job.unique_mut().unwrap().frees = 0,
        |job| (job.unique_mut().unwrap().window, job.unique_mut().unwrap().until) = (0, Until::Time),
        |job| job.unique_mut().unwrap().role = Role::Past,
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
        |queue| queue.line.last_turn = FAR,
        |queue| queue.line.alone_turn = 27,
        |queue| queue.aging.risen = FAR,
        |queue| queue.aging.since = 22,
        |queue| queue.clock = FAR,
        |queue| queue.next_serial = FAR,
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
    let changes: [fn(&mut Entry); 9] = [
        |entry| entry.next = Some(1 << 53),
        |entry| entry.last = Some(Run { due: 1 << 53, serial: 3 }),
        |entry| (entry.last, entry.held) = (Some(Run { due: 6, serial: 22 }), false),
        // There is nothing to wait for.
        |entry| entry.last = None,
        |entry| entry.last = Some(Run { due: 6, serial: 2 }),
        |entry| entry.terms.pattern = vec![b'*'; 129].into(),
        |entry| entry.terms.zone = vec![b'Z'; 65].into(),
        |entry| entry.terms.job.id = Some(Box::from(*b"id")),
        |entry| entry.terms.job.due = 1,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut entry = full_entry();
        change(&mut entry);
        assert!(loaded(&saved(&with_schedule(b"s", entry))).is_err(), "change {i}");
    }
    for name in [&b""[..], b"#s", &[b's'; LONGEST_SCHEDULE + 1]] {
        assert!(loaded(&saved(&with_schedule(name, full_entry()))).is_err(), "{name:?}");
    }
    let mut ended = with_schedule(b"s", full_entry());
    ended.jobs.get_mut(3).expect("the job").state = State::Dead;
    assert!(loaded(&saved(&ended)).is_err(), "it waits for what has ended");
    let mut many = queue_of(3, full_job());
    for i in 0..=1_000 {
        assert_eq!(loaded(&saved(&many)).is_ok(), i <= 1_000);
        many.timetable.put(format!("s{i:04}").into_bytes().into(), full_entry());
    }
    assert!(loaded(&saved(&many)).is_err(), "more than there may be");
    let (one, two) = (saved(&with_schedule(b"s", full_entry())), saved(&with_schedule(b"r", full_entry())));
    for second in [&one, &two] {
        let twice = [&one[..], &second[second.len() - 1..]].concat();
        assert!(loaded(&twice).is_err(), "out of order");
    }
    let name = || Box::from(*b"s");
    let terms = |change: fn(&mut Entry)| {
        let mut entry = full_entry();
        change(&mut entry);
        Box::new(entry.terms)
    };
    for change in [
        Change::Plan { name: Box::default(), terms: terms(|_| ()), next: None },
        Change::Plan { name: name(), terms: terms(|_| ()), next: Some(far) },
        Change::Plan { name: name(), terms: terms(|entry| entry.terms.job.due = 1), next: None },
        Change::Unplan { name: vec![b's'; LONGEST_SCHEDULE + 1].into() },
        Change::Run { name: name(), due: far },
        Change::Run { name: Box::from(*b"#s"), due: 0 },
        Change::Next { name: name(), next: Some(far), behind: 0 },
        Change::Hold { name: Box::default() },
    ] {
        let effect = Effect { now: 0, change };
        assert_eq!(Effect::decode(&effect.encode(), None), Err(Corrupt), "{effect:?}");
    }
}

#[test]
fn an_effect_out_of_range_is_corrupt() {
    let job = NewJob {
        payload: Payload::default(),
        due: 0,
        id: None,
        name: None,
        meta: None,
        retries: 0,
        priority: 0,
        lifo: false,
        group: None,
        backoff: None,
        lease: 0,
        expire: 0,
        keep: None,
        unique: None,
        flow: None,
    };
    let flow = NewFlow { after: vec![0], on_dead: OnDead::Wait, doom: None };
    let of_flow = |flow| NewJob { flow: Some(flow), ..job.clone() };
    let key = NewKey { key: Box::default(), until: Until::Done, window: 0, turn: Turn::First };
    let of_key = |key| NewJob { unique: Some(key), ..job.clone() };
    let push = |job| Change::Push { serial: 0, job };
    let pop = |serial, token, deadline| Change::Pop {
        grants: [Grant { serial, token, deadline }].into(),
        rate: None,
        worker: None,
    };
    let far = 1 << 53;
    for change in [
        Change::Push { serial: far, job: job.clone() },
        push(NewJob { due: far, ..job.clone() }),
        push(NewJob { lease: LONGEST + 1, ..job.clone() }),
        push(of_flow(NewFlow { after: vec![1 << 53], ..flow.clone() })),
        push(of_flow(NewFlow { after: vec![0; MOST_AFTER + 1], ..flow.clone() })),
        push(of_key(NewKey { window: LONGEST + 1, ..key.clone() })),
        push(of_key(NewKey { until: Until::Time, ..key.clone() })),
        push(of_key(NewKey { turn: Turn::InPlaceOf(1 << 53), ..key.clone() })),
        push(NewJob { expire: LONGEST + 1, ..job.clone() }),
        push(NewJob { keep: Some(LONGEST + 1), ..job.clone() }),
        push(NewJob { id: Some(Box::default()), ..job.clone() }),
        push(NewJob { id: Some(Box::from(*b"#a")), ..job.clone() }),
        push(NewJob { group: Some(Box::default()), ..job.clone() }),
        push(NewJob { group: Some([b'g'; LONGEST_NAME + 1].into()), ..job }),
        pop(far, 1, 0),
        pop(0, 0, 0),
        pop(0, BOUND, 0),
        pop(0, 1, far),
        Change::Ack { serial: far, result: None },
        Change::Fail { serial: 0, error: None, fate: Fate::Retry { due: far } },
        Change::Release { serial: 0, due: Some(far) },
        Change::Extend { serial: 0, deadline: far, progress: None },
        Change::Log { serial: far, line: Box::default() },
        Change::Update { serial: far, update: Given::default() },
        Change::Update { serial: 0, update: Given { due: Some(far), ..Given::default() } },
    ] {
        let effect = Effect { now: 0, change };
        assert_eq!(Effect::decode(&effect.encode(), effect.payload()), Err(Corrupt), "{effect:?}");
    }
    let late = Effect { now: FAR, change: Change::Advance { steps: 1 } };
    assert_eq!(Effect::decode(&late.encode(), None), Err(Corrupt));
}

#[test]
fn a_count_beyond_the_bytes_allocates_nothing() {
    let mut writer = Writer::new();
    writer.byte(3);
    writer.int(0);
    writer.int(u64::MAX >> 1);
    assert_eq!(Effect::decode(&writer.finish(), None), Err(Corrupt));
}

#[test]
fn a_large_queue_is_saved_in_several_blocks_in_the_order_of_pushing() {
    let mut queue = Queue::default();
    for serial in 0..300 {
        let push = Push { payload: &[7; 1_000], ..plain(b"") };
        queue.apply(decide_push(Some(&queue), &push, START).unwrap().effect.expect("a push"));
        assert_eq!(queue.next_serial, serial + 1);
    }
    let blocks = saved(&queue);
    assert!((7..10).contains(&blocks.len()), "{}", blocks.len());
    assert_eq!(saved(&loaded(&blocks).unwrap()), blocks);
    let mut swapped = blocks;
    // Behind the head, the minutes and the events.
    swapped.swap(3, 4);
    assert!(loaded(&swapped).is_err());
}

/// Serial 3 waits for 1 and 2; 2 has taken the place of 0.
fn waiting_queue() -> Queue {
    let mut queue = Queue::default();
    (queue.clock, queue.next_serial, queue.highest_token) = (21, 22, 23);
    let plain = full_job().with(|job| (job.extra, job.settled) = (None, Settled::Open));
    let with = |life| plain.clone().with(|job| job.extra_mut().life = Some(Box::new(life)));
    let flow = Flow { after: [0, 1].into(), on_dead: OnDead::Fail, open: 2 };
    assert!(queue.insert(1, plain.clone()));
    assert!(queue.insert(2, with(Life { anchor: Some(0), ..Life::default() })));
    let child = with(Life { flow: Some(flow), ..Life::default() });
    assert!(queue.insert(3, child.with(|job| job.state = State::Blocked)));
    queue.flows.edges.extend([(0, false, 3), (1, false, 3)]);
    queue
}

#[test]
fn what_waits_for_what_is_saved_and_comes_back() {
    let changes: [fn(&mut Queue); 12] = [
        |_| {},
        |queue| _ = (queue.flows.edges.remove(&(0, false, 3)), flow_of(queue).open -= 1),
        |queue| _ = (queue.flows.edges.remove(&(1, false, 3)), flow_of(queue).open -= 1),
        |queue| {
            flow_of(queue).on_dead = OnDead::Run;
        },
        |queue| {
            flow_of(queue).on_dead = OnDead::Wait;
            queue.flows.edges = [(0, true, 3), (1, true, 3)].into();
        },
        |queue| _ = queue.flows.ended.insert(1, (Outcome::Done, (*b"a").into())),
        |queue| _ = queue.flows.ended.insert(1, (Outcome::Dead, (*b"a").into())),
        |queue| _ = queue.flows.ended.insert(1, (Outcome::Gone, (*b"a").into())),
        |queue| _ = queue.flows.ended.insert(1, (Outcome::Gone, (*b"b").into())),
        |queue| _ = queue.flows.loose.insert(4, (OnDead::Wait, vec![9, 8])),
        |queue| _ = queue.flows.loose.insert(4, (OnDead::Run, vec![9, 8])),
        |queue| {
            queue.flows.loose.insert(4, (OnDead::Wait, vec![9, 8]));
            queue.flows.edges.insert((9, true, 4));
        },
    ];
    let all = changes.map(|change| {
        let mut queue = waiting_queue();
        change(&mut queue);
        queue
    });
    for (i, one) in all.iter().enumerate() {
        let again = reloaded(one);
        assert_eq!(saved(&again), saved(one));
        assert_eq!(again.jobs, one.jobs);
        assert_eq!((&again.flows.edges, &again.flows.heirs), (&one.flows.edges, &one.flows.heirs));
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

fn flow_of(queue: &mut Queue) -> &mut Flow {
    queue.jobs.get_mut(3).and_then(|job| job.flow_mut()).expect("a flow")
}

#[test]
fn edges_that_lead_from_nowhere_are_corrupt() {
    let changes: [fn(&mut Queue); 8] = [
        |queue| drop(queue.take_out(1)),
        |queue| drop(queue.take_out(2)),
        |queue| queue.change(3, |job| job.state = State::Delayed),
        |queue| queue.flows.edges.clear(),
        |queue| flow_of(queue).after = [].into(),
        |queue| flow_of(queue).after = [1, 0].into(),
        |queue| flow_of(queue).after = [1, 1].into(),
        |queue| _ = queue.flows.loose.insert(3, (OnDead::Wait, vec![9])),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut queue = waiting_queue();
        change(&mut queue);
        let blocks = saved(&queue);
        // One that waits no more has no edges any more.
        assert_eq!(loaded(&blocks).is_err(), i != 2, "change {i}");
    }
    let mut heirs = waiting_queue();
    heirs.jobs.get_mut(2).and_then(|job| job.life_mut()).expect("a life").anchor = Some(1);
    assert!(loaded(&saved(&heirs)).is_err(), "an anchor of two jobs");
}

#[test]
fn a_circle_of_jobs_that_wait_for_each_other_is_loaded_and_does_no_harm() {
    let mut queue = waiting_queue();
    let waits = Flow { after: [3].into(), on_dead: OnDead::Fail, open: 1 };
    queue.change(1, |job| {
        job.state = State::Blocked;
        job.extra_mut().life = Some(Box::new(Life { flow: Some(waits), ..Life::default() }));
    });
    queue.flows.edges.insert((3, false, 1));
    let mut world = World::new();
    world.replica = Some(reloaded(&queue));
    world.primary = Some(reloaded(&queue));
    assert_eq!(world.cancel(&[&automatic_id(3)]), [Cancelled::Removed]);
    let view = job(world.primary.as_ref(), &automatic_id(1), world.now).unwrap();
    assert_eq!(
        (view.state, view.error),
        (State::Dead, Some(&b"the job '#3' that it waited for is gone"[..]))
    );
    check_indexes(world.queue());
    assert_eq!(blocks(world.primary.as_ref()), blocks(world.replica.as_ref()));
}
