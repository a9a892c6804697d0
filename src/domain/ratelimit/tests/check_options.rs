//! UPTO, SHADOW, LOCKOUT and HOLD.

use super::*;
use crate::domain::ratelimit::{Lockout, UNLIMITED};
use crate::domain::testing::saved_form::saved;
use crate::domain::value::{Lifetime, Value};

fn plain_check<'a>(limits: &[&'a str], cost: &str) -> Check<'a> {
    let mut request = CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes())).unwrap();
    request.set_cost(cost.as_bytes()).unwrap();
    Check::plain(request)
}

fn run<'a>(subject: &mut Subject, check: &Check<'a>, now: UnixMs) -> CheckVerdict<'a> {
    let decision = decide_check(Some(subject), check, now).unwrap();
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
    decision.reply
}

fn name(verdict: &CheckVerdict<'_>) -> String {
    String::from_utf8(verdict.binding().unwrap().name().into()).unwrap()
}

fn used(subject: &Subject, limit: &str, now: UnixMs) -> u64 {
    let check = plain_check(&[limit], "1");
    current_rows(Some(subject), &check.request, now).unwrap().rows()[0].used
}

#[test]
fn upto_takes_what_fits_into_every_limit() {
    let mut subject = Subject::default();
    let check =
        |cost| Check { upto: true, ..plain_check(&["a=10/1m", "b=7/1s:bucket", "c=inf/day@UTC"], cost) };
    assert_eq!(run(&mut subject, &check("4"), 1_000).taken_cost(), 4);
    assert_eq!(run(&mut subject, &check("1000000000000"), 1_000).taken_cost(), 3);
    let denied = run(&mut subject, &check("5"), 1_000);
    assert_eq!((denied.taken_cost(), name(&denied).as_str()), (0, "b"));
    assert_eq!(denied.binding().unwrap().retry_after_ms, 143);
    assert_eq!(run(&mut subject, &check("5"), 2_000).taken_cost(), 3);
    assert_eq!(used(&subject, "c=inf/day@UTC", 2_000), 10);
}

#[test]
fn a_shadow_passes_and_takes_only_what_is_allowed() {
    let mut subject = Subject::default();
    let check = |cost| Check { shadow: true, ..plain_check(&["2/1m"], cost) };
    assert_eq!(run(&mut subject, &check("2"), 1_000).taken_cost(), 2);
    let before = saved(&subject);
    let denied = run(&mut subject, &check("2"), 2_000);
    assert_eq!((denied.taken_cost(), denied.binding().unwrap().retry_after_ms), (2, 59_000));
    assert_eq!(run(&mut subject, &check("3"), 2_000).binding().unwrap().retry_after_ms, -1);
    assert_eq!(saved(&subject), before);
    let lockout = Some(Lockout::steady(60_000));
    run(&mut subject, &Check { lockout, ..check("2") }, 2_000);
    assert_eq!(saved(&subject), before);
}

#[test]
fn a_denial_locks_out_longer_each_time() {
    let mut subject = Subject::default();
    let lockout = Some(Lockout::growing(10_000, 3, 60_000).unwrap());
    let check = || Check { lockout, ..plain_check(&["1/1s"], "1") };
    assert!(run(&mut subject, &check(), 1_000).allowed());
    let denied = run(&mut subject, &check(), 1_000);
    let row = denied.binding().unwrap();
    assert_eq!((name(&denied).as_str(), row.retry_after_ms, row.spec().as_str()), ("@lock", 10_000, "lock"));
    // Nothing lengthens a lock, and nothing is charged during it.
    let before = saved(&subject);
    assert_eq!(run(&mut subject, &check(), 5_000).binding().unwrap().retry_after_ms, 6_000);
    assert_eq!(run(&mut subject, &plain_check(&["x=9/1s"], "1"), 5_000).taken_cost(), 0);
    assert_eq!(saved(&subject), before);
    for (now, length) in [(11_000, 30_000), (41_000, 60_000), (101_000, 60_000)] {
        assert!(run(&mut subject, &check(), now).allowed());
        assert_eq!(run(&mut subject, &check(), now).binding().unwrap().retry_after_ms, length);
    }
    // The level is forgotten MAX after the last lock, and with it the key.
    assert_eq!(subject.lifetime(), Lifetime::Until(161_000 + 60_000));
    assert!(run(&mut subject, &check(), 221_000).allowed());
    assert_eq!(run(&mut subject, &check(), 221_000).binding().unwrap().retry_after_ms, 10_000);
}

#[test]
fn what_can_never_pass_locks_nobody_out() {
    let mut subject = Subject::default();
    let lockout = Some(Lockout::steady(10_000));
    let denied = run(&mut subject, &Check { lockout, ..plain_check(&["1/1s"], "2") }, 1_000);
    assert_eq!(denied.binding().unwrap().retry_after_ms, -1);
    assert!(saved(&subject).is_empty());
}

#[test]
fn a_hold_answers_alike_when_it_is_sent_again() {
    let mut subject = Subject::default();
    let check = |cost| Check { hold: Some((b"h", 60_000)), ..plain_check(&["a=10/1m", "b=20/1h"], cost) };
    let first = run(&mut subject, &check("a=4,b=9"), 1_000);
    assert_eq!((first.taken_cost(), name(&first).as_str()), (9, "b"));
    let before = saved(&subject);
    let again = run(&mut subject, &check("a=4,b=9"), 2_000);
    assert_eq!((again.taken_cost(), name(&again).as_str(), again.allowed()), (9, "b", true));
    assert_eq!(saved(&subject), before);
    for other in [check("a=4"), check("3"), Check { hold: Some((b"h", 1)), ..check("a=4,b=9") }] {
        let refusal = decide_check(Some(&subject), &other, 2_000).unwrap_err();
        assert_eq!(refusal.code, Code::Mismatch);
    }
    // The same answer even if nothing is left. After the hold has expired, a new call.
    run(&mut subject, &plain_check(&["b=20/1h"], "11"), 2_000);
    assert_eq!(run(&mut subject, &check("a=4,b=9"), 60_999).taken_cost(), 9);
    assert_eq!(run(&mut subject, &check("a=4,b=9"), 61_000).taken_cost(), 0);
    let denied = Check { hold: Some((b"other", 1_000)), ..plain_check(&["a=10/1m"], "11") };
    run(&mut subject, &denied, 2_000);
    assert!(subject.restrictions().unwrap().holds.open(b"other", 2_000).is_none());
}

#[test]
fn a_key_has_a_thousand_open_holds_at_most() {
    let mut subject = Subject::default();
    let check = |id: &'static [u8]| Check { hold: Some((id, 1_000)), ..plain_check(&["inf/1d:fixed"], "1") };
    for n in 0..1_000u32 {
        let id: &'static [u8] = Box::leak(n.to_string().into_bytes().into_boxed_slice());
        run(&mut subject, &check(id), 1_000);
    }
    let refusal = decide_check(Some(&subject), &check(b"more"), 1_999).unwrap_err();
    assert_eq!(refusal.to_string(), "ERR too many holds: at most 1000 may be open under a key");
    assert!(run(&mut subject, &check(b"more"), 2_000).allowed());
    assert_eq!(subject.restrictions().unwrap().holds.len(), 1);
    assert_eq!(used(&subject, "inf/1d:fixed", 2_000), 1_001);
    assert!(used(&subject, "inf/1d:fixed", 2_000) < UNLIMITED);
}

#[test]
fn a_shadow_that_would_deny_opens_a_hold_that_charges_nothing() {
    let mut subject = Subject::default();
    run(&mut subject, &plain_check(&["a=2/1m"], "2"), 1_000);
    let check = Check { shadow: true, hold: Some((b"h", 60_000)), ..plain_check(&["a=2/1m"], "2") };
    let first = run(&mut subject, &check, 2_000);
    assert_eq!((first.taken_cost(), first.binding().unwrap().retry_after_ms), (2, 59_000));
    assert_eq!(used(&subject, "a=2/1m", 2_000), 2);
    let before = saved(&subject);
    assert_eq!(run(&mut subject, &check, 3_000).taken_cost(), 2);
    assert_eq!(saved(&subject), before);
    let settled = crate::domain::ratelimit::decide_settle(Some(&subject), b"h", b"3", 3_000).unwrap();
    subject.apply(settled.effect.unwrap());
    assert_eq!(used(&subject, "a=2/1m", 3_000), 5);
}

#[test]
fn a_hold_of_cost_zero_can_be_settled_later() {
    let limits = ["calls=9/1m", "w=9/1m", "b=9/1m:bucket", "d=9/day@UTC"];
    let mut subject = Subject::default();
    let check = Check { hold: Some((b"h", 60_000)), ..plain_check(&limits, "w=0,b=0,d=0") };
    assert_eq!(run(&mut subject, &check, 1_000).taken_cost(), 1);
    // Other calls in between do not end what the hold can charge.
    run(&mut subject, &plain_check(&limits[1..], "1"), 2_000);
    let settled =
        crate::domain::ratelimit::decide_settle(Some(&subject), b"h", b"w=3,b=3,d=3", 3_000).unwrap();
    subject.apply(settled.effect.unwrap());
    for limit in &limits[1..] {
        assert_eq!(used(&subject, limit, 3_000), 4, "{limit}");
    }
}
