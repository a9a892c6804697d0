use super::*;
use jiff::Timestamp;
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
fn lists_and_ranges_in_a_gap_are_due_once_after_it() {
    // Clocks go from 02:00 to 03:00 on 28 March 2027, which is 01:00 in UTC.
    let after = "2027-03-27T12:00:00Z";
    for (pattern, times) in [
        ("0 2,14 28 3 *", ["2027-03-28T01:00:00Z", "2027-03-28T12:00:00Z"]),
        ("0 2 28 3 *", ["2027-03-28T01:00:00Z", "2028-03-28T00:00:00Z"]),
        ("0,30 2 28 3 *", ["2027-03-28T01:00:00Z", "2028-03-28T00:00:00Z"]),
        ("15-45 2 28 3 *", ["2027-03-28T01:00:00Z", "2028-03-28T00:15:00Z"]),
        ("30 1-3 28 3 *", ["2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z"]),
        ("0 2-3 28 3 *", ["2027-03-28T01:00:00Z", "2028-03-28T00:00:00Z"]),
        // By the clock on the wall: nothing in the gap.
        ("*/30 2 28 3 *", ["2028-03-28T00:00:00Z", "2028-03-28T00:30:00Z"]),
        ("0 */2 28 3 *", ["2027-03-27T23:00:00Z", "2027-03-28T02:00:00Z"]),
    ] {
        assert_eq!(due(pattern, "Europe/Berlin", after, 2), times, "{pattern}");
    }
}

#[test]
fn lists_and_ranges_in_a_repeated_hour_are_due_the_first_time() {
    // Clocks go from 02:00 back to 01:00 on 1 November 2026, which is 06:00 in UTC.
    let after = "2026-11-01T04:30:00Z";
    let (first, again) = ("2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z");
    let (half_past, tomorrow) = ("2026-11-01T05:30:00Z", "2026-11-02T06:00:00Z");
    for (pattern, times) in [
        ("0,30 1 * * *", [first, half_past, tomorrow]),
        ("0 1-2 * * *", [first, "2026-11-01T07:00:00Z", tomorrow]),
        ("0 1,1 * * *", [first, tomorrow, "2026-11-03T06:00:00Z"]),
        ("*/30 1 * * *", [first, half_past, again]),
        ("0 1/1 * * *", [first, again, "2026-11-01T07:00:00Z"]),
    ] {
        assert_eq!(due(pattern, "America/New_York", after, 3), times, "{pattern}");
    }
}

#[test]
fn a_run_of_the_first_pass_is_not_made_again_in_the_second() {
    let schedule = schedule("0,30 1 * * *", "America/New_York");
    for now in ["2026-11-01T05:30:00Z", "2026-11-01T05:59:59.999Z", "2026-11-01T06:00:00Z"] {
        assert_eq!(schedule.next_after(ms(now)), Some(ms("2026-11-02T06:00:00Z")), "{now}");
    }
}

#[test]
fn a_day_that_a_zone_skipped_is_due_when_the_next_one_begins() {
    // Samoa went from 29 to 31 December 2011.
    let times = due("0 9,17 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", 2);
    assert_eq!(times, ["2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"]);
}

#[test]
fn every_nickname_stands_for_its_pattern() {
    for (nickname, pattern) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        (" @Hourly ", "0 * * * *"),
    ] {
        let after = "2026-11-21T12:00:00Z";
        assert_eq!(due(nickname, "Europe/Berlin", after, 3), due(pattern, "Europe/Berlin", after, 3));
    }
}

#[test]
fn a_value_with_a_step_begins_a_range_to_the_maximum() {
    for (short, long) in [
        ("5/15 * * * *", "5-59/15 * * * *"),
        ("0/15 * * * *", "*/15 * * * *"),
        ("10/20 0 0 * * *", "10-59/20 0 0 * * *"),
        ("0 8/4 * * *", "0 8-23/4 * * *"),
        ("0 0 3/10 * *", "0 0 3-31/10 * *"),
        ("0 0 1 MAR/3 *", "0 0 1 3,6,9,12 *"),
        ("0 0 * * MON/2", "0 0 * * 1,3,5,7"),
    ] {
        let after = "2026-11-21T12:00:00Z";
        assert_eq!(due(short, "UTC", after, 9), due(long, "UTC", after, 9), "{short}");
    }
}

#[test]
fn a_star_with_the_step_one_restricts_no_day() {
    for (stepped, plain) in [
        ("0 0 */1 * MON", "0 0 * * MON"),
        ("0 0 13 * */1", "0 0 13 * *"),
        ("0 0 ? * MON", "0 0 * * MON"),
        ("0 0 13 * ?", "0 0 13 * *"),
    ] {
        let after = "2026-11-21T12:00:00Z";
        assert_eq!(due(stepped, "UTC", after, 5), due(plain, "UTC", after, 5), "{stepped}");
    }
}

#[test]
fn days_are_counted_within_their_month() {
    for (pattern, days) in [
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("0 0 1W * *", ["2026-01-01", "2026-02-02", "2026-03-02"]),
        ("0 0 31W * *", ["2026-01-30", "2026-03-31", "2026-05-29"]),
        ("0 0 * * FRI#2", ["2026-01-09", "2026-02-13", "2026-03-13"]),
        ("0 0 * * THU#5", ["2026-01-29", "2026-04-30", "2026-07-30"]),
        ("0 0 * * 7L", ["2026-01-25", "2026-02-22", "2026-03-29"]),
        ("0 0 * * SUN#L", ["2026-01-25", "2026-02-22", "2026-03-29"]),
        ("0 0 1,L * *", ["2026-01-01", "2026-01-31", "2026-02-01"]),
        ("0 0 * 1 fri-sun", ["2026-01-02", "2026-01-03", "2026-01-04"]),
    ] {
        let expected = days.map(|day| format!("{day}T00:00:00Z"));
        assert_eq!(due(pattern, "UTC", "2025-12-31T12:00:00Z", 3), expected, "{pattern}");
    }
}

#[test]
fn rare_dates_are_found() {
    // 29 February is a Monday in 2044 and 2072; 2100 has none.
    let times = due("0 0 * 2 MON#5", "UTC", "2026-11-21T12:00:00Z", 3);
    assert_eq!(times, ["2044-02-29T00:00:00Z", "2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z"]);
}

#[test]
fn a_pattern_whose_times_all_lie_in_gaps_has_no_next() {
    // The last Sunday of March, while clocks go from 02:00 to 03:00.
    assert_eq!(schedule("* 2 * 3 SUNL", "Europe/Berlin").next_after(ms("2026-01-01T00:00:00Z")), None);
    let fixed = due("15 2 * 3 SUNL", "Europe/Berlin", "2026-01-01T00:00:00Z", 1);
    assert_eq!(fixed, ["2026-03-29T01:00:00Z"]);
}

#[test]
fn a_refusal_names_the_field_and_what_may_stand_there() {
    let values = |allowed: &str| format!("expected {allowed}, *, or lists, ranges and steps of these");
    let (sixty, hours, months) = (values("0-59"), values("0-23"), values("1-12 or JAN-DEC"));
    let days = values("1-31, L, LW, nW");
    let weekdays = values("0-7 or SUN-SAT, d#1 to d#5, dL");
    for (pattern, field, expected) in [
        ("61 * * * *", "minute '61'", &*sixty),
        ("0 24 * * *", "hour '24'", &hours),
        ("* * 0 * *", "day of month '0'", &days),
        ("0 0 32 * *", "day of month '32'", &days),
        ("0 0 1 13 *", "month '13'", &months),
        ("0 0 1 FEBRUARY *", "month 'FEBRUARY'", &months),
        ("0 0 * * 8", "day of week '8'", &weekdays),
        ("60 0 0 * * *", "second '60'", &sixty),
        ("a b c d e", "minute 'a'", &sixty),
        // Names in the field of another kind, or with something else.
        ("0 9 MON * *", "day of month 'MON'", &days),
        ("0 9 * * JAN", "day of week 'JAN'", &weekdays),
        ("0 9 * MON *", "month 'MON'", &months),
        ("JAN * * * *", "minute 'JAN'", &sixty),
        ("0 9 * 1JAN *", "month '1JAN'", &months),
        ("*/5MON * * * *", "minute '*/5MON'", "expected a step of 1 to 60"),
        ("MON5 * * * *", "minute 'MON5'", &sixty),
        ("0 9 * * MONDAY", "day of week 'MONDAY'", &weekdays),
        // L, W and #.
        ("0 9 * * 5#3L", "day of week '5#3L'", &weekdays),
        ("0 9 * * 5#6", "day of week '5#6'", &weekdays),
        ("0 9 * * 5#0", "day of week '5#0'", &weekdays),
        ("0 9 * * #2", "day of week '#2'", &weekdays),
        ("0 9 * * 5#", "day of week '5#'", &weekdays),
        ("0 9 * * 1-5#2", "day of week '1-5#2'", &weekdays),
        ("0 9 * * */2#2", "day of week '*/2#2'", &weekdays),
        ("0 9 * * L", "day of week 'L'", &weekdays),
        ("0 9 * * 5W", "day of week '5W'", &weekdays),
        ("0 9 * * +MON", "day of week '+MON'", &weekdays),
        ("0 9 LW3 * *", "day of month 'LW3'", &days),
        ("0 9 5L * *", "day of month '5L'", &days),
        ("0 9 1#2 * *", "day of month '1#2'", &days),
        ("0 9 WL * *", "day of month 'WL'", &days),
        ("0 9 W * *", "day of month 'W'", &days),
        ("0 9 32W * *", "day of month '32W'", &days),
        ("0 9 1-5W * *", "day of month '1-5W'", &days),
        ("0 9 L-3 * *", "day of month 'L-3'", &days),
        ("0 9 L/2 * *", "day of month 'L/2'", &days),
        ("L * * * *", "minute 'L'", &sixty),
        ("0 15W * * *", "hour '15W'", &hours),
        ("? * * * *", "minute '?'", &sixty),
        ("0 0 ?5 * *", "day of month '?5'", &days),
        // Lists, ranges and steps that are not complete.
        ("0 0 1,15, * *", "day of month '1,15,'", &days),
        ("0,,30 * * * *", "minute '0,,30'", &sixty),
        (",5 * * * *", "minute ',5'", &sixty),
        (", * * * *", "minute ','", &sixty),
        ("5- * * * *", "minute '5-'", &sixty),
        ("-5 * * * *", "minute '-5'", &sixty),
        ("1-5-9 * * * *", "minute '1-5-9'", &sixty),
        ("*-5 * * * *", "minute '*-5'", &sixty),
        ("5-* * * * *", "minute '5-*'", &sixty),
        ("** * * * *", "minute '**'", &sixty),
        ("*5 * * * *", "minute '*5'", &sixty),
        ("/5 * * * *", "minute '/5'", &sixty),
        ("+5 * * * *", "minute '+5'", &sixty),
        ("5-1 * * * *", "minute '5-1'", "expected a range that does not end before it begins"),
        ("0 0 * * FRI-MON", "day of week 'FRI-MON'", "expected a range that does not end"),
        ("*/ * * * *", "minute '*/'", "expected a step of 1 to 60"),
        ("*/0 * * * *", "minute '*/0'", "expected a step of 1 to 60"),
        ("*/90 * * * * *", "second '*/90'", "expected a step of 1 to 60"),
        ("*/61 * * * *", "minute '*/61'", "expected a step of 1 to 60"),
        ("0 */25 * * *", "hour '*/25'", "expected a step of 1 to 24"),
        ("0 0 */32 * *", "day of month '*/32'", "expected a step of 1 to 31"),
        ("0 0 1 1/13 *", "month '1/13'", "expected a step of 1 to 12"),
        ("0 0 * * 1-5/8", "day of week '1-5/8'", "expected a step of 1 to 7"),
        ("*/5/5 * * * *", "minute '*/5/5'", "expected a step of 1 to 60"),
        ("*/256 * * * *", "minute '*/256'", "expected a step of 1 to 60"),
        ("256 * * * *", "minute '256'", &sixty),
    ] {
        let fault = Schedule::parse(pattern.as_bytes(), Zone::named(b"UTC").unwrap()).unwrap_err();
        let says = format!("cron '{pattern}': {field}: {expected}");
        assert!(fault.starts_with(&says), "{fault}\n{says}");
    }
}

#[test]
fn what_is_no_pattern_as_a_whole_is_refused() {
    let long = [b'*'; MAX_PATTERN_BYTES + 1];
    for (pattern, says) in [
        (&b""[..], "expected five fields (minute, hour,"),
        (b"* *", "expected five fields"),
        (b"* * * *", "expected five fields"),
        (b"* * * * * * *", "expected five fields"),
        (b"@sometimes", "no such nickname: give @yearly"),
        (b"@", "no such nickname"),
        (b"@daily 5", "no such nickname"),
        (b"@daily @daily", "no such nickname"),
        (b"@reboot", "no such nickname"),
        (b"0 0 30 2 *", "is never due"),
        (b"0 0 31 4,6 *", "is never due"),
        (b"0 0 31W 4,6 ?", "is never due"),
        (b"\xff * * * *", "only letters, digits and signs of ASCII"),
        (&long, "longer than 128 bytes"),
    ] {
        let fault = Schedule::parse(pattern, Zone::named(b"UTC").unwrap()).unwrap_err();
        assert!(fault.starts_with(&format!("cron '{}': {says}", shown(pattern))), "{fault}");
        assert!(!fault.contains('\n'));
    }
}

#[test]
fn there_is_no_next_time_beyond_the_years_that_dates_can_have() {
    for (pattern, zone) in [("0 0 1 1 *", "UTC"), ("* * * * * *", "UTC"), ("*/5 2 * * *", "Europe/Berlin")] {
        let schedule = schedule(pattern, zone);
        assert!(schedule.next_after(0).is_some());
        for now in [LATEST, 1 << 53, u64::MAX] {
            assert_eq!(schedule.next_after(now), None, "{pattern} after {now}");
        }
        let before = LATEST - 400 * 86_400_000;
        assert!(schedule.next_after(before).is_some_and(|next| next > before && next <= LATEST));
    }
    assert_eq!(schedule("0 0 1 1 *", "UTC").next_after(LATEST - 1), None);
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
