//! Effects and bytes that no primary has written: whatever they say, the queue stays whole.

use proptest::prelude::*;

use super::effect::{Change, FAR, Fate, Grant, NewJob};
use super::world::*;
use super::*;
use crate::domain::codec::Corrupt;
use crate::domain::time::{LONGEST, UnixMs};
use crate::domain::token::BOUND;
use crate::domain::value::{Effect as _, Value};

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
    prop_oneof![4 => 0..50u64, 1 => FAR - 50..FAR + 50, 1 => (1 << 53) - 50..1u64 << 53]
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    let wait = || prop_oneof![1..100u64, LONGEST - 1..=LONGEST];
    prop_oneof![
        wait().prop_map(Backoff::Fixed),
        (wait(), 0..=100u8).prop_map(|(first, jitter)| Backoff::Exponential { first, most: LONGEST, jitter }),
        prop::collection::vec(wait(), 1..4).prop_map(|list| Backoff::List(list.into())),
    ]
}

fn new_jobs() -> impl Strategy<Value = NewJob> {
    let backoff = prop::option::of(backoffs().prop_map(Box::new));
    let lease = prop_oneof![0..50u64, LONGEST - 1..=LONGEST];
    let rank = (prop_oneof![-1..2i32, any::<i32>()], any::<bool>());
    (bytes(), times(), ids(), part(), part(), prop_oneof![0..4u32, Just(u32::MAX)], backoff, lease, rank)
        .prop_map(|(payload, due, id, name, meta, retries, backoff, lease, (priority, lifo))| NewJob {
            payload,
            due,
            id,
            name,
            meta,
            retries,
            backoff,
            lease,
            priority,
            lifo,
        })
}

fn changes() -> impl Strategy<Value = Change> {
    let serial = || prop_oneof![9 => 0..6u64, 1 => FAR - 20..FAR - 10];
    let token = prop_oneof![1..50u64, BOUND - 50..BOUND];
    let grant =
        (serial(), token, times()).prop_map(|(serial, token, deadline)| Grant { serial, token, deadline });
    let fate = prop_oneof![Just(Fate::Dead), times().prop_map(|due| Fate::Retry { due })];
    prop_oneof![
        prop_oneof![Just(2_000), any::<u32>()].prop_map(|steps| Change::Advance { steps }),
        (serial(), new_jobs()).prop_map(|(serial, job)| Change::Push { serial, job }),
        (serial(), new_jobs()).prop_map(|(serial, job)| Change::Push { serial, job }),
        prop::collection::vec(grant, 0..4).prop_map(|grants| Change::Pop { grants }),
        (serial(), part()).prop_map(|(serial, result)| Change::Ack { serial, result }),
        (serial(), part(), fate).prop_map(|(serial, error, fate)| Change::Fail { serial, error, fate }),
        (serial(), prop::option::of(times())).prop_map(|(serial, due)| Change::Release { serial, due }),
        (serial(), times()).prop_map(|(serial, deadline)| Change::Extend { serial, deadline }),
    ]
}

fn effects() -> impl Strategy<Value = Effect> {
    (prop_oneof![9 => 0..60u64, 1 => FAR - 50..FAR], changes())
        .prop_map(|(now, change)| Effect { now, change })
}

fn histories() -> impl Strategy<Value = Vec<Effect>> {
    prop::collection::vec(effects(), 0..30)
}

fn after(history: Vec<Effect>) -> Queue {
    let mut queue = Queue::default();
    history.into_iter().for_each(|effect| queue.apply(effect));
    queue
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
        world.now = now.min(FAR - 1);
        let ids: Vec<_> = queue.jobs.iter().map(|(serial, job)| (job.shown_id(*serial).to_vec(), job.token)).collect();
        world.replica = Some(loaded(&saved(&queue)).unwrap());
        world.primary = Some(queue);
        for (id, token) in ids {
            let _ = job(world.primary.as_ref(), &id, now);
            let _ = world.extend(&id, token, Some(LONGEST));
            let _ = world.release(&id, token, LONGEST);
            let _ = world.fail(&id, token, &Fail { chance: u64::MAX, ..FAIL });
        }
        let _ = (stats(world.primary.as_ref(), now), world.queue().next_due(), world.queue().memory());
        world.push(&Push { due: Due::After(LONGEST), ..plain(b"x") });
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
            // A block may end after any job: what is left is then a queue with fewer jobs.
            if let Ok(other) = loaded(&blocks) {
                prop_assert!(i > 0 && other.jobs.len() < queue.jobs.len());
            }
            blocks[i].clone_from(block);
            blocks.push(block.clone());
            prop_assert_eq!(loaded(&blocks).is_ok(), queue.jobs.is_empty());
        }
    }

    #[test]
    fn random_bytes_never_panic(
        kind in 0u8..9,
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
