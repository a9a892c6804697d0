//! Single histories, told one by one.

use super::harness::*;
use crate::domain::jobq::decide::settle::Failed;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::{DAY, HOUR};
use crate::domain::token::TokenClock;
use crate::domain::value::Value;
use std::collections::HashSet;

fn world_with(ids: &[&[u8]]) -> World {
    let mut world = World::new();
    for id in ids {
        assert_eq!(world.push(&named(id)), Pushed::New(JobId::from(Box::from(*id))));
    }
    world
}

fn popped_ids(popped: &[Popped<'_>]) -> Vec<String> {
    popped.iter().map(|job| String::from_utf8_lossy(&job.id).into_owned()).collect()
}

#[test]
fn a_failing_job_is_tried_again_after_two_four_and_eight_seconds_and_then_is_dead() {
    let mut world = world_with(&[b"a"]);
    for (attempt, wait) in [(1, 2_000), (2, 4_000), (3, 8_000)] {
        let job = world.pop_one();
        assert_eq!(job.attempt, attempt);
        let due = world.now + wait;
        assert_eq!(world.fail(b"a", job.token, &FAIL), Ok(Failed { state: Some(State::Delayed), due }));
        world.now = due - 1;
        assert_eq!(world.pop(1, None), []);
        assert_eq!(world.state(b"a"), State::Delayed);
        world.now = due;
        assert_eq!(world.state(b"a"), State::Ready);
    }
    let job = world.pop_one();
    assert_eq!(job.attempt, 4);
    assert_eq!(world.fail(b"a", job.token, &FAIL), Ok(Failed { state: Some(State::Dead), due: 0 }));
    world.now += HOUR;
    assert_eq!(world.pop(1, None), []);
    assert_eq!(stats(world.primary.as_ref(), world.now).dead, 1);
    let totals = Totals { pushed: 1, failed: 4, retried: 3, died: 1, ..Totals::default() };
    assert_eq!(world.queue().totals, totals);
}

#[test]
fn a_late_ack_counts_until_the_job_is_popped_again() {
    let mut world = world_with(&[b"a", b"b"]);
    let popped = world.pop(2, Some(100));
    world.now += 100;
    assert_eq!(world.ack(b"a", popped[0].token), Ok(()));
    assert_eq!(world.state(b"a"), State::Done);
    let again = world.pop_one();
    assert_eq!((&*again.id, again.attempt), (&b"b"[..], 1));
    assert_eq!(world.ack(b"b", popped[1].token).unwrap_err().code, Code::Fenced);
    assert_eq!(world.state(b"b"), State::Active);
    assert_eq!(world.ack(b"b", again.token), Ok(()));
}

#[test]
fn a_fail_after_a_stall_is_a_failure_like_any_other() {
    let mut world = world_with(&[b"a"]);
    let job = world.pop_one();
    world.now += 150;
    let due = world.now + 2_000;
    assert_eq!(world.fail(b"a", job.token, &FAIL), Ok(Failed { state: Some(State::Delayed), due }));
    world.now += 2_000;
    // Said again when the wait is over: the same answer, and no second failure.
    assert_eq!(world.fail(b"a", job.token, &FAIL), Ok(Failed { state: Some(State::Delayed), due }));
    assert_eq!(world.pop_one().attempt, 2);
    assert_eq!(world.queue().totals.stalled, 1);
    assert_eq!(world.queue().totals.failed, 1);
}

#[test]
fn an_extend_after_the_lease_is_fenced_and_does_not_bring_it_back() {
    let mut world = world_with(&[b"a"]);
    let job = world.pop_one();
    world.now += 99;
    assert_eq!(world.extend(b"a", job.token, Some(100)), Ok(Extended::Held));
    world.now += 100;
    assert_eq!(world.extend(b"a", job.token, Some(100)).unwrap_err().code, Code::Fenced);
    assert_eq!(world.state(b"a"), State::Ready);
}

#[test]
fn a_released_job_goes_before_those_pushed_after_it_and_is_not_charged() {
    let mut world = world_with(&[b"a"]);
    let job = world.pop_one();
    world.now += 10;
    world.push(&named(b"b"));
    assert_eq!(world.release(b"a", job.token, 0), Ok(()));
    assert_eq!(world.release(b"a", job.token, 0), Ok(()));
    let popped = world.pop(2, None);
    assert_eq!(popped_ids(&popped), ["a", "b"]);
    assert_eq!(popped[0].attempt, 1);
}

#[test]
fn the_fourth_stall_is_death_and_is_seen_before_anything_moves_the_job() {
    let mut world = world_with(&[b"a"]);
    for _ in 0..3 {
        world.pop_one();
        world.now += 100;
    }
    let job_token = world.pop_one().token;
    world.now += 130;
    let seen = |world: &World| {
        let view = job(world.primary.as_ref(), b"a", world.now).unwrap();
        let error = String::from_utf8(view.error.expect("why").to_vec()).unwrap();
        (view.state, view.stalls, view.at, error)
    };
    let expected = (State::Dead, 4, world.now, "stalled: its lease ran out too often".to_owned());
    let totals = Totals { pushed: 1, stalled: 4, died: 1, ..Totals::default() };
    assert_eq!(seen(&world), expected);
    assert_eq!(stats(world.primary.as_ref(), world.now).totals, totals);
    world.advance();
    assert_eq!(seen(&world), expected);
    assert_eq!(world.queue().totals, totals);
    let dead = Failed { state: Some(State::Dead), due: 0 };
    assert_eq!(world.fail(b"a", job_token, &FAIL), Ok(dead));
    assert_eq!(world.release(b"a", job_token, 0).unwrap_err().code, Code::Fenced);
    // Its work was done after all.
    assert_eq!(world.ack(b"a", job_token), Ok(()));
    assert_eq!(world.state(b"a"), State::Done);
}

#[test]
fn a_copy_leaves_the_leases_with_the_original() {
    let mut world = world_with(&[b"a", b"b", b"c"]);
    let popped = world.pop(2, None);
    assert_eq!(world.fail(b"b", popped[1].token, &FAIL).map(|failed| failed.state), Ok(Some(State::Delayed)));
    let before = blocks(world.primary.as_ref());
    let mut copy = World::new();
    (copy.primary, copy.replica) = (Some(world.queue().duplicate()), Some(world.queue().duplicate()));
    copy.tokens.clone_from(&world.tokens);
    assert_eq!(blocks(world.primary.as_ref()), before);
    check_indexes(copy.queue());
    for job in &popped {
        assert_eq!(copy.ack(&job.id, job.token).unwrap_err().code, Code::Fenced);
    }
    let again = copy.pop(10, None);
    assert_eq!(popped_ids(&again), ["a", "c"]);
    assert!(again.iter().all(|job| job.token > popped[1].token));
    copy.now += 2_000;
    assert_eq!(copy.pop_one().attempt, 2);
    assert_eq!(world.ack(b"a", popped[0].token), Ok(()));
}

#[test]
fn error_and_result_are_shown_with_the_job() {
    let mut world = world_with(&[b"a"]);
    let token = world.pop_one().token;
    let fail = Fail { error: Some(b"no answer"), delay: Some(5), ..FAIL };
    world.fail(b"a", token, &fail).unwrap();
    assert_eq!(job(world.primary.as_ref(), b"a", world.now).unwrap().error, Some(&b"no answer"[..]));
    world.now += 5;
    let token = world.pop_one().token;
    let ack = |queue: Option<&Queue>, now| decide_ack(queue, b"a", token, Some(b"42"), now);
    world.run(|queue, now, _| ack(queue, now)).unwrap();
    let view = job(world.primary.as_ref(), b"a", world.now).unwrap();
    assert_eq!(view.job.result(), Some(&b"42"[..]));
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_due_early_and_no_token_smaller() {
    let mut world = world_with(&[b"a"]);
    let first = world.pop_one();
    world.now -= HOUR;
    world.push(&Push { due: Due::After(10), ..named(b"b") });
    assert_eq!(world.queue().next_due(world.now), Some(START + 10));
    assert_eq!(world.pop(1, None), []);
    assert_eq!(world.state(b"a"), State::Active);
    world.now = START + 9;
    assert_eq!(world.pop(1, None), []);
    world.now = START + 10;
    assert!(world.pop_one().token > first.token);
}

#[test]
fn an_active_job_does_not_expire_but_when_it_comes_back_it_is_gone() {
    let mut world = World::new();
    world.push(&Push { expire: Some(50), due: Due::After(20), ..named(b"a") });
    world.push(&Push { expire: Some(50), due: Due::After(20), ..named(b"b") });
    world.now = START + 69;
    let popped = world.pop(2, Some(100));
    assert_eq!(popped_ids(&popped), ["a", "b"]);
    world.now = START + 80;
    assert_eq!((world.state(b"a"), world.queue().next_due(world.now)), (State::Active, Some(START + 169)));
    assert_eq!(world.ack(b"b", popped[1].token), Ok(()));
    world.now = START + 169;
    assert_eq!(job(world.primary.as_ref(), b"a", world.now).unwrap_err().code, Code::NoJob);
    assert_eq!(world.pop(1, None), []);
    assert_eq!(world.ack(b"a", popped[0].token).unwrap_err().code, Code::NoJob);
    assert_eq!((world.queue().totals.expired, world.queue().totals.stalled), (1, 1));
    assert_eq!(world.state(b"b"), State::Done);
}

#[test]
fn expire_covers_the_retries_and_begins_anew_with_a_redrive() {
    let mut world = World::new();
    world.push(&Push { expire: Some(3_000), ..named(b"a") });
    world.push(&Push { expire: Some(3_000), retries: Some(0), ..named(b"b") });
    for job in world.pop(2, None) {
        world.fail(&job.id, job.token, &FAIL).unwrap();
    }
    world.now += 2_500;
    let token = world.pop_one().token;
    world.fail(b"a", token, &FAIL).unwrap();
    world.now += 500;
    world.advance();
    assert_eq!((world.queue().jobs.len(), world.queue().totals.expired), (1, 1));
    assert_eq!(world.push(&named(b"a")), Pushed::New(JobId::from(Box::from(*b"a"))));
    // A dead job waits for nothing, so it does not expire.
    world.now += HOUR;
    let redrive = Redrive { ids: Some(&[b"b"]), limit: 1, ..Redrive::default() };
    assert_eq!(world.redrive(&redrive), Moved { moved: 1, left: 0 });
    world.now += 2_999;
    assert_eq!(world.state(b"b"), State::Ready);
    world.now += 1;
    assert_eq!(job(world.primary.as_ref(), b"b", world.now).unwrap_err().code, Code::NoJob);
}

#[test]
fn a_job_with_keep_is_known_as_long_as_it_says_done_or_dead() {
    let mut world = World::new();
    for (id, keep) in [(b"n", 0), (b"s", 15), (b"l", 2 * (7 * DAY))] {
        world.push(&Push { keep: Some(keep), retries: Some(0), ..named(id) });
        let token = world.pop_one().token;
        world.ack(id, token).unwrap();
    }
    world.push(&Push { keep: Some(0), retries: Some(0), ..named(b"dead") });
    let token = world.pop_one().token;
    world.fail(b"dead", token, &FAIL).unwrap();
    let known = |world: &World| -> Vec<bool> {
        let known = |id: &[u8]| job(world.primary.as_ref(), id, world.now).is_ok();
        [&b"n"[..], b"s", b"l", b"dead"].into_iter().map(known).collect()
    };
    // Waiters for a result are answered before.
    world.now += 9;
    assert_eq!(known(&world), [true, true, true, true]);
    world.now += 1;
    assert_eq!(known(&world), [false, true, true, false]);
    assert_eq!(world.push(&named(b"s")), Pushed::Duplicate(Box::from(*b"s")));
    world.now += 5;
    assert_eq!(known(&world), [false, false, true, false]);
    assert_eq!(world.push(&named(b"s")), Pushed::New(JobId::from(Box::from(*b"s"))));
    world.now += 7 * DAY;
    assert_eq!(world.push(&named(b"l")), Pushed::Duplicate(Box::from(*b"l")));
    assert_eq!(world.purge(State::Done, 0), Moved { moved: 1, left: 0 });
}

#[test]
fn a_long_error_is_cut_at_the_end_of_a_character_and_the_failure_is_recorded() {
    let mut world = World::new();
    world.push(&Push { retries: Some(0), ..named(b"a") });
    let token = world.pop_one().token;
    let error = "\u{20ac}".repeat(2_000);
    world.fail(b"a", token, &Fail { error: Some(error.as_bytes()), ..FAIL }).unwrap();
    let view = job(world.primary.as_ref(), b"a", world.now).unwrap();
    let kept = view.error.expect("an error");
    assert_eq!((kept.len(), view.state), (MAX_ERROR_BYTES / 3 * 3, State::Dead));
    assert!(std::str::from_utf8(kept).is_ok());
}

#[test]
fn a_dead_job_says_which_attempt_was_its_last() {
    let mut world = World::new();
    let attempt = |world: &World, id: &[u8]| {
        let view = job(world.primary.as_ref(), id, world.now).unwrap();
        (view.state, view.job.attempt())
    };
    for (id, retries) in [(b"a", 0), (b"b", 1)] {
        world.push(&Push { retries: Some(retries), ..named(id) });
        for _ in 0..=retries {
            let token = world.pop_one().token;
            world.fail(id, token, &Fail { delay: Some(0), ..FAIL }).unwrap();
        }
        assert_eq!(attempt(&world, id), (State::Dead, 1 + u32::from(retries)));
    }
    world.configure("stall_max", "0");
    world.push(&named(b"stalls"));
    world.pop_one();
    world.now += 100;
    world.advance();
    assert_eq!(attempt(&world, b"stalls"), (State::Dead, 1));
    assert_eq!(job(world.primary.as_ref(), b"stalls", world.now).unwrap().kind, Some(&b"stalled"[..]));
    let after = After { ids: &[b"a"], on_dead: OnDead::Fail };
    world.push(&Push { after: Some(after), ..named(b"never") });
    assert_eq!(attempt(&world, b"never"), (State::Dead, 0));
}

#[test]
fn what_a_run_reported_of_its_progress_comes_with_the_next_one() {
    let mut world = World::new();
    world.push(&named(b"a"));
    let first = world.pop_one();
    assert_eq!(first.progress, None);
    world.progress(b"a", first.token, b"1").unwrap();
    world.release_with(b"a", first.token, 5, Some(b"2")).unwrap();
    world.now += 5;
    let second = world.pop_one();
    assert_eq!((second.progress.as_deref(), second.attempt), (Some(&b"2"[..]), 1));
    let fail = Fail { progress: Some(b"3"), delay: Some(0), ..FAIL };
    world.fail(b"a", second.token, &fail).unwrap();
    let third = world.pop_one();
    assert_eq!((third.progress.as_deref(), third.attempt), (Some(&b"3"[..]), 2));
    // A worker that has lost its lease, but not its token, still says how far it came.
    world.now += 100;
    world.release_with(b"a", third.token, 0, Some(b"4")).unwrap();
    let fourth = world.pop_one();
    assert_eq!(fourth.progress.as_deref(), Some(&b"4"[..]));
    world.ack(b"a", fourth.token).unwrap();
    let done = Redrive { done: true, limit: 1, ..Redrive::default() };
    assert_eq!(world.redrive(&done), Moved { moved: 1, left: 0 });
    assert_eq!(world.pop_one().progress, None, "a run that succeeded leaves nothing");
}

#[test]
fn failures_are_redriven_and_purged_by_kind_error_and_age() {
    let mut world = World::new();
    for (id, kind, error) in [(b"a", b"rate", "429 slow"), (b"b", b"http", "500"), (b"c", b"rate", "429")] {
        world.push(&Push { retries: Some(0), ..named(id) });
        let token = world.pop_one().token;
        let fail = Fail { kind: Some(kind), error: Some(error.as_bytes()), ..FAIL };
        world.fail(id, token, &fail).unwrap();
        world.now += 10;
    }
    let of_kind = JobFilter { kind: Some(b"rate"), error: None };
    let older = Redrive { filter: of_kind.clone(), older: 20, limit: 9, ..Redrive::default() };
    assert_eq!(world.redrive(&older), Moved { moved: 1, left: 2 });
    assert_eq!(world.state(b"a"), State::Ready);
    let of_error = JobFilter { kind: None, error: Some(Glob::new(b"*00")) };
    let purge = Purge { state: State::Dead, filter: of_error, older: 0, limit: 9 };
    assert_eq!(world.purge_by(&purge), Moved { moved: 1, left: 1 });
    assert_eq!(world.redrive(&Redrive { filter: of_kind, limit: 9, ..Redrive::default() }).moved, 1);
    assert_eq!(world.state(b"c"), State::Ready);
}

#[test]
fn an_automatic_id_is_never_another_jobs_when_pushes_were_lost() {
    let mut world = World::new();
    let Pushed::New(lost) = world.push(&plain(b"lost")) else { panic!("a new job") };
    let lost = lost.to_vec();
    // A replica that has not heard of the push takes over.
    (world.primary, world.replica) = (None, None);
    world.now += 1;
    let Pushed::New(id) = world.push(&plain(b"other")) else { panic!("a new job") };
    assert_ne!(&*id, &lost[..]);
    assert_eq!(world.cancel(&[&lost]), [Cancelled::Gone]);
    assert_eq!(world.state(&id), State::Ready);
}

#[test]
fn an_automatic_id_is_never_another_jobs_where_the_clock_is_behind_the_queue() {
    let mut ids = HashSet::new();
    // Each run begins with the same queue, as it has lost what the others pushed.
    for chance in [0, 1_000_000, 5_000_000, u64::from(u32::MAX) - 10] {
        let mut queue = Queue::default();
        let mut tokens = TokenClock::new();
        let first = decide_push(None, &plain(b"kept"), START, &tokens).unwrap();
        queue.apply(first.effect.unwrap());
        tokens.skip(START, chance);
        for now in [START - 1_000, START - 1_000, START - 999, START] {
            let decision = decide_push(Some(&queue), &plain(b"lost"), now, &tokens).unwrap();
            let effect = decision.effect.unwrap();
            assert_eq!(queue.follows_from_call(&effect), ids.len() % 4 != 0, "only the first one skips");
            queue.apply(effect);
            let Pushed::New(id) = decision.reply else { panic!("a new job") };
            assert!(ids.insert(id.to_vec()), "{id:?} came twice");
        }
    }
}

#[test]
fn the_newest_push_of_a_key_takes_over_what_waits_for_the_running_holder() {
    let mut world = World::new();
    let unique =
        UniqueKey { key: b"k", until: Until::Done, window: None, on_dup: OnDup::Cancel, max_wait: None };
    world.push(&Push { unique: Some(unique), ..named(b"a") });
    let token = world.pop_one().token;
    world.push(&Push { after: Some(After { ids: &[b"a"], on_dead: OnDead::Fail }), ..named(b"child") });
    world.push(&Push { unique: Some(unique), ..named(b"b") });
    assert_eq!(world.extend(b"a", token, Some(100)), Ok(Extended::Cancelled));
    let circle = Push {
        unique: Some(unique),
        after: Some(After { ids: &[b"child"], on_dead: OnDead::Fail }),
        ..named(b"circle")
    };
    assert_eq!(world.try_push(&circle).unwrap_err().code, Code::Err);
    world.primary = world.primary.as_ref().map(reloaded);
    world.replica = world.replica.as_ref().map(reloaded);
    check_indexes(world.queue());
    // What it had done all the same is done.
    world.ack(b"a", token).unwrap();
    assert_eq!((world.state(b"a"), world.state(b"child")), (State::Done, State::Blocked));
    let token = world.pop_one().token;
    world.ack(b"b", token).unwrap();
    assert_eq!(world.state(b"child"), State::Ready);
    check_indexes(world.queue());
}

#[test]
fn a_batch_that_the_rate_cuts_short_is_full_as_soon_as_the_rate_allows_it() {
    let mut world = World::new();
    world.configure("rate", "2/25ms");
    world.push(&plain(b"first"));
    world.pop_one();
    world.now += 10;
    world.push(&plain(b"second"));
    world.push(&plain(b"third"));
    let pop = Pop { count: 2, linger: Some(HOUR), ..Pop::default() };
    assert_eq!(world.pop_as(&pop), []);
    assert_eq!(next_pop_due(world.queue(), &pop, world.now), Some(START + 25));
    world.now = START + 24;
    assert_eq!(world.pop_as(&pop), []);
    world.now = START + 25;
    assert_eq!(world.pop_as(&pop).len(), 2);
}
