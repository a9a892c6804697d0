//! Effects and bytes that no primary has written: whatever they say, the queue stays whole.

use super::encoding_of_effects::bare_job;
use super::harness::*;
use super::shared_rates::rate_charges;
use crate::domain::codec::Corrupt;
use crate::domain::jobq::effect::GroupCharge;
use crate::domain::jobq::effect::{AfterFail, Change, Grant, JobUpdate};
use crate::domain::jobq::state::new_job::{KeyClaim, NewDependencies, NewJob, NewKey};
use crate::domain::jobq::state::schedules::{RunBounds, RunProgress, ScheduleSpec};
use crate::domain::jobq::state::serial::{MAX_AHEAD, MAX_CLOCK};
use crate::domain::jobq::*;
use crate::domain::ratelimit::MAX_COUNT;
use crate::domain::ratelimit::tests::strategies::any_effects;
use crate::domain::time::{LONGEST, UnixMs};
use crate::domain::token::BOUND;
use crate::domain::value::{Effect as _, Value};
use proptest::prelude::*;
use std::sync::Arc;

fn bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..6).prop_map(Vec::into_boxed_slice)
}

fn part() -> impl Strategy<Value = Option<Box<[u8]>>> {
    prop::option::of(bytes())
}

/// Few ids, so that they meet.
fn ids() -> impl Strategy<Value = Option<Box<[u8]>>> {
    prop::option::of((b'a'..b'e').prop_map(|id| Box::from([id])))
}

/// Near each other, or as far as decoding lets them be.
fn times() -> impl Strategy<Value = UnixMs> {
    prop_oneof![4 => 0..50u64, 1 => MAX_CLOCK - 50..MAX_CLOCK + 50, 1 => (1 << 53) - 50..1u64 << 53]
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    let wait = || prop_oneof![1..100u64, LONGEST - 1..=LONGEST];
    prop_oneof![
        wait().prop_map(Backoff::Fixed),
        (wait(), 0..=100u8).prop_map(|(first, jitter)| Backoff::Exponential { first, most: LONGEST, jitter }),
        prop::collection::vec(wait(), 1..4).prop_map(|list| Backoff::List(list.into())),
    ]
}

fn turns() -> impl Strategy<Value = KeyClaim> {
    prop_oneof![2 => Just(KeyClaim::Free), 2 => Just(KeyClaim::Wait), 1 => (0..6u64).prop_map(KeyClaim::Replace), 1 => Just(KeyClaim::Dead)]
}

fn new_jobs() -> impl Strategy<Value = NewJob> {
    let backoff = prop::option::of(backoffs().prop_map(Box::new));
    let lease = prop_oneof![0..50u64, LONGEST - 1..=LONGEST];
    let group = prop::option::of((b'g'..b'i').prop_map(|name| Box::from([name])));
    let rank = (prop_oneof![-1..2i32, any::<i32>()], any::<bool>(), group);
    let span = || prop_oneof![0..30u64, LONGEST - 1..=LONGEST];
    let lifetime = (prop_oneof![2 => Just(0), 1 => span()], prop::option::weighted(0.3, span()));
    let key =
        (b'x'..b'z', prop::sample::select(Until::ALL.to_vec()), 1..20u64, turns(), (any::<bool>(), times()));
    let key = key.prop_map(|(key, until, window, claim, (cancels, since))| NewKey {
        key: [key].into(),
        until,
        window,
        claim,
        cancels,
        since,
    });
    let options = (prop_oneof![0..4u16, Just(u16::MAX)], backoff, lease, rank, lifetime);
    let costs = prop_oneof![3 => Just(1), 1 => 0..5u64, 1 => Just(MAX_COUNT)];
    let ties = (prop::option::of(key), prop::option::of(dependencies()), costs);
    let job = (bytes(), times(), ids(), part(), part(), options, ties);
    job.prop_map(|(payload, due, id, name, meta, options, (unique, dependencies, cost))| {
        let (retries, backoff, lease, (priority, lifo, group), (expire, keep)) = options;
        NewJob {
            payload: (&*payload).into(),
            due,
            id,
            name,
            meta,
            retries,
            backoff,
            lease,
            priority,
            lifo,
            group,
            cost,
            expire,
            keep,
            unique,
            dependencies,
        }
    })
}

fn configs() -> impl Strategy<Value = Config> {
    let settings = [
        ("aging", "1ms"),
        ("aging", "3650d"),
        ("concurrency", "2"),
        ("group_concurrency", "off"),
        ("rate", "3/1s:bucket"),
        ("keep_done", "0s/0"),
        ("stall_max", "0"),
        ("events", "0"),
        ("events", "2"),
    ];
    prop::collection::vec(prop::sample::select(settings.to_vec()), 0..3).prop_map(|settings| {
        let mut config = Config::default();
        for (field, value) in settings {
            config.set(field.as_bytes(), value.as_bytes()).expect("a good value");
        }
        config
    })
}

fn schedule_names() -> impl Strategy<Value = Box<[u8]>> {
    (b'a'..b'd').prop_map(|name| Box::from([name]))
}

fn run_bounds() -> impl Strategy<Value = RunBounds> {
    let bound = || prop::option::of(times());
    (bound(), bound(), prop::option::of(1..=u64::MAX)).prop_map(|(start, end, max_runs)| RunBounds {
        start,
        end: end.map(|end| end.max(start.unwrap_or(0))),
        max_runs,
    })
}

fn spec() -> impl Strategy<Value = Box<ScheduleSpec>> {
    let pattern = prop::sample::select(vec!["* * * * * *", "0 0 * * *", "@every 2s", "nonsense", ""]);
    let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "Nowhere"]);
    let catch_up = prop::sample::select(CatchUp::ALL.to_vec());
    (pattern, zone, catch_up, any::<bool>(), run_bounds(), new_jobs()).prop_map(
        |(pattern, zone, catch_up, overlap, bounds, job)| {
            let (pattern, zone) = (pattern.as_bytes().into(), zone.as_bytes().into());
            Box::new(ScheduleSpec {
                pattern,
                zone,
                catch_up,
                overlap,
                bounds,
                job: NewJob { id: None, due: 0, unique: None, dependencies: None, ..job },
            })
        },
    )
}

fn changes_of_schedules() -> impl Strategy<Value = Change> {
    let next = || prop::option::of(times());
    prop_oneof![
        2 => (schedule_names(), spec(), next()).prop_map(|(name, spec, next)| Change::SetSchedule { name, spec, next }),
        1 => schedule_names().prop_map(|name| Change::DeleteSchedule { name }),
        3 => (schedule_names(), times()).prop_map(|(name, due)| Change::RunSchedule { name, due }),
        1 => (schedule_names(), next(), any::<u32>(), any::<u64>(), times()).prop_map(
            |(name, next, behind, made, missed_until)| {
                Change::SetNextRun { name, next, progress: RunProgress { made, behind, missed_until } }
            },
        ),
        2 => schedule_names().prop_map(|name| Change::HoldSchedule { name }),
    ]
}

fn dependencies() -> impl Strategy<Value = NewDependencies> {
    let on_dead = prop::sample::select(OnDead::ALL.to_vec());
    (prop::collection::vec(0..6u64, 0..3), on_dead, part()).prop_map(|(after, on_dead, dependency_error)| {
        let dependency_error = dependency_error.filter(|error| error.len() > 4);
        NewDependencies { after, on_dead, dependency_error }
    })
}

fn given() -> impl Strategy<Value = JobUpdate> {
    let lifo = prop::option::of(any::<bool>());
    (
        prop::option::of(any::<i32>()),
        prop::option::of(times()),
        prop::option::of(any::<u16>()),
        part(),
        lifo,
        (any::<bool>(), prop::option::of(dependencies())),
    )
        .prop_map(|(priority, due, retries, payload, lifo, (no_unique, parents))| JobUpdate {
            priority,
            due,
            retries,
            payload: payload.map(|payload| (&*payload).into()),
            lifo,
            no_unique,
            parents,
        })
}

fn group_names() -> impl Strategy<Value = Box<[u8]>> {
    prop::sample::select(vec![Box::from(*b"a"), Box::from(*b"b")])
}

fn changes() -> impl Strategy<Value = Change> {
    let serial = || prop_oneof![9 => 0..6u64, 1 => MAX_AHEAD - 10..MAX_AHEAD, 1 => times()];
    let token = prop_oneof![1..50u64, BOUND - 50..BOUND];
    let grant =
        (serial(), token, times()).prop_map(|(serial, token, deadline)| Grant { serial, token, deadline });
    let after_fail = prop_oneof![Just(AfterFail::Dead), times().prop_map(|due| AfterFail::Retry { due })];
    prop_oneof![
        prop_oneof![Just(2_000), any::<u32>()].prop_map(|steps| Change::Advance { steps }),
        (serial(), new_jobs()).prop_map(|(serial, job)| Change::Push { serial, job }),
        (serial(), new_jobs()).prop_map(|(serial, job)| Change::Push { serial, job }),
        (
            prop::collection::vec(grant, 0..4),
            prop::option::weighted(0.2, any_effects()),
            part(),
            (prop::option::of(1..50u64), prop::option::weighted(0.3, rate_charges())),
            prop::collection::vec((0..4usize, any_effects()), 0..2),
        )
            .prop_map(|(grants, rate, worker, (batch, charge), charges)| Change::Pop {
                grants: grants.into(),
                rate: rate.map(Box::new),
                worker,
                batch,
                charge: charge.map(Arc::new),
                group_rates: charges
                    .into_iter()
                    .map(|(nth, effect)| GroupCharge { nth, effect: Box::new(effect) })
                    .collect(),
            }),
        (group_names(), prop::option::of((prop::option::of(times()), any::<bool>()))).prop_map(
            |(group, pause)| Change::PauseGroup {
                group,
                pause: pause.map(|(until, pushes)| Pause { until, pushes }),
            }
        ),
        (group_names(), prop::option::of(1..4u32))
            .prop_map(|(group, concurrency)| Change::SetGroup { group, concurrency }),
        configs().prop_map(|config| Change::Configure(Box::new(config))),
        prop::option::of((prop::option::of(times()), any::<bool>()))
            .prop_map(|pause| Change::Pause(pause.map(|(until, pushes)| Pause { until, pushes }))),
        (serial(), part()).prop_map(|(serial, result)| Change::Ack { serial, result }),
        (serial(), part(), part(), part(), after_fail).prop_map(
            |(serial, error, kind, progress, after_fail)| Change::Fail {
                serial,
                error,
                kind,
                progress,
                after_fail
            }
        ),
        (serial(), prop::option::of(times()), part()).prop_map(|(serial, due, progress)| Change::Release {
            serial,
            due,
            progress
        }),
        (serial(), times(), part()).prop_map(|(serial, deadline, progress)| Change::Extend {
            serial,
            deadline,
            progress
        }),
        (serial(), bytes()).prop_map(|(serial, line)| Change::Log { serial, line }),
        (serial(), given()).prop_map(|(serial, update)| Change::Update { serial, update }),
        changes_of_schedules(),
        changes_of_schedules(),
        serial().prop_map(|serial| Change::Remove { serial }),
        serial().prop_map(|serial| Change::Purge { serial }),
        serial().prop_map(|serial| Change::RequestCancel { serial }),
        prop::collection::vec(serial(), 0..3).prop_map(|serials| Change::Redrive { serials }),
    ]
}

fn effects() -> impl Strategy<Value = Effect> {
    (prop_oneof![9 => 0..60u64, 1 => MAX_CLOCK - 50..MAX_CLOCK], changes())
        .prop_map(|(now, change)| Effect { now, change })
}

fn histories() -> impl Strategy<Value = Vec<Effect>> {
    prop::collection::vec(effects(), 0..30)
}

/// How much can be left out of its saved form.
fn size(queue: &Queue) -> usize {
    let dependency_graph = &queue.dependency_graph;
    queue.jobs.len()
        + queue.keys.held.len()
        + dependency_graph.ended.len()
        + dependency_graph.cancelled_edges.len()
}

fn after(history: Vec<Effect>) -> Queue {
    let mut queue = Queue::default();
    history.into_iter().for_each(|effect| queue.apply(effect));
    queue
}

#[test]
fn a_push_that_no_primary_sends_leaves_the_queue_usable() {
    let push = |serial| Effect { now: 1, change: Change::Push { serial, job: bare_job() } };
    let serials = [MAX_CLOCK - 2, MAX_CLOCK - 1, MAX_CLOCK, (1 << 53) - 1, MAX_AHEAD];
    let mut queue = after(serials.map(push).to_vec());
    assert_eq!((queue.jobs.len(), queue.next_serial), (0, 0));
    queue.apply(push(0));
    queue.apply(push(1));
    assert_eq!((queue.jobs.len(), queue.next_serial), (2, 2));
    assert!(loaded(&saved(&queue)).is_ok() && queue.has_room());
}

proptest! {
    #[test]
    fn an_effect_reads_back_as_it_was_written(effect in effects(), cut in any::<prop::sample::Index>()) {
        let head = effect.encode();
        prop_assert_eq!(Effect::decode(&head[..cut.index(head.len())], effect.payload()), Err(Corrupt));
        prop_assert_eq!(Effect::decode(&[&head[..], &[0]].concat(), effect.payload()), Err(Corrupt));
        let other = if effect.payload().is_some() { None } else { Some(&b"x"[..]) };
        prop_assert_eq!(Effect::decode(&head, other), Err(Corrupt));
        prop_assert_eq!(Effect::decode(&head, effect.payload()), Ok(effect));
    }

    #[test]
    fn any_effects_leave_a_queue_that_can_be_used_saved_and_loaded(history in histories(), now in times()) {
        let mut queue = Queue::default();
        for effect in history {
            queue.apply(effect);
            check_indexes(&queue);
        }
        let again = loaded(&saved(&queue));
        prop_assert!(again.is_ok());
        prop_assert_eq!(saved(&again.unwrap()), saved(&queue));
        prop_assert!(loaded(&saved(&queue.duplicate())).is_ok());
        let mut world = World::new();
        world.now = now.min(MAX_CLOCK - 1);
        let ids: Vec<_> = queue.jobs.iter().map(|(serial, job)| (job.shown_id(serial).to_vec(), job.token)).collect();
        world.replica = Some(loaded(&saved(&queue)).unwrap());
        world.primary = Some(queue);
        for (id, token) in ids {
            let _ = job(world.primary.as_ref(), &id, now);
            let _ = world.extend(&id, token, Some(LONGEST));
            let _ = world.release(&id, token, LONGEST);
            let _ = world.fail(&id, token, &Fail { chance: u64::MAX, ..FAIL });
        }
        let _ = (stats(world.primary.as_ref(), now), world.queue().next_due(now), world.queue().memory());
        // Refused while the queue is closed to pushes.
        let _ = world.try_push(&Push { due: Due::After(LONGEST), ..plain(b"x") });
        prop_assert_eq!(saved(world.queue()), blocks(world.replica.as_ref()));
        prop_assert!(loaded(&saved(world.queue())).is_ok());
    }

    #[test]
    fn changed_bytes_are_refused_or_give_a_queue_that_saves_as_those_bytes(
        history in histories(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let queue = after(history);
        let mut blocks = saved(&queue);
        let block = blocks.last_mut().expect("at least the head");
        let at = at.index(block.len());
        block[at] ^= flip;
        if let Ok(other) = loaded(&blocks) {
            check_indexes(&other);
            prop_assert_eq!(saved(&other), blocks);
        }
    }

    #[test]
    fn a_cut_or_repeated_block_is_corrupt(history in histories(), cut in any::<prop::sample::Index>()) {
        let queue = after(history);
        let whole = saved(&queue);
        for (i, block) in whole.iter().enumerate() {
            let mut blocks = whole.clone();
            blocks[i].truncate(cut.index(block.len()));
            // A block may end after any job, key or schedule: what is left is then a queue with
            // fewer of them. So it is with turns and the use of the rate.
            let parts = |queue: &Queue| size(queue) + queue.schedules.len();
            if let Ok(other) = loaded(&blocks) {
                let counted = block[0] < 5 || block[0] == 7;
                prop_assert!(i > 0 && (!counted || parts(&other) < parts(&queue)));
            }
            blocks[i].clone_from(block);
            blocks.push(block.clone());
            prop_assert!(parts(&queue) == 0 || loaded(&blocks).is_err());
        }
    }

    #[test]
    fn random_bytes_never_panic(
        kind in 0u8..30,
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        history in histories(),
    ) {
        let bytes = [&[kind], &bytes[..]].concat();
        for payload in [None, Some(&b"payload"[..])] {
            if let Ok(effect) = Effect::decode(&bytes, payload) {
                let mut queue = after(history.clone());
                queue.apply(effect);
                check_indexes(&queue);
            }
        }
        let _ = loaded(std::slice::from_ref(&bytes));
        let _ = loaded(&[saved(&after(history)).remove(0), bytes]);
    }
}
