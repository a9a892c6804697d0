//! A clock that is set back: waits stay within their own periods, and nothing is granted twice.

use crate::domain::ratelimit::state::leases::Lease;
use crate::domain::ratelimit::*;
use crate::domain::time::{DAY, UnixMs};
use crate::domain::token::TokenClock;
use crate::domain::value::{Effect as _, Lifetime, Value};
use proptest::prelude::*;

const HOUR: u64 = 3_600_000;
/// 2026-11-21 10:00 UTC.
const NOW: UnixMs = 1_795_255_200_000;

fn request<'a>(limits: &[&'a str], cost: u64) -> CheckRequest<'a> {
    let mut request = CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes())).unwrap();
    request.set_cost(cost.to_string().as_bytes()).unwrap();
    request
}

/// What every write does first.
fn advance(subject: &mut Subject, now: UnixMs) {
    if let Some(effect) = subject.overdue(now) {
        let bytes = effect.encode();
        subject.apply(Effect::decode(&bytes, None).unwrap());
        assert_eq!(subject.overdue(now), None);
    }
}

fn run<'a>(subject: &mut Subject, check: &Check<'a>, now: UnixMs) -> (u64, i64, u64) {
    advance(subject, now);
    let decision = decide_check(Some(subject), check, now).unwrap();
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
    let row = *decision.reply.binding().unwrap();
    (decision.reply.taken_cost(), row.retry_after_ms, row.reset_after_ms)
}

fn check(subject: &mut Subject, limit: &str, cost: u64, now: UnixMs) -> (u64, i64, u64) {
    run(subject, &Check::plain(request(&[limit], cost)), now)
}

#[test]
fn no_wait_is_longer_than_its_own_period_an_hour_earlier() {
    for (limit, longest) in [
        ("5/1m", 60_000),
        ("n=5/1m", 60_000),
        ("5/1m:bucket", 60_000),
        ("n=5/1m:bucket", 60_000),
        ("5/1m:burst=10", 120_000),
        ("5/1m:fixed", 60_000),
        ("5/day@UTC", DAY),
    ] {
        let mut subject = Subject::default();
        let capacity = request(&[limit], 1).items()[0].limit.rule.capacity();
        assert_eq!(check(&mut subject, limit, capacity, NOW).0, capacity);
        let (taken, retry, reset) = check(&mut subject, limit, capacity, NOW - HOUR);
        assert_eq!(taken, 0, "{limit}");
        assert!(retry > 0 && retry as u64 <= longest && reset <= longest, "{limit}: {retry} {reset}");
        // The wait is right: a call after it passes, and 1 ms before it does not.
        let then = NOW - HOUR + retry as u64;
        assert_eq!(check(&mut subject.clone(), limit, capacity, then - 1).0, 0, "{limit}");
        assert_eq!(check(&mut subject, limit, capacity, then).0, capacity, "{limit}");
        let Lifetime::Until(end) = subject.lifetime() else { panic!("{limit}") };
        assert!(end <= then + longest + DAY * u64::from(limit.contains("day")), "{limit}");
    }
}

#[test]
fn a_part_that_was_used_stays_used_and_no_more() {
    for limit in ["n=5/1m", "5/1m", "n=5/1m:bucket", "5/1m:fixed", "5/day@UTC"] {
        let mut subject = Subject::default();
        check(&mut subject, limit, 2, NOW);
        assert_eq!(check(&mut subject, limit, 4, NOW - HOUR).0, 0, "{limit}");
        assert_eq!(check(&mut subject, limit, 3, NOW - HOUR).0, 3, "{limit}");
        assert_eq!(check(&mut subject, limit, 1, NOW - HOUR).0, 0, "{limit}");
    }
}

#[test]
fn locks_holds_and_places_keep_their_length() {
    let mut subject = Subject::default();
    subject.apply(decide_lock(None, 60_000, NOW).effect.unwrap());
    assert_eq!(check(&mut subject, "5/1m", 1, NOW - HOUR).1, 60_000);
    subject.apply(decide_unlock(Some(&subject), NOW - HOUR).effect.unwrap());

    let acquire = Acquire { holder: b"h", max: 1, lease: 30_000, token: None };
    let granted = decide_acquire(Some(&subject), &acquire, NOW, &TokenClock::new()).unwrap();
    subject.apply(granted.effect.unwrap());
    let other = Acquire { holder: b"o", ..acquire };
    let mut earlier = subject.clone();
    advance(&mut earlier, NOW - HOUR);
    let denied = decide_acquire(Some(&earlier), &other, NOW - HOUR, &TokenClock::new()).unwrap().reply;
    assert_eq!(denied.retry_after_ms, 30_000);

    let held = Check { hold: Some((b"id", 60_000)), ..Check::plain(request(&["5/1h"], 1)) };
    run(&mut subject, &held, NOW);
    // The next write moves it, and it ends a minute later.
    check(&mut subject, "5/1h", 1, NOW - HOUR);
    assert!(decide_settle(Some(&subject), b"id", b"2", NOW - HOUR + 59_999).is_ok());
    assert!(decide_settle(Some(&subject), b"id", b"2", NOW - HOUR + 60_000).is_err());
    let leases = &subject.restrictions().unwrap().leases;
    let moved = Lease { end: NOW - HOUR + 30_000, at: NOW - HOUR, token: granted.reply.token };
    assert_eq!(leases.live(b"h", NOW - HOUR), Some(moved));
}

#[test]
fn a_debt_beyond_the_capacity_survives_a_clock_that_is_set_back() {
    for limit in ["5/1m:bucket", "n=5/1m:bucket"] {
        let mut subject = Subject::default();
        let held = Check { hold: Some((b"id", 1_000)), ..Check::plain(request(&[limit], 1)) };
        run(&mut subject, &held, NOW);
        subject.apply(decide_settle(Some(&subject), b"id", b"20", NOW).unwrap().effect.unwrap());
        // The hold ends; the debt of 20 tokens takes four minutes.
        let reset = |subject: &Subject, now| {
            let rebased = Subject::rebased(Some(subject), now);
            let subject = rebased.as_ref().unwrap_or(subject);
            current_rows(Some(subject), &request(&[limit], 1), now).unwrap().rows()[0].reset_after_ms
        };
        let mut other = subject.clone();
        check(&mut other, "x=1/1m", 1, NOW + 2_000);
        assert_eq!(reset(&other, NOW + 2_000), 238_000);
        assert!(reset(&other, NOW - HOUR) >= 238_000 && reset(&other, NOW - HOUR) <= 240_000, "{limit}");
    }
}

proptest! {
    /// A replica and a server that reloaded agree with the primary, whatever the clock does.
    #[test]
    fn a_replica_and_a_reload_agree_whatever_the_clock_does(
        calls in prop::collection::vec((-200_000i64..100_000, 0usize..7, 1u64..4, 0u8..4), 1..40),
    ) {
        let limits = ["3/50s", "n=3/50s", "3/50s:bucket", "n=9/20s:burst=4", "4/80s:fixed", "6/day@UTC", "m=2/9s"];
        let (mut primary, mut replica) = (Subject::default(), Subject::default());
        let mut now = NOW;
        for (step, limit, cost, kind) in calls {
            now = now.saturating_add_signed(step);
            let mut check = Check::plain(request(&[limits[limit]], cost));
            if kind == 0 {
                check.hold = Some((b"id", 60_000));
            }
            if let Some(effect) = primary.overdue(now) {
                primary.apply(effect.clone());
                replica.apply(effect);
            }
            let Ok(decision) = decide_check(Some(&primary), &check, now) else { continue };
            let row = *decision.reply.binding().unwrap();
            let longest = match limits[limit] {
                "6/day@UTC" => DAY,
                "n=9/20s:burst=4" | "n=3/50s" => 50_000,
                "4/80s:fixed" => 80_000,
                "m=2/9s" => 9_000,
                _ => 50_000,
            };
            prop_assert!(row.retry_after_ms <= longest as i64, "{} {:?}", limits[limit], row);
            if let Some(effect) = decision.effect {
                let effect = Effect::decode(&effect.encode(), None).unwrap();
                primary.apply(effect.clone());
                let mut blocks = Vec::new();
                replica.save(&mut |block| blocks.push(block.to_vec()));
                let mut reloaded = Subject::default();
                for block in &blocks {
                    reloaded.load(Subject::ENCODING, block).unwrap();
                }
                reloaded.apply(effect);
                replica = reloaded;
                let save = |subject: &Subject| {
                    let mut bytes = Vec::new();
                    subject.save(&mut |block| bytes.extend_from_slice(block));
                    bytes
                };
                prop_assert_eq!(save(&primary), save(&replica));
            }
        }
    }
}
