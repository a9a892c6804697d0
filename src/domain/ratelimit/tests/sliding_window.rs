use super::*;
use crate::domain::time::{DAY, LONGEST};
use proptest::prelude::*;

/// A model: keeps every entry, and counts all of them for each question.
#[derive(Default)]
struct Naive {
    log: Vec<(UnixMs, u64)>,
}

impl Naive {
    fn clock(&self, now: UnixMs) -> UnixMs {
        self.log.last().map_or(now, |&(time, _)| time.max(now))
    }

    fn used(&self, period: u64, now: UnixMs) -> u64 {
        let clock = self.clock(now);
        self.log.iter().filter(|(time, _)| clock - time < period).map(|(_, cost)| cost).sum()
    }

    fn take(&mut self, cost: u64, now: UnixMs) {
        let at = self.clock(now);
        self.log.push((at, cost));
    }

    /// The most taken in any `(t - period, t]`: it suffices to look at windows that end with an
    /// entry.
    fn peak(&self, period: u64) -> u64 {
        let used = |end: UnixMs| -> u64 {
            self.log
                .iter()
                .filter(|(time, _)| *time <= end && end - time < period)
                .map(|(_, cost)| cost)
                .sum()
        };
        self.log.iter().map(|&(time, _)| used(time)).max().unwrap_or(0)
    }
}

fn allows(window: &SlidingWindow, period: u64, count: u64, cost: u64, now: UnixMs) -> bool {
    window.evaluate(period, count, cost, now).retry_after_ms == Some(0)
}

/// Moves a clock by a step that may be negative.
fn step(now: UnixMs, by: i64) -> UnixMs {
    now.saturating_add_signed(by)
}

proptest! {
    #[test]
    fn it_answers_as_a_log_of_everything_would(
        start in prop_oneof![Just(0u64), Just(1_700_000_000_000), Just((1 << 63) - 500), Just(u64::MAX / 2)],
        period in 1u64..200,
        count in 1u64..40,
        calls in prop::collection::vec((-60i64..120, 1u64..12), 1..150),
    ) {
        let (mut window, mut naive, mut now) = (SlidingWindow::default(), Naive::default(), start);
        for (by, cost) in calls {
            now = step(now, by);
            let standing = window.evaluate(period, count, cost, now);
            let used = naive.used(period, now);
            prop_assert_eq!(standing.used, used);
            match standing.retry_after_ms {
                None => prop_assert!(cost > count),
                Some(0) => {
                    prop_assert!(used + cost <= count);
                    window.take(period, period, cost, now);
                    naive.take(cost, now);
                }
                Some(retry) => {
                    prop_assert!(used + cost > count);
                    prop_assert!(naive.used(period, now + retry - 1) + cost > count);
                    prop_assert!(naive.used(period, now + retry) + cost <= count);
                    prop_assert!(!allows(&window, period, count, cost, now + retry - 1));
                    prop_assert!(allows(&window, period, count, cost, now + retry));
                }
            }
            let reset = window.evaluate(period, count, 1, now).reset_after_ms;
            prop_assert_eq!(naive.used(period, now + reset), 0);
            prop_assert!(reset == 0 || naive.used(period, now + reset - 1) > 0);
        }
        prop_assert!(naive.peak(period) <= count);
    }

    #[test]
    fn beyond_a_thousand_entries_it_is_never_over_and_at_most_one_percent_under(
        period in 3_000u64..20_000,
        count in 1_500u64..60_000,
        spread in 1u64..8,
        seed in any::<u64>(),
    ) {
        let (mut window, mut naive, mut now) = (SlidingWindow::default(), Naive::default(), 1_700_000_000_000);
        let mut chance = seed | 1;
        for _ in 0..6_000 {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            now += chance % (2 * spread);
            let cost = 1 + (chance >> 32) % (2 * count / 1_500);
            let used = naive.used(period, now);
            let standing = window.evaluate(period, count, cost, now);
            prop_assert!(standing.used >= used);
            prop_assert!(standing.used - used <= count / 100, "{} for {used} of {count}", standing.used);
            if standing.retry_after_ms == Some(0) {
                prop_assert!(used + cost <= count);
                window.take(period, period, cost, now);
                naive.take(cost, now);
            } else {
                prop_assert!(used + cost > count - count / 100);
            }
            prop_assert!(window.heap_bytes() <= 8 * 1024);
        }
    }

    #[test]
    fn a_rebuilt_log_has_the_same_slots(
        calls in prop::collection::vec((0u64..6_000_000_000, 1u64..20_000_000_000), 1..400),
    ) {
        let (mut window, mut now) = (SlidingWindow::default(), 0);
        for (gap, cost) in calls {
            now += gap / (1 + cost % 3 * 1_000_000_000);
            window.take(LONGEST, LONGEST, cost, now);
            let again = SlidingWindow::rebuild(window.entries(), None).unwrap();
            prop_assert_eq!(&again.slots, &window.slots);
            prop_assert_eq!((again.first, again.newest, again.sum), (window.first, window.newest, window.sum));
            prop_assert!(window.slots.len() <= MAX_SLOTS);
            prop_assert_eq!(window.slots.iter().map(|slot| u64::from(slot.cost)).sum::<u64>(), window.sum);
        }
    }
}

#[test]
fn it_is_exact_up_to_a_thousand_entries_and_takes_at_most_8_kib() {
    let mut window = SlidingWindow::default();
    let taken: Vec<(UnixMs, u64)> = (0..1_000).map(|n| (5_000 + 7 * n, 1 + n % 5)).collect();
    for &(time, cost) in &taken {
        window.take(DAY, DAY, cost, time);
    }
    assert_eq!(window.entries().collect::<Vec<_>>(), taken);
    assert_eq!(window.heap_bytes(), 8 * 1024);
}

#[test]
fn more_entries_are_joined_at_the_later_time() {
    let mut window = SlidingWindow::default();
    for time in 0..20_000 {
        window.take(DAY, DAY, 1, time);
        assert!(window.heap_bytes() <= 8 * 1024);
    }
    let entries: Vec<_> = window.entries().collect();
    assert!(entries.len() <= MAX_SLOTS);
    assert_eq!(entries.iter().map(|(_, cost)| cost).sum::<u64>(), 20_000);
    // Every charge up to a time is counted at that time or later.
    let mut counted = 0;
    for (time, cost) in entries {
        counted += cost;
        assert_eq!(counted, time + 1);
        assert!(cost <= 20_000 / JOIN_DIVISOR);
    }
}

#[test]
fn what_is_taken_in_one_millisecond_is_one_entry() {
    let mut window = SlidingWindow::default();
    for _ in 0..5_000 {
        window.take(1_000, 1_000, 3, 77);
    }
    assert_eq!(window.entries().collect::<Vec<_>>(), [(77, 15_000)]);
    assert!(window.heap_bytes() <= 32);
}

#[test]
fn memory_is_given_back_when_a_rush_is_over() {
    let mut window = SlidingWindow::default();
    for time in 0..1_000 {
        window.take(2_000, 2_000, 1, time);
    }
    window.take(2_000, 2_000, 1, 10_000);
    assert!(window.heap_bytes() <= 64, "{}", window.heap_bytes());
}

#[test]
fn the_largest_costs_gaps_and_periods_fit() {
    let mut window = SlidingWindow::default();
    for n in 0..3_000u64 {
        window.take(LONGEST, LONGEST, MAX_COUNT - n, n * (LONGEST / 70));
        assert!(window.slots.len() <= MAX_SLOTS);
        assert!(window.sum < MAX_COUNT + MAX_SLOT_VALUE);
    }
    let now = 2_999 * (LONGEST / 70);
    let standing = window.evaluate(LONGEST, MAX_COUNT, 1, now);
    assert!(standing.used >= MAX_COUNT - 2_999);
    assert!(allows(&window, LONGEST, MAX_COUNT, MAX_COUNT, now + LONGEST));
    assert!(!allows(&window, LONGEST, MAX_COUNT, MAX_COUNT, now + LONGEST - 1));
}

#[test]
fn a_clock_that_steps_back_never_grants_extra() {
    let mut window = SlidingWindow::default();
    window.take(1_000, 1_000, 1, 50_000);
    assert!(!allows(&window, 1_000, 1, 1, 3));
    assert_eq!(window.evaluate(1_000, 1, 1, 3).retry_after_ms, Some(50_997));
    window.take(1_000, 1_000, 1, 3);
    assert_eq!(window.entries().collect::<Vec<_>>(), [(50_000, 2)]);
}

#[test]
fn entries_are_judged_by_the_period_of_the_call_and_kept_for_the_longest_in_use() {
    let mut window = SlidingWindow::default();
    window.take(60_000, 60_000, 1, 0);
    window.take(60_000, 1_000, 1, 5_000);
    assert_eq!(window.evaluate(1_000, 10, 1, 6_000).used, 0);
    assert_eq!(window.evaluate(60_000, 10, 1, 6_000).used, 2);
    assert_eq!(window.unused_at(1_000), 65_000);
    // The minute is kept while calls by the second go on ...
    for second in 6..64 {
        window.take(1_000, 1_000, 1, second * 1_000);
    }
    assert_eq!(window.evaluate(60_000, 100, 1, 64_000).used, 59);
    // ... and dropped after two generations without a call by it.
    for second in 64..190 {
        window.take(1_000, 1_000, 1, second * 1_000);
    }
    assert_eq!(window.entries().count(), 1);
    assert_eq!(window.retained(), None);
}

#[test]
fn no_log_is_rebuilt_from_what_no_log_writes() {
    let rebuilt = |entries: &[(UnixMs, u64)]| SlidingWindow::rebuild(entries.iter().copied(), None).is_some();
    assert!(rebuilt(&[(0, 1), (u64::from(u32::MAX) * 900, 2)]));
    assert!(rebuilt(&[]), "a hold may keep an empty one");
    assert!(!rebuilt(&[(5, 0)]));
    assert!(!rebuilt(&[(5, 1), (5, 1)]));
    assert!(!rebuilt(&[(5, 1), (4, 1)]));
    assert!(!rebuilt(&[(0, 1), (u64::MAX, 1)]));
    assert!(!rebuilt(&[(5, u64::MAX)]));
    assert!(!rebuilt(&[(5, 1), (6, MAX_COUNT), (7, MAX_COUNT)]));
    assert!(!rebuilt(&(0..1_025).map(|n| (n, 1)).collect::<Vec<_>>()));
}
