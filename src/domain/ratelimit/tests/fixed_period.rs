use super::*;
use crate::domain::ratelimit::decide::check::decide_check;
use crate::domain::ratelimit::{Check, CheckRequest, CheckVerdict, Subject};
use crate::domain::time::{DAY, HOUR};
use crate::domain::value::Value;
use proptest::prelude::*;

/// 2026-11-21, a Saturday, 10:00 in UTC and 11:00 in Berlin.
const NOON: UnixMs = 1_795_255_200_000;

fn check<'a>(subject: &mut Subject, limit: &'a str, cost: u64, now: UnixMs) -> CheckVerdict<'a> {
    let mut request = CheckRequest::parse([limit.as_bytes()]).unwrap();
    request.set_cost(cost.to_string().as_bytes()).unwrap();
    let decision = decide_check(Some(subject), &Check::plain(request), now).unwrap();
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
    decision.reply
}

fn five(verdict: &CheckVerdict<'_>) -> (u64, u64, u64, i64, u64) {
    let row = verdict.binding().unwrap();
    (verdict.taken_cost(), row.capacity, row.remaining, row.retry_after_ms, row.reset_after_ms)
}

#[test]
fn a_fixed_period_begins_with_its_first_use_and_ends_all_at_once() {
    let mut subject = Subject::default();
    let limit = "3/1s:fixed";
    assert_eq!(five(&check(&mut subject, limit, 2, 500)), (2, 3, 1, 0, 1_000));
    assert_eq!(five(&check(&mut subject, limit, 1, 1_400)), (1, 3, 0, 0, 100));
    assert_eq!(five(&check(&mut subject, limit, 1, 1_499)), (0, 3, 0, 1, 1));
    assert_eq!(five(&check(&mut subject, limit, 4, 1_499)), (0, 3, 0, -1, 1));
    assert_eq!(five(&check(&mut subject, limit, 1, 1_500)), (1, 3, 2, 0, 1_000));
    // After a step back of the clock, the period still runs.
    assert_eq!(five(&check(&mut subject, limit, 3, 100)), (0, 3, 2, 2_400, 2_400));
}

#[test]
fn a_calendar_quota_ends_with_the_day_of_its_zone() {
    let mut subject = Subject::default();
    let limit = "30/day@Europe/Berlin";
    assert_eq!(five(&check(&mut subject, limit, 30, NOON)), (30, 30, 0, 0, 13 * HOUR));
    assert_eq!(five(&check(&mut subject, limit, 1, NOON + HOUR)), (0, 30, 0, 12 * HOUR as i64, 12 * HOUR));
    assert_eq!(five(&check(&mut subject, limit, 1, NOON + 13 * HOUR)), (1, 30, 29, 0, DAY));
    // Clocks that step back to the day before do not bring it back.
    assert_eq!(five(&check(&mut subject, limit, 30, NOON)).0, 0);
}

#[test]
fn no_end_of_a_quota_is_counted_and_never_denied() {
    let mut subject = Subject::default();
    let limit = "inf/week@UTC:anchor=6";
    let verdict = check(&mut subject, limit, 1_000_000_000_000, NOON);
    assert_eq!(five(&verdict), (1_000_000_000_000, UNLIMITED, UNLIMITED, 0, 6 * DAY + 14 * HOUR));
    assert_eq!((verdict.rows()[0].used, verdict.rows()[0].period_ms), (1_000_000_000_000, 7 * DAY));
    for _ in 0..10_000 {
        check(&mut subject, limit, 1_000_000_000_000, NOON);
    }
    // It ends at the maximum that clients can represent.
    assert_eq!(check(&mut subject, limit, 1, NOON).rows()[0].used, UNLIMITED);
}

#[test]
fn a_change_of_count_period_or_kind_carries_the_use_over() {
    let mut subject = Subject::default();
    check(&mut subject, "a=10/1h:fixed", 4, 1_000);
    let used = |subject: &mut Subject, limit, now| check(subject, limit, 1, now).rows()[0].used;
    assert_eq!(used(&mut subject, "a=20/1h:fixed", 2_000), 5);
    // The period goes on from its start, as long as this call has it.
    assert_eq!(five(&check(&mut subject, "a=20/2h:fixed", 1, 3_000)), (1, 20, 14, 0, 2 * HOUR - 2_000));
    assert_eq!(used(&mut subject, "a=20/day@UTC", NOON), 1);
    let mut subject = Subject::default();
    check(&mut subject, "a=10/1d:fixed", 4, NOON);
    assert_eq!(used(&mut subject, "a=20/day@UTC", NOON + 1), 5);
    assert_eq!(used(&mut subject, "a=20/month@UTC", NOON + 2), 6);
    assert_eq!(used(&mut subject, "a=20/1m", NOON + 3), 7);
    assert_eq!(used(&mut subject, "a=20/1m:bucket", NOON + 4), 8);
    assert_eq!(used(&mut subject, "a=20/1d:fixed", NOON + 5), 9);
    assert_eq!(used(&mut subject, "a=20/1d:fixed", NOON + 5 + DAY), 1);
}

proptest! {
    /// Against a list of all that was taken: a period is [first use, first use + length).
    #[test]
    fn a_fixed_period_admits_what_a_list_would(
        count in 1u64..20, length in 1u64..200, calls in prop::collection::vec((0u64..60, 1u64..8), 1..80),
    ) {
        let limit = format!("{count}/{length}ms:fixed");
        let (mut subject, mut now) = (Subject::default(), 1_000);
        let (mut begun, mut used) = (0, 0);
        for (step, cost) in calls {
            now += step;
            if used > 0 && now >= begun + length {
                used = 0;
            }
            let verdict = check(&mut subject, &limit, cost, now);
            let fits = used + cost <= count;
            prop_assert_eq!(verdict.allowed(), fits);
            if fits {
                begun = if used == 0 { now } else { begun };
                used += cost;
            }
            let row = &verdict.rows()[0];
            prop_assert_eq!((row.used, row.remaining), (used, count - used));
            let retry = if fits { 0 } else if cost > count { -1 } else { (begun + length - now) as i64 };
            prop_assert_eq!(row.retry_after_ms, retry);
        }
    }
}
