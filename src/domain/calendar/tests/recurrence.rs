use super::*;

fn recurrence(pattern: &str) -> Recurrence {
    Recurrence::parse(pattern.as_bytes(), Zone::named(b"UTC").unwrap()).unwrap()
}

#[test]
fn an_interval_is_due_at_its_origin_and_at_every_multiple_after_it() {
    let every = recurrence("@every 90s");
    let (origin, period) = (1_000_007, 90_000);
    for (now, due) in [
        (0, origin),
        (origin - 1, origin),
        (origin, origin + period),
        (origin + period - 1, origin + period),
        (origin + period, origin + 2 * period),
        (origin + 1_000_000 * period + 5, origin + 1_000_001 * period),
    ] {
        assert_eq!(every.next_after(now, origin), Some(due), "after {now}");
    }
}

#[test]
fn an_interval_has_no_next_time_beyond_the_years_that_dates_can_have() {
    let every = recurrence("@every 3650d");
    for now in [LATEST, 1 << 53, u64::MAX] {
        assert_eq!(every.next_after(now, 5), None);
    }
}

#[test]
fn an_interval_is_written_as_a_duration_of_at_least_a_second() {
    for (pattern, period) in [
        ("@every 1s", 1_000),
        ("@EVERY 1500ms", 1_500),
        (" @every  2h ", 7_200_000),
        ("@every\t3650d", 3_650 * 86_400_000),
    ] {
        assert!(matches!(recurrence(pattern), Recurrence::Interval(ms) if ms == period), "{pattern}");
    }
    for (pattern, says) in [
        ("@every", "the interval '': expected a duration such as"),
        ("@every 90", "the interval '90': write 90s"),
        ("@every 999ms", "the interval '999ms': must be between 1s and 3650d"),
        ("@every 0s", "the interval '0s': must be between"),
        ("@every 3651d", "the interval '3651d': must be between"),
        ("@every 1h 30m", "the interval '1h 30m': expected a duration"),
        ("@every -5s", "the interval '-5s': expected a duration"),
        ("@every5s", "no such nickname: give @yearly"),
        ("5 @every 5s", "expected five fields"),
    ] {
        let fault = Recurrence::parse(pattern.as_bytes(), Zone::named(b"UTC").unwrap()).unwrap_err();
        assert!(fault.starts_with(&format!("cron '{pattern}': {says}")), "{fault}");
    }
}

#[test]
fn a_cron_pattern_has_no_origin() {
    let daily = recurrence("@daily");
    assert_eq!(daily.next_after(5, 86_400_007), Some(86_400_000));
    assert_eq!(daily.next_after(5, 0), Some(86_400_000));
}
