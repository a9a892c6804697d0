//! The binary forms: nothing is lost, nothing is left out, nothing out of range is taken.

use super::effect::{Change, FAR, Fate, Grant, NewJob};
use super::job::{Extra, Settled};
use super::world::*;
use super::*;
use crate::domain::codec::{Corrupt, Writer};
use crate::domain::time::LONGEST;
use crate::domain::token::BOUND;
use crate::domain::value::{Effect as _, Value};

fn full_job() -> Job {
    let extra = Extra {
        id: Some(Box::from(*b"id")),
        name: Some(Box::from(*b"name")),
        meta: Some(Box::from(*b"meta")),
        error: Some(Box::from(*b"error")),
        result: Some(Box::from(*b"result")),
        cancelled: true,
    };
    Job {
        payload: Box::from(*b"payload"),
        state: State::Delayed,
        settled: Settled::Failed,
        at: 11,
        place: 12,
        created: 13,
        token: 14,
        failures: 15,
        stalls: 16,
        retries: 17,
        priority: -18,
        lifo: true,
        lease: 18,
        backoff: Some(Box::new(Backoff::Fixed(19))),
        extra: Some(Box::new(extra)),
    }
}

fn queue_of(serial: u64, job: Job) -> Queue {
    let mut queue = Queue::default();
    (queue.clock, queue.next_serial, queue.highest_token) = (21, 22, 23);
    queue.totals = Totals { pushed: 1, acked: 2, failed: 3, retried: 4, stalled: 5, died: 6 };
    assert!(queue.insert(serial, job));
    queue
}

#[test]
fn every_field_reaches_the_saved_bytes_and_comes_back() {
    let of_queue: [fn(&mut Queue); 9] = [
        |queue| queue.clock += 1,
        |queue| queue.next_serial += 1,
        |queue| queue.highest_token += 1,
        |queue| queue.totals.pushed += 1,
        |queue| queue.totals.acked += 1,
        |queue| queue.totals.failed += 1,
        |queue| queue.totals.retried += 1,
        |queue| queue.totals.stalled += 1,
        |queue| queue.totals.died += 1,
    ];
    let of_job: [fn(&mut Job); 25] = [
        |job| job.payload = Box::default(),
        |job| (job.state, job.at) = (State::Ready, job.place),
        |job| job.state = State::Dead,
        |job| job.settled = Settled::Open,
        |job| job.settled = Settled::Released,
        |job| job.at += 1,
        |job| job.place += 1,
        |job| job.created += 1,
        |job| job.token += 1,
        |job| job.failures += 1,
        |job| job.stalls += 1,
        |job| job.retries += 1,
        |job| job.priority = i32::MIN,
        |job| job.lifo = false,
        |job| job.lease += 1,
        |job| job.backoff = None,
        |job| job.backoff = Some(Box::new(Backoff::Fixed(20))),
        |job| job.backoff = Some(Box::new(Backoff::List([19].into()))),
        |job| job.extra = None,
        |job| job.extra_mut().cancelled = false,
        |job| job.extra_mut().id = None,
        |job| job.extra_mut().name = Some(Box::default()),
        |job| job.extra_mut().meta = None,
        |job| job.extra_mut().error = None,
        |job| job.extra_mut().result = None,
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
        all.push(queue_of(3, Job { state, settled, ..full_job() }));
    }
    for (i, one) in all.iter().enumerate() {
        assert_eq!(saved(&reloaded(one)), saved(one));
        assert_eq!(reloaded(one).jobs, one.jobs);
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn a_queue_that_no_history_leaves_is_corrupt() {
    let of_job: [fn(&mut Job); 12] = [
        |job| job.state = State::Ready,
        |job| job.state = State::Active,
        |job| (job.state, job.settled, job.token) = (State::Active, Settled::Open, 0),
        |job| job.state = State::Done,
        |job| job.settled = Settled::Acked,
        |job| job.at = 1 << 53,
        |job| job.place = 1 << 53,
        |job| job.created = u64::MAX,
        |job| job.token = 24,
        |job| job.lease = LONGEST + 1,
        |job| job.extra_mut().id = Some(Box::from(*b"#1")),
        |job| job.extra_mut().id = Some(Box::default()),
    ];
    for (i, change) in of_job.into_iter().enumerate() {
        let mut job = full_job();
        change(&mut job);
        assert!(loaded(&saved(&queue_of(3, job))).is_err(), "change {i} of a job");
    }
    let of_queue: [fn(&mut Queue); 5] = [
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
fn an_effect_out_of_range_is_corrupt() {
    let job = NewJob {
        payload: Box::default(),
        due: 0,
        id: None,
        name: None,
        meta: None,
        retries: 0,
        priority: 0,
        lifo: false,
        backoff: None,
        lease: 0,
    };
    let push = |job| Change::Push { serial: 0, job };
    let pop = |serial, token, deadline| Change::Pop { grants: vec![Grant { serial, token, deadline }] };
    let far = 1 << 53;
    for change in [
        Change::Push { serial: far, job: job.clone() },
        push(NewJob { due: far, ..job.clone() }),
        push(NewJob { lease: LONGEST + 1, ..job.clone() }),
        push(NewJob { id: Some(Box::default()), ..job.clone() }),
        push(NewJob { id: Some(Box::from(*b"#a")), ..job }),
        pop(far, 1, 0),
        pop(0, 0, 0),
        pop(0, BOUND, 0),
        pop(0, 1, far),
        Change::Ack { serial: far, result: None },
        Change::Fail { serial: 0, error: None, fate: Fate::Retry { due: far } },
        Change::Release { serial: 0, due: Some(far) },
        Change::Extend { serial: 0, deadline: far },
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
    assert!((5..8).contains(&blocks.len()), "{}", blocks.len());
    assert_eq!(saved(&loaded(&blocks).unwrap()), blocks);
    let mut swapped = blocks;
    swapped.swap(1, 2);
    assert!(loaded(&swapped).is_err());
}
