use super::*;
use proptest::prelude::*;

fn schedule(pattern: &str, zone: &str) -> Schedule {
    Schedule::parse(pattern.as_bytes(), Zone::named(zone.as_bytes()).unwrap()).unwrap()
}

fn ms(text: &str) -> UnixMs {
    text.parse::<Timestamp>().unwrap().as_millisecond() as u64
}

/// The next few times after one, as UTC shows them.
fn due(pattern: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = schedule(pattern, zone);
    let mut now = ms(after);
    (0..count)
        .map(|_| {
            now = schedule.next_after(now).unwrap();
            Timestamp::from_millisecond(now as i64).unwrap().to_string()
        })
        .collect()
}

#[test]
fn five_fields_six_fields_and_nicknames() {
    let after = "2026-11-21T12:00:00Z";
    assert_eq!(due("0 3 * * MON", "UTC", after, 2), ["2026-11-23T03:00:00Z", "2026-11-30T03:00:00Z"]);
    assert_eq!(due("*/20 * * * *", "UTC", after, 2), ["2026-11-21T12:20:00Z", "2026-11-21T12:40:00Z"]);
    assert_eq!(due("*/30 0 12 * * *", "UTC", after, 2), ["2026-11-21T12:00:30Z", "2026-11-22T12:00:00Z"]);
    assert_eq!(due("@daily", "Europe/Berlin", after, 1), ["2026-11-21T23:00:00Z"]);
    assert_eq!(due("0 0 29 2 *", "UTC", after, 1), ["2028-02-29T00:00:00Z"]);
    // The moment itself is not after it.
    assert_eq!(due("0 12 * * *", "UTC", after, 1), ["2026-11-22T12:00:00Z"]);
}

#[test]
fn either_day_field_suffices() {
    let after = "2026-11-21T12:00:00Z";
    assert_eq!(due("0 0 1 * FRI", "UTC", after, 2), ["2026-11-27T00:00:00Z", "2026-12-01T00:00:00Z"]);
}

#[test]
fn a_time_that_clocks_skip_is_due_after_the_gap() {
    // Clocks go from 02:00 to 03:00, which is 01:00 in UTC.
    let after = "2026-03-28T12:00:00Z";
    assert_eq!(
        due("30 2 * * *", "Europe/Berlin", after, 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        due("0,30 */2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2),
        ["2026-03-29T02:00:00Z", "2026-03-29T02:30:00Z"]
    );
}

#[test]
fn a_time_that_comes_twice_is_due_the_first_time() {
    // Clocks go from 03:00 back to 02:00, which is 01:00 in UTC.
    let after = "2026-10-24T12:00:00Z";
    assert_eq!(
        due("30 2 * * *", "Europe/Berlin", after, 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    let hours = due("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3);
    assert_eq!(hours, ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]);
}

#[test]
fn what_is_no_pattern_is_refused_with_the_pattern_in_the_text() {
    let zone = Zone::named(b"UTC").unwrap();
    let long = [b'*'; LONGEST_PATTERN + 1];
    for pattern in [
        &b""[..],
        b"* * * *",
        b"* * * * * * *",
        b"60 * * * *",
        b"* 24 * * *",
        b"* * 0 * *",
        b"* * * 13 *",
        b"* * * * 9",
        b"a b c d e",
        b"*/0 * * * *",
        b"0 0 30 2 *",
        b"0 0 31 4,6 *",
        b"\xff * * * *",
        &long,
    ] {
        let fault = Schedule::parse(pattern, zone).unwrap_err();
        assert!(fault.starts_with(&format!("cron '{}': ", shown(pattern))), "{fault}");
        assert!(!fault.contains('\n'));
    }
}

#[test]
fn a_refusal_names_the_field_and_what_may_stand_there() {
    for (pattern, says) in [
        ("61 * * * *", "minute '61': expected 0-59, *, or lists"),
        ("0 24 * * *", "hour '24': expected 0-23"),
        ("0 0 32 * *", "day of month '32': expected 1-31"),
        ("0 0 1 FEBRUARY *", "month 'FEBRUARY': expected 1-12 or JAN-DEC"),
        ("0 0 * * 8", "day of week '8': expected 0-7 or SUN-SAT"),
        ("60 0 0 * * *", "second '60': expected 0-59"),
        ("*/0 * * * *", "minute '*/0'"),
        ("5-1 * * * *", "minute '5-1'"),
        ("* *", "expected five fields (minute, hour,"),
        ("* * * * * * *", "expected five fields"),
        ("", "expected five fields"),
        ("@sometimes", "no such nickname: give @yearly"),
        ("0 0 30 2 *", "is never due"),
    ] {
        let fault = Schedule::parse(pattern.as_bytes(), Zone::named(b"UTC").unwrap()).unwrap_err();
        assert!(fault.contains(says), "{fault}");
    }
}

#[test]
fn times_beyond_the_search_have_no_next() {
    let schedule = schedule("0 0 1 1 *", "UTC");
    assert!(schedule.next_after(0).is_some());
    for now in [LATEST, 1 << 53, u64::MAX] {
        let _ = schedule.next_after(now);
    }
}

proptest! {
    #[test]
    fn the_next_time_is_later_and_matches(
        minute in 0u32..60, hour in 0u32..24, step in 1u32..30, wild in any::<bool>(),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        now in 1_451_606_400_000u64..1_893_456_000_000,
    ) {
        let pattern = if wild { format!("*/{step} * * * *") } else { format!("{minute} {hour} * * *") };
        let schedule = schedule(&pattern, zone);
        let next = schedule.next_after(now).unwrap();
        prop_assert!(next > now);
        // At most a day and a change of clocks away; and nothing is due in between.
        prop_assert!(next - now <= 26 * 3_600_000);
        prop_assert_eq!(schedule.next_after(next - 1), Some(next));
        let between = now + (next - now) / 2;
        prop_assert_eq!(schedule.next_after(between), Some(next));
    }

    #[test]
    fn no_pattern_panics(pattern in prop::collection::vec(any::<u8>(), 0..40), text in "[0-9*/,@A-Z?LW# -]{0,30}") {
        let zone = Zone::named(b"UTC").unwrap();
        let _ = Schedule::parse(&pattern, zone);
        let _ = Schedule::parse(text.as_bytes(), zone);
    }
}
