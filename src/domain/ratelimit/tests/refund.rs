use super::*;
use crate::domain::ratelimit::{Check, decide_check};
use crate::domain::testing::saved_form::saved;
use crate::domain::value::{Lifetime, Value};
use proptest::prelude::*;

fn request<'a>(limits: &[&'a str], cost: &str) -> CheckRequest<'a> {
    let mut request = CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes())).unwrap();
    request.set_cost(cost.as_bytes()).unwrap();
    request
}

fn check(subject: &mut Subject, limit: &str, cost: u64, hold: Option<&[u8]>, now: UnixMs) -> bool {
    let request = request(&[limit], &cost.to_string());
    let check = Check { hold: hold.map(|id| (id, 1_000_000)), ..Check::plain(request) };
    let decision = decide_check(Some(subject), &check, now).unwrap();
    let allowed = decision.reply.allowed();
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
    allowed
}

fn refund(subject: &mut Subject, limit: &str, cost: u64, now: UnixMs) {
    let decision = decide_refund(Some(subject), &request(&[limit], &cost.to_string()), now).unwrap();
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
}

fn settle(subject: &mut Subject, id: &[u8], costs: &str, now: UnixMs) -> Result<(), Refusal> {
    let decision = decide_settle(Some(subject), id, costs.as_bytes(), now)?;
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
    Ok(())
}

fn used(subject: &Subject, limit: &str, now: UnixMs) -> u64 {
    crate::domain::ratelimit::current_rows(Some(subject), &request(&[limit], "1"), now).unwrap().rows()[0]
        .used
}

const KINDS: [&str; 4] = ["10/1m", "10/1m:burst=10", "10/1m:fixed", "10/month@UTC"];

#[test]
fn a_refund_gives_back_up_to_the_capacity_and_never_more() {
    for limit in KINDS {
        let mut subject = Subject::default();
        for _ in 0..3 {
            assert!(check(&mut subject, limit, 3, None, 1_000));
        }
        refund(&mut subject, limit, 4, 1_000);
        assert_eq!(used(&subject, limit, 1_000), 5, "{limit}");
        refund(&mut subject, limit, 1_000, 1_000);
        assert_eq!(used(&subject, limit, 1_000), 0, "{limit}");
        assert!(saved(&subject).is_empty(), "{limit}");
        refund(&mut subject, limit, 1, 1_000);
        assert_eq!(subject.lifetime(), Lifetime::Over);
    }
    assert!(decide_refund(None, &request(&["10/1m"], "1"), 1_000).unwrap().effect.is_none());
}

#[test]
fn a_refund_on_a_window_takes_the_oldest_entries_that_count() {
    let mut subject = Subject::default();
    for now in [0, 40_000, 50_000] {
        assert!(check(&mut subject, "a=10/1m", 3, None, now));
    }
    // The first has left the window at 70,000; the refund is of the second.
    refund(&mut subject, "a=10/1m", 2, 70_000);
    assert_eq!([70_000, 99_999, 100_000, 110_000].map(|now| used(&subject, "a=10/1m", now)), [4, 4, 3, 0]);
}

#[test]
fn a_settled_hold_charges_what_it_has_cost() {
    for limit in KINDS {
        let mut subject = Subject::default();
        assert!(check(&mut subject, limit, 6, Some(b"h"), 1_000));
        assert!(!check(&mut subject, limit, 5, None, 1_000));
        settle(&mut subject, b"h", "2", 1_000).unwrap();
        assert_eq!(used(&subject, limit, 1_000), 2, "{limit}");
        let once = saved(&subject);
        settle(&mut subject, b"h", "2", 1_500).unwrap();
        assert_eq!(saved(&subject), once, "a re-send changes nothing");
        // More than the capacity is a debt.
        settle(&mut subject, b"h", "25", 1_000).unwrap();
        assert_eq!(used(&subject, limit, 1_000), 25, "{limit}");
        assert!(!check(&mut subject, limit, 1, None, 1_000));
        settle(&mut subject, b"h", "0", 1_000).unwrap();
        assert_eq!(used(&subject, limit, 1_000), 0, "{limit}");
        // The full limit is kept while the hold is open, so that it can be charged again.
        assert!(check(&mut subject, "other=1/1s", 1, None, 1_000));
        settle(&mut subject, b"h", "7", 1_000).unwrap();
        assert_eq!(used(&subject, limit, 1_000), 7, "{limit}");
    }
}

#[test]
fn a_hold_that_ran_out_cannot_be_settled() {
    let mut subject = Subject::default();
    assert!(check(&mut subject, "10/1d", 6, Some(b"h"), 1_000));
    let refusal = settle(&mut subject, b"h", "2", 1_001_000).unwrap_err();
    assert_eq!(refusal.to_string(), "NOHOLD no open hold 'h'; its charge is final");
    assert_eq!(used(&subject, "10/1d", 1_001_000), 6);
    assert_eq!(decide_settle(None, b"h", b"1", 0).unwrap_err().code, Code::NoHold);
}

#[test]
fn costs_are_settled_by_name_and_the_unlisted_stay() {
    let mut subject = Subject::default();
    let both = Check {
        hold: Some((b"h", 1_000)),
        ..Check::plain(request(&["in=100/1h", "out=100/1h"], "in=10,out=50"))
    };
    subject.apply(decide_check(None, &both, 1_000).unwrap().effect.unwrap());
    settle(&mut subject, b"h", "out=70", 1_000).unwrap();
    assert_eq!((used(&subject, "in=100/1h", 1_000), used(&subject, "out=100/1h", 1_000)), (10, 70));
    settle(&mut subject, b"h", "in=0,out=7", 1_000).unwrap();
    assert_eq!((used(&subject, "in=100/1h", 1_000), used(&subject, "out=100/1h", 1_000)), (0, 7));
    let refusal = settle(&mut subject, b"h", "x=1", 1_000).unwrap_err();
    assert_eq!(refusal.to_string(), "ERR COST 'x=1': no limit of this hold is named 'x'");
    let refusal = settle(&mut subject, b"h", "1000000000001", 1_000).unwrap_err();
    assert!(refusal.to_string().ends_with("must be between 0 and 1000000000000"));
}

#[test]
fn a_period_that_has_ended_is_left_alone() {
    let mut subject = Subject::default();
    assert!(check(&mut subject, "a=10/1m:fixed", 6, Some(b"h"), 1_000));
    assert!(check(&mut subject, "a=10/1m:fixed", 3, None, 61_000));
    settle(&mut subject, b"h", "0", 61_000).unwrap();
    assert_eq!(used(&subject, "a=10/1m:fixed", 61_000), 3);
    let mut subject = Subject::default();
    assert!(check(&mut subject, "a=10/1m", 6, Some(b"h"), 1_000));
    assert!(check(&mut subject, "a=10/1m", 3, None, 61_000));
    settle(&mut subject, b"h", "0", 61_000).unwrap();
    assert_eq!(used(&subject, "a=10/1m", 61_000), 3);
}

#[test]
fn what_began_anew_under_the_name_is_not_given_back() {
    for first in ["x=10/100ms", "x=10/100ms:bucket", "x=10/100ms:fixed"] {
        for then in ["x=10/1h", "x=10/1h:fixed", "x=10/day@UTC"] {
            let mut subject = Subject::default();
            assert!(check(&mut subject, first, 5, Some(b"h"), 10_000));
            assert!(check(&mut subject, then, 5, None, 10_200));
            settle(&mut subject, b"h", "0", 10_300).unwrap();
            assert_eq!(used(&subject, then, 10_300), 5, "{first} {then}");
        }
    }
    // A part of the window has left, and the period is longer afterwards.
    let mut subject = Subject::default();
    assert!(check(&mut subject, "x=10/100ms", 2, Some(b"h"), 10_000));
    assert!(check(&mut subject, "x=10/100ms", 3, None, 10_050));
    assert!(check(&mut subject, "x=10/100ms", 1, None, 10_120));
    assert!(check(&mut subject, "x=10/1h", 1, None, 10_130));
    let before = used(&subject, "x=10/1h", 10_140);
    settle(&mut subject, b"h", "0", 10_140).unwrap();
    assert_eq!(used(&subject, "x=10/1h", 10_140), before);
}

#[test]
fn reset_counts_what_is_in_use() {
    let mut subject = Subject::default();
    assert!(check(&mut subject, "s=5/50ms", 1, None, 1_000));
    assert!(check(&mut subject, "l=5/1h", 1, None, 1_000));
    let counters = [parse_counter(b"s").unwrap(), parse_counter(b"l").unwrap()];
    assert_eq!(decide_reset(Some(&subject), &counters[..1], 1_050), Decision::answer(0));
    assert_eq!(decide_reset(Some(&subject), &counters, 1_050).reply, 1);
}

#[test]
fn reset_forgets_by_name_and_by_spec_also_what_holds_charge() {
    let mut subject = Subject::default();
    let all = ["a=10/1m", "10/1m", "b=5/1h:bucket"];
    let held = Check { hold: Some((b"h", 1_000)), ..Check::plain(request(&all, "2")) };
    subject.apply(decide_check(None, &held, 1_000).unwrap().effect.unwrap());
    let reset = |subject: &mut Subject, names: &[&str]| {
        let counters: Vec<CounterKey> =
            names.iter().map(|name| parse_counter(name.as_bytes()).unwrap()).collect();
        let decision = decide_reset(Some(subject), &counters, 1_000);
        decision.effect.into_iter().for_each(|effect| subject.apply(effect));
        decision.reply
    };
    assert_eq!(reset(&mut subject, &["10/60s", "b", "c", "9/1m"]), 2);
    assert_eq!(all.map(|limit| used(&subject, limit, 1_000)), [2, 0, 0]);
    settle(&mut subject, b"h", "9", 1_000).unwrap();
    assert_eq!(all.map(|limit| used(&subject, limit, 1_000)), [9, 0, 0]);
    assert_eq!(reset(&mut subject, &["c"]), 0);
    assert_eq!(reset(&mut subject, &[]), 1);
    assert_eq!(subject.lifetime(), Lifetime::Over);
    assert!(
        parse_counter(b"a=10/1m").is_err() && parse_counter(b"").is_err() && parse_counter(b"10/0s").is_err()
    );
}

#[test]
fn a_call_whose_key_was_reset_is_not_undone_in_the_new_period() {
    let begun = 1_000_000_000;
    for (limit, later) in [("3/1h:fixed", 10), ("3/month@UTC", 40 * 24 * 3_600_000)] {
        let first = decide_check(None, &Check::plain(request(&[limit], "1")), begun).unwrap();
        let Some(Effect::Taken { charges, .. }) = first.effect else { panic!("it takes") };
        let (mut reset, now) = (Subject::default(), begun + later);
        assert!(check(&mut reset, limit, 2, None, now));
        let undo = decide_give_back(Some(&reset), charges.as_slice(), begun, now);
        assert!(undo.effect.is_none(), "{limit}");
    }
}

proptest! {
    /// Undoing the only hold leaves everything as if its call had never been made, for other calls
    /// that are allowed in both worlds.
    #[test]
    fn settling_at_nothing_undoes_the_call(
        limit in prop::sample::select(vec!["a=50/200ms", "a=50/200ms:burst=50", "a=50/month@UTC"]),
        before in prop::collection::vec((0u64..100, 1u64..10), 0..5),
        cost in 1u64..20,
        after in prop::collection::vec((0u64..150, 1u64..10), 0..8),
        last in 0u64..150,
    ) {
        let (mut with, mut without, mut now) = (Subject::default(), Subject::default(), 1_000);
        for (step, cost) in before {
            now += step;
            if check(&mut with, limit, cost, None, now) {
                prop_assert!(check(&mut without, limit, cost, None, now));
            }
        }
        prop_assume!(check(&mut with, limit, cost, Some(b"h"), now));
        for (step, cost) in after {
            now += step;
            if check(&mut with, limit, cost, None, now) {
                prop_assert!(check(&mut without, limit, cost, None, now));
            }
        }
        now += last;
        settle(&mut with, b"h", "0", now).unwrap();
        for later in [now, now + 50, now + 199] {
            prop_assert_eq!(used(&with, limit, later), used(&without, limit, later), "at {}", later);
        }
    }

    /// With several holds, never more is given back than a replay without what they gave back would
    /// have.
    #[test]
    fn holds_never_give_back_more_than_their_calls_took(
        calls in prop::collection::vec((0u64..60, 1u64..10, any::<bool>()), 1..12),
        settles in prop::collection::vec((0u64..60, any::<prop::sample::Index>(), 0u64..12), 0..8),
    ) {
        let limit = "a=50/200ms:burst=50";
        let mut subject = Subject::default();
        let mut now = 1_000;
        let mut log: Vec<(UnixMs, u64)> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (step, cost, hold) in calls {
            now += step;
            let id = log.len().to_string();
            if check(&mut subject, limit, cost, hold.then_some(id.as_bytes()), now) {
                if hold {
                    open.push(log.len());
                }
                log.push((now, cost));
            }
        }
        prop_assume!(!open.is_empty());
        for (step, which, cost) in settles {
            now += step;
            let index = open[which.index(open.len())];
            settle(&mut subject, index.to_string().as_bytes(), &cost.to_string(), now).unwrap();
            log[index].1 = cost;
            // Another algorithm: tokens that refill by 1/4 token a millisecond.
            let (mut level, mut last) = (50 * 200i64, 0);
            for &(at, cost) in &log {
                level = (level + (at - last) as i64 * 50).min(50 * 200) - cost as i64 * 200;
                last = at;
            }
            level = (level + (now - last) as i64 * 50).min(50 * 200);
            let least = (50 * 200 - level).max(0) as u64;
            prop_assert!(used(&subject, limit, now) >= least.div_ceil(200));
        }
    }

    /// Refunds against a list, the oldest that counts first; never more is left than there is.
    #[test]
    fn a_refund_is_never_above_what_was_taken(
        steps in prop::collection::vec((0u64..60, 1u64..8, any::<bool>()), 1..60),
    ) {
        for limit in ["a=20/100ms", "a=20/100ms:fixed", "a=20/100ms:burst=20"] {
            let (mut subject, mut now) = (Subject::default(), 1_000);
            let mut list: Vec<(UnixMs, u64)> = Vec::new();
            for &(step, cost, back) in &steps {
                now += step;
                list.retain(|(at, _)| now < at + 100);
                if back {
                    refund(&mut subject, limit, cost, now);
                    let mut left = cost;
                    for (_, taken) in &mut list {
                        let part = left.min(*taken);
                        *taken -= part;
                        left -= part;
                    }
                } else if check(&mut subject, limit, cost, None, now) {
                    list.push((now, cost));
                }
                let is = used(&subject, limit, now);
                prop_assert!(is <= 20);
                if limit == "a=20/100ms" {
                    prop_assert_eq!(is, list.iter().map(|(_, cost)| cost).sum::<u64>());
                }
            }
        }
    }
}

proptest! {
    /// Of a call whose client has gone: however late it is undone, no more is free than if it had
    /// never come.
    #[test]
    fn an_undone_call_leaves_no_more_than_if_it_had_never_come(
        kind in 0..KINDS.len(),
        before in prop::collection::vec((1..6_u64, 0..30_000_u64), 0..6),
        cost in 1..6_u64,
        after in prop::collection::vec((1..6_u64, 0..30_000_u64), 0..6),
        later in 0..70_000_u64,
    ) {
        let limit = KINDS[kind];
        let (mut with, mut without) = (Subject::default(), Subject::default());
        let mut now = 1_000_000;
        let both = |with: &mut Subject, without: &mut Subject, calls: &[(u64, u64)], now: &mut u64| {
            for (cost, pause) in calls {
                *now += pause;
                // The call that is undone may have begun the fixed period, which then ends earlier.
                if check(with, limit, *cost, None, *now) {
                    assert!(check(without, limit, *cost, None, *now) || limit.ends_with("fixed"));
                }
            }
        };
        both(&mut with, &mut without, &before, &mut now);
        let at = now;
        let decision = decide_check(Some(&with), &Check::plain(request(&[limit], &cost.to_string())), at).unwrap();
        let Some(effect) = decision.effect else { return Ok(()) };
        let Effect::Taken { charges, .. } = effect.clone() else { panic!("{effect:?}") };
        with.apply(effect);
        both(&mut with, &mut without, &after, &mut now);
        now += later;
        let undo = decide_give_back(Some(&with), charges.as_slice(), at, now);
        undo.effect.into_iter().for_each(|effect| with.apply(effect));
        // A fixed period that the call has begun goes on, and so ends before one that a later call
        // would begin.
        for at in [now, now + 1, now + 10_000, now + 59_000].into_iter().filter(|_| !limit.ends_with("fixed")) {
            prop_assert!(used(&with, limit, at) >= used(&without, limit, at), "{limit}");
        }
        if at == now {
            prop_assert_eq!(used(&with, limit, now), used(&without, limit, now));
        }
    }
}
