//! Effects: what is written and what is refused.

use super::encoding::*;
use crate::domain::codec::{Corrupt, Reader};
use crate::domain::jobq::effect::{AfterFail, Change, Grant, JobUpdate};
use crate::domain::jobq::state::new_job::{KeyClaim, NewDependencies, NewJob, NewKey};
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::schedules::{RunBounds, RunProgress};
use crate::domain::jobq::state::serial::MAX_CLOCK;
use crate::domain::jobq::*;
use crate::domain::ratelimit::MAX_COUNT;
use crate::domain::time::LONGEST;
use crate::domain::token::BOUND;
use crate::domain::value::Effect as _;

#[test]
fn an_effect_without_bounds_and_counts_is_written_as_it_was_before_there_were_any() {
    let mut entry = full_entry();
    (entry.spec.bounds, entry.spec.job.cost) = (RunBounds::default(), 1);
    let mut bounded = full_entry().spec;
    bounded.job.cost = 1;
    let name = || Box::from(*b"s");
    let progress = RunProgress { behind: 7, ..RunProgress::default() };
    let fail = |kind: Option<[u8; 1]>, progress: Option<[u8; 1]>| Change::Fail {
        serial: 1,
        error: Some(Box::from(*b"error")),
        kind: kind.map(Box::from),
        progress: progress.map(Box::from),
        after_fail: AfterFail::Retry { due: 2 },
    };
    let update = |lifo: Option<bool>, no_unique: bool| Change::Update {
        serial: 1,
        update: JobUpdate { priority: Some(2), lifo, no_unique, ..JobUpdate::default() },
    };
    let with_parents = |lifo: Option<bool>| {
        let parents = NewDependencies {
            after: vec![0, 7],
            on_dead: OnDead::Run,
            dependency_error: Some((*b"e").into()),
        };
        let update = JobUpdate { priority: Some(2), lifo, parents: Some(parents), ..JobUpdate::default() };
        Change::Update { serial: 1, update }
    };
    for (tag, change) in [
        (21, Change::SetSchedule { name: name(), spec: Box::new(entry.spec), next: Some(5) }),
        (24, Change::SetNextRun { name: name(), next: Some(5), progress }),
        (26, Change::SetSchedule { name: name(), spec: Box::new(bounded), next: Some(5) }),
        (42, Change::SetSchedule { name: name(), spec: Box::new(full_entry().spec), next: Some(5) }),
        (27, Change::SetNextRun { name: name(), next: None, progress: full_entry().progress }),
        (5, fail(None, None)),
        (18, fail(Some(*b"k"), None)),
        (18, fail(None, Some(*b"p"))),
        (6, Change::Release { serial: 1, due: Some(2), progress: None }),
        (19, Change::Release { serial: 1, due: None, progress: Some(Box::default()) }),
        (36, with_parents(None)),
        (36, with_parents(Some(false))),
        (14, update(None, false)),
        (20, update(Some(true), false)),
        (20, update(None, true)),
    ] {
        let effect = Effect { now: 0, change };
        let bytes = effect.encode();
        assert_eq!(bytes[1], tag, "{effect:?}");
        assert_eq!(Effect::decode(&bytes, None), Ok(effect));
    }
}

pub(super) fn bare_job() -> NewJob {
    NewJob {
        payload: Payload::default(),
        due: 0,
        id: None,
        name: None,
        meta: None,
        retries: 0,
        priority: 0,
        lifo: false,
        group: None,
        cost: 1,
        backoff: None,
        lease: 0,
        expire: 0,
        keep: None,
        unique: None,
        dependencies: None,
    }
}

#[test]
fn an_effect_out_of_range_is_corrupt() {
    let job = bare_job();
    let dependencies = NewDependencies { after: vec![0], on_dead: OnDead::Wait, dependency_error: None };
    let of_flow = |dependencies| NewJob { dependencies: Some(dependencies), ..job.clone() };
    let key = NewKey {
        key: Box::default(),
        until: Until::Done,
        window: 0,
        cancels: false,
        since: 0,
        claim: KeyClaim::Free,
    };
    let of_key = |key| NewJob { unique: Some(key), ..job.clone() };
    let push = |job| Change::Push { serial: 0, job };
    let pop = |serial, token, deadline| Change::Pop {
        grants: [Grant { serial, token, deadline }].into(),
        rate: None,
        worker: None,
        batch: None,
        group_rates: Vec::new(),
        charge: None,
    };
    let far = 1 << 53;
    for change in [
        Change::Push { serial: far, job: job.clone() },
        push(NewJob { due: far, ..job.clone() }),
        push(NewJob { lease: LONGEST + 1, ..job.clone() }),
        push(of_flow(NewDependencies { after: vec![1 << 53], ..dependencies.clone() })),
        push(of_flow(NewDependencies { after: vec![0; MAX_AFTER + 1], ..dependencies.clone() })),
        push(of_key(NewKey { window: LONGEST + 1, ..key.clone() })),
        push(of_key(NewKey { until: Until::Time, ..key.clone() })),
        push(of_key(NewKey { cancels: false, since: 0, claim: KeyClaim::Replace(1 << 53), ..key.clone() })),
        push(NewJob { expire: LONGEST + 1, ..job.clone() }),
        push(NewJob { cost: MAX_COUNT + 1, ..job.clone() }),
        push(NewJob { keep: Some(LONGEST + 1), ..job.clone() }),
        push(NewJob { id: Some(Box::default()), ..job.clone() }),
        push(NewJob { id: Some(Box::from(*b"#a")), ..job.clone() }),
        push(NewJob { group: Some(Box::default()), ..job.clone() }),
        push(NewJob { group: Some([b'g'; MAX_NAME_BYTES + 1].into()), ..job }),
        pop(far, 1, 0),
        pop(0, 0, 0),
        pop(0, BOUND, 0),
        pop(0, 1, far),
        Change::Pop {
            grants: Vec::new().into(),
            rate: None,
            worker: None,
            batch: Some(0),
            group_rates: Vec::new(),
            charge: None,
        },
        Change::Pop {
            grants: Vec::new().into(),
            rate: None,
            worker: None,
            batch: Some(BOUND),
            group_rates: Vec::new(),
            charge: None,
        },
        Change::PauseGroup { group: Box::default(), pause: None },
        Change::SetGroup { group: Box::from(*b"g"), concurrency: Some(0) },
        Change::SetGroup { group: Box::from(*b"g"), concurrency: Some(MAX_CONCURRENCY + 1) },
        Change::Ack { serial: far, result: None },
        Change::Fail {
            serial: 0,
            error: None,
            kind: None,
            progress: None,
            after_fail: AfterFail::Retry { due: far },
        },
        Change::Release { serial: 0, due: Some(far), progress: None },
        Change::Extend { serial: 0, deadline: far, progress: None },
        Change::Log { serial: far, line: Box::default() },
        Change::Update { serial: far, update: JobUpdate::default() },
        Change::Update { serial: 0, update: JobUpdate { due: Some(far), ..JobUpdate::default() } },
    ] {
        let effect = Effect { now: 0, change };
        assert_eq!(Effect::decode(&effect.encode(), effect.payload()), Err(Corrupt), "{effect:?}");
    }
    let late = Effect { now: MAX_CLOCK, change: Change::Advance { steps: 1 } };
    assert_eq!(Effect::decode(&late.encode(), None), Err(Corrupt));
}

/// Tags of before 0.1.0: 3 was POP.
#[test]
fn a_pop_of_before_0_1_0_has_long_tokens() {
    let grant = |serial, token| Grant { serial, token, deadline: 100 + serial };
    let pop = |grants: Vec<Grant>| Effect {
        now: 100,
        change: Change::Pop {
            grants: grants.into_iter().collect(),
            rate: None,
            worker: None,
            batch: None,
            group_rates: Vec::new(),
            charge: None,
        },
    };
    let long = pop(vec![grant(1, 64 * 1_000), grant(2, 64 * 1_001 - 1), grant(3, 64 * 1_001)]);
    let mut head = long.encode();
    let tag = head.iter().position(|&byte| byte == 29).expect("the tag of POP");
    head[tag] = 3;
    let mut reader = Reader::new(&head);
    let read = Effect::read(&mut reader, None).unwrap();
    assert_eq!(read, pop(vec![grant(1, 1_000), grant(2, 1_000), grant(3, 1_001)]));
    assert_eq!(reader.highest_long_token(), Some(64 * 1_001));
    assert_eq!(Effect::decode(&read.encode(), None), Ok(read));
}
