use super::*;
use crate::domain::ratelimit::limit::rule::LimitKind;
use crate::domain::time::LONGEST;
use proptest::prelude::*;

fn rule(count: u64, period_ms: u64, burst: u64) -> Rule {
    Rule { count, period_ms, kind: LimitKind::Bucket { burst } }
}

fn evaluate(bucket: &TokenBucket, rule: &Rule, cost: u64, now: UnixMs) -> LimitStatus {
    bucket.evaluate(rule, rule.capacity(), cost, now)
}

/// A model by another algorithm: tokens that refill in units of 1/period token.
struct Naive {
    level: u128,
    last: UnixMs,
}

impl Naive {
    fn level(&self, rule: &Rule, now: UnixMs) -> u128 {
        let full = u128::from(rule.capacity()) * u128::from(rule.period_ms);
        (self.level + u128::from(now - self.last) * u128::from(rule.count)).min(full)
    }
}

fn rules() -> impl Strategy<Value = Rule> {
    let small = (1u64..20, 1u64..500, 1u64..30).prop_map(|(c, p, b)| rule(c, p, b));
    let any = (1..=MAX_COUNT, 1..=LONGEST, 1..=MAX_COUNT).prop_map(|(c, p, b)| rule(c, p, b));
    let extreme = (0u8..8).prop_map(|bits| {
        let pick = |bit: u8, most| if bits & bit == 0 { 1 } else { most };
        rule(pick(1, MAX_COUNT), pick(2, LONGEST), pick(4, MAX_COUNT))
    });
    prop_oneof![4 => small, 2 => any, 1 => extreme]
}

proptest! {
    #[test]
    fn it_answers_as_trickling_tokens_would(
        rule in rules(),
        start in prop_oneof![Just(0u64), Just(1_700_000_000_000), Just((1 << 63) - 500)],
        calls in prop::collection::vec((0u64..400, 0u64..1000), 1..80),
    ) {
        let burst = rule.capacity();
        let full = u128::from(burst) * u128::from(rule.period_ms);
        let (mut bucket, mut naive) = (TokenBucket::default(), Naive { level: full, last: start });
        let mut now = start;
        let mut taken: Vec<(UnixMs, u64)> = Vec::new();
        for (gap, share) in calls {
            now += gap;
            let cost = (burst / 3 * share / 1_000).max(1 + share % 3);
            let level = naive.level(&rule, now);
            let price = u128::from(cost) * u128::from(rule.period_ms);
            let standing = evaluate(&bucket, &rule, cost, now);
            prop_assert_eq!(u128::from(burst - standing.used), level / u128::from(rule.period_ms));
            match standing.retry_after_ms {
                None => prop_assert!(cost > burst),
                Some(0) => {
                    prop_assert!(level >= price);
                    bucket.take(&rule, cost, now);
                    naive = Naive { level: level - price, last: now };
                    taken.push((now, cost));
                }
                Some(retry) => {
                    prop_assert!(level < price);
                    // Replies end at 2^53 - 2 ms; below that the wait is exact.
                    if retry < MAX_SHOWN {
                        prop_assert!(naive.level(&rule, now + retry) >= price);
                        prop_assert!(naive.level(&rule, now + retry - 1) < price);
                        prop_assert_eq!(evaluate(&bucket, &rule, cost, now + retry).retry_after_ms, Some(0));
                        prop_assert!(evaluate(&bucket, &rule, cost, now + retry - 1).retry_after_ms > Some(0));
                    }
                }
            }
            let reset = evaluate(&bucket, &rule, 1, now).reset_after_ms;
            if reset < MAX_SHOWN {
                prop_assert_eq!(naive.level(&rule, now + reset), full);
                prop_assert!(reset == 0 || naive.level(&rule, now + reset - 1) < full);
                prop_assert_eq!(bucket.unused_at().saturating_sub(now), reset);
                prop_assert!(bucket.is_unused(now + reset));
            }
        }
        for (at, &(from, _)) in taken.iter().enumerate() {
            let mut sum = 0u128;
            for &(to, cost) in &taken[at..] {
                sum += u128::from(cost);
                let refilled = u128::from(to - from) * u128::from(rule.count) / u128::from(rule.period_ms);
                prop_assert!(sum <= u128::from(burst) + refilled);
            }
        }
    }

    #[test]
    fn a_clock_that_steps_back_never_grants_extra(
        rule in rules(), start in 1_000_000u64..=1 << 63, back in 1u64..=1_000_000, cost in 1..=MAX_COUNT,
    ) {
        let mut bucket = TokenBucket::default();
        bucket.take(&rule, 1 + cost % rule.capacity(), start);
        let (before, after) = (evaluate(&bucket, &rule, 1, start), evaluate(&bucket, &rule, 1, start - back));
        prop_assert!(after.used >= before.used);
        let tat = (bucket.tat(), bucket.part);
        bucket.take(&rule, 1, start - back);
        prop_assert!((bucket.tat(), bucket.part) > tat);
        prop_assert!(u128::from(bucket.at) <= bucket.tat());
    }

    #[test]
    fn another_rule_carries_the_tokens_over(
        was in rules(), rule in rules(), share in 0u64..1000, gap in 0u64..400,
    ) {
        let now = 1_700_000_000_000 + gap;
        let mut bucket = TokenBucket::default();
        bucket.take(&was, (was.capacity() / 1_000 * share).max(1), now - gap);
        bucket.take(&was, 1, now);
        let carried = bucket.convert(&was, &rule);
        prop_assert_eq!(evaluate(&carried, &rule, 1, now).used, evaluate(&bucket, &was, 1, now).used);
        prop_assert!(carried.part < rule.count);
        // Changing the rule and back loses none of the debt.
        prop_assert!(carried.convert(&rule, &was).debt(&was, now) >= bucket.debt(&was, now));
    }
}

#[test]
fn ten_a_second_with_a_burst_of_twenty() {
    let rule = rule(10, 1_000, 20);
    let mut bucket = TokenBucket::default();
    bucket.take(&rule, 20, 1_000);
    let standing = evaluate(&bucket, &rule, 1, 1_000);
    assert_eq!(standing, LimitStatus { used: 20, retry_after_ms: Some(100), reset_after_ms: 2_000 });
    assert_eq!(evaluate(&bucket, &rule, 5, 1_250).retry_after_ms, Some(250));
    assert_eq!(evaluate(&bucket, &rule, 21, 9_000).retry_after_ms, None);
}

#[test]
fn a_third_of_a_millisecond_is_not_lost() {
    let rule = rule(3, 1, 1);
    let mut bucket = TokenBucket::default();
    bucket.take(&rule, 1, 10);
    assert_eq!((bucket.tat(), bucket.part), (10, 1));
    assert_eq!(evaluate(&bucket, &rule, 1, 10).retry_after_ms, Some(1));
    assert!(!bucket.is_unused(10));
    assert!(bucket.is_unused(11));
}

#[test]
fn ten_to_the_twelve_tokens_of_ten_years_each_are_all_counted() {
    let rule = rule(1, LONGEST, MAX_COUNT);
    let mut bucket = TokenBucket::default();
    bucket.take(&rule, MAX_COUNT, 1 << 63);
    let standing = evaluate(&bucket, &rule, 1, 1 << 63);
    assert_eq!(standing.used, MAX_COUNT);
    assert_eq!(standing.retry_after_ms, Some(LONGEST));
    assert_eq!(standing.reset_after_ms, MAX_SHOWN);
    assert_eq!(evaluate(&bucket, &rule, 1, (1 << 63) + LONGEST).used, MAX_COUNT - 1);
}

#[test]
fn a_corrected_rule_heals_at_once() {
    let (slow, fast) = (rule(1, LONGEST, 5), rule(10, 1_000, 5));
    let mut bucket = TokenBucket::default();
    bucket.take(&slow, 5, 1_000);
    let carried = bucket.convert(&slow, &fast);
    assert_eq!(evaluate(&carried, &fast, 1, 1_000).retry_after_ms, Some(100));
    assert_eq!(evaluate(&carried, &fast, 1, 1_500).used, 0);
}
