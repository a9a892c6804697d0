//! Compares schedules with a reference that walks through years, minute by minute or second by
//! second.
//!
//! The reference searches nothing and parses nothing: a random pattern is made as a set of rules
//! together with its text, and each moment is asked whether it is due. `WORKGATE_LONG=1` compares
//! thousands of patterns over ten years instead of some over one year.

#[path = "cron_reference/clock.rs"]
mod clock;
#[path = "cron_reference/random_pattern.rs"]
mod random_pattern;

use super::Schedule;
use crate::domain::calendar::time_zone::Zone;
use clock::{CLOCKS, LocalClock};
use random_pattern::{RandomPattern, Rng};

/// A schedule is checked after each of this many due times; of more, after some and near clock
/// changes.
const CHECKED_DUE_TIMES: usize = 4_000;
const TWO_DAYS: i64 = 2 * 86_400;

fn is_long() -> bool {
    std::env::var_os("WORKGATE_LONG").is_some_and(|value| value == "1")
}

/// The due times among the moments that the clock covers, by walking in steps of `step` seconds.
fn walk(pattern: &RandomPattern, clock: &LocalClock, step: i64) -> Vec<i64> {
    let dates = pattern.allowed_dates(clock.first_local_day(), clock.last_local_day());
    let is_allowed = |local: i64| {
        let (day, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        pattern.allows_time(second) && dates[(day - clock.first_local_day()) as usize]
    };
    let mut due = Vec::new();
    let mut latest = clock.local(clock.start);
    let mut now = clock.start + step;
    while now < clock.end {
        let local = clock.local(now);
        let is_due = if pattern.is_periodic {
            is_allowed(local)
        } else {
            // Every local time up to this one is due now, unless it has been due before.
            let mut reached = latest + step;
            let mut is_due = false;
            while reached <= local {
                is_due |= is_allowed(reached);
                reached += step;
            }
            is_due
        };
        if is_due {
            due.push(now);
        }
        latest = latest.max(local);
        now += step;
    }
    due
}

fn compare(pattern: &RandomPattern, clock: &LocalClock, step: i64, rng: &mut Rng) {
    let zone = Zone::named(clock.zone.as_bytes()).unwrap();
    let schedule = match Schedule::parse(pattern.text.as_bytes(), zone) {
        Ok(schedule) => schedule,
        Err(fault) => {
            assert!(fault.contains("is never due"), "{fault}");
            let due = walk(pattern, clock, step);
            assert!(due.is_empty(), "{fault}");
            return;
        }
    };
    // Before that, the walk does not know yet what the clock has shown.
    let begin = clock.start + TWO_DAYS;
    let mut due = walk(pattern, clock, step);
    due.retain(|second| *second > begin);
    let check = |after_ms: i64, due: Option<i64>| {
        let found = schedule.next_after(after_ms as u64);
        let found = found.filter(|found| *found < clock.end as u64 * 1_000);
        let due = due.map(|second| second as u64 * 1_000);
        assert_eq!(found, due, "'{}' in {} after {after_ms}", pattern.text, clock.zone);
    };
    check(begin * 1_000, due.first().copied());
    let stride = due.len() / CHECKED_DUE_TIMES + 1;
    for (at, second) in due.iter().enumerate() {
        let is_near_change = || clock.changes.iter().any(|change| (change - second).abs() < TWO_DAYS / 20);
        if at % stride == 0 || (at % (stride / 100 + 1) == 0 && is_near_change()) {
            let next = due.get(at + 1).copied();
            let wait_ms = (next.unwrap_or(clock.end) - second) * 1_000;
            check(second * 1_000, next);
            check(second * 1_000 + rng.below(wait_ms as u64) as i64, next);
            check(second * 1_000 + wait_ms - 1, next);
        }
    }
}

fn compare_many(count: usize, with_seconds: bool, seed: u64) {
    let mut rng = Rng(seed);
    let step = if with_seconds { 1 } else { 60 };
    for (zone, ten_years_from, year) in CLOCKS {
        let clock = match (is_long(), with_seconds) {
            (true, _) => LocalClock::of_years(zone, ten_years_from, 10),
            (false, false) => LocalClock::of_years(zone, year, 1),
            (false, true) => LocalClock::of_years(zone, year, 1).around_first_change(),
        };
        for _ in 0..count / CLOCKS.len() {
            compare(&RandomPattern::new(&mut rng, with_seconds), &clock, step, &mut rng);
        }
    }
}

#[test]
fn five_fields_are_due_as_a_walk_through_the_minutes_finds_them() {
    compare_many(if is_long() { 12_000 } else { 96 }, false, 1);
}

#[test]
fn six_fields_are_due_as_a_walk_through_the_seconds_finds_them() {
    compare_many(if is_long() { 600 } else { 36 }, true, 2);
}
