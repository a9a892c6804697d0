use super::*;
use proptest::prelude::*;

fn calendar(unit: CalendarUnit, zone: &str, anchor: u8) -> Calendar {
    Calendar { unit, zone: Zone::named(zone.as_bytes()).unwrap(), anchor }
}

fn ms(text: &str) -> UnixMs {
    text.parse::<Timestamp>().unwrap().as_millisecond() as u64
}

/// The period of a time, both ends as UTC shows them.
fn span(calendar: &Calendar, now: &str) -> (String, String) {
    let span = calendar.span(ms(now));
    let shown = |at: UnixMs| Timestamp::from_millisecond(at as i64).unwrap().to_string();
    (shown(span.start), shown(span.end))
}

fn ends(start: &str, end: &str) -> (String, String) {
    (start.into(), end.into())
}

#[test]
fn days_are_those_of_the_zone() {
    let day = calendar(CalendarUnit::Day, "Europe/Berlin", 1);
    assert_eq!(span(&day, "2026-01-15T12:00:00Z"), ends("2026-01-14T23:00:00Z", "2026-01-15T23:00:00Z"));
    assert_eq!(span(&day, "2026-01-15T23:00:00Z"), ends("2026-01-15T23:00:00Z", "2026-01-16T23:00:00Z"));
    // 23 hours in spring, 25 in autumn.
    assert_eq!(span(&day, "2026-03-29T12:00:00Z"), ends("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"));
    assert_eq!(span(&day, "2026-10-25T12:00:00Z"), ends("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
}

#[test]
fn clocks_that_change_at_midnight_neither_lose_nor_repeat_a_day() {
    // Clocks went from 00:00 to 01:00: the day begins at 01:00.
    let day = calendar(CalendarUnit::Day, "America/Sao_Paulo", 1);
    assert_eq!(span(&day, "2017-10-15T03:00:00Z"), ends("2017-10-15T03:00:00Z", "2017-10-16T02:00:00Z"));
    // Clocks went from 00:01 back to 23:01: midnight came twice, the day began the first time.
    let day = calendar(CalendarUnit::Day, "America/St_Johns", 1);
    assert_eq!(span(&day, "2010-11-07T02:45:00Z"), ends("2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"));
    assert_eq!(span(&day, "2010-11-07T02:30:30Z"), ends("2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"));
    // 30 December 2011 never was.
    let day = calendar(CalendarUnit::Day, "Pacific/Apia", 1);
    assert_eq!(span(&day, "2011-12-30T09:59:59Z"), ends("2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"));
    assert_eq!(span(&day, "2011-12-30T10:00:00Z"), ends("2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"));
}

#[test]
fn weeks_begin_on_their_anchor() {
    let monday = calendar(CalendarUnit::Week, "UTC", 1);
    // 2026-11-21 is a Saturday.
    assert_eq!(span(&monday, "2026-11-21T12:00:00Z"), ends("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"));
    let sunday = calendar(CalendarUnit::Week, "UTC", 7);
    assert_eq!(span(&sunday, "2026-11-21T12:00:00Z"), ends("2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"));
    assert_eq!(span(&sunday, "2026-11-22T00:00:00Z"), ends("2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"));
}

#[test]
fn months_begin_on_their_anchor_or_their_last_day() {
    let first = calendar(CalendarUnit::Month, "UTC", 1);
    assert_eq!(span(&first, "2024-02-29T23:59:59Z"), ends("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"));
    let last = calendar(CalendarUnit::Month, "UTC", 31);
    assert_eq!(span(&last, "2026-01-31T00:00:00Z"), ends("2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"));
    assert_eq!(span(&last, "2026-02-28T00:00:00Z"), ends("2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"));
    assert_eq!(span(&last, "2026-04-29T00:00:00Z"), ends("2026-03-31T00:00:00Z", "2026-04-30T00:00:00Z"));
    let middle = calendar(CalendarUnit::Month, "Asia/Tokyo", 15);
    assert_eq!(span(&middle, "2026-01-14T15:00:00Z"), ends("2026-01-14T15:00:00Z", "2026-02-14T15:00:00Z"));
    assert_eq!(span(&middle, "2026-01-14T14:59:59Z"), ends("2025-12-14T15:00:00Z", "2026-01-14T15:00:00Z"));
}

#[test]
fn times_at_the_ends_of_what_can_be_held_have_a_period_too() {
    for unit in CalendarUnit::ALL {
        for zone in ["UTC", "Pacific/Kiritimati", "America/Anchorage"] {
            let calendar = calendar(unit, zone, 1);
            for now in [0, 1, LATEST - 1, LATEST, 1 << 53, i64::MAX as u64, u64::MAX - 1] {
                let span = calendar.span(now);
                assert!(span.start <= now && now < span.end, "{calendar:?} {now} {span:?}");
            }
        }
    }
}

/// Zones on both sides of the date line, with and without daylight saving, with its change at
/// midnight.
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Apia",
];

proptest! {
    /// Against a search hour by hour: a period begins where the civil date turns to one that begins
    /// one.
    #[test]
    fn a_period_is_what_the_dates_of_its_hours_say(
        zone in prop::sample::select(&ZONES[..]),
        unit in prop::sample::select(&CalendarUnit::ALL[..]),
        anchor in 1u8..=31,
        // Ten years, 2016 to 2026.
        now in 1_451_606_400_000u64..1_767_225_600_000,
    ) {
        let anchor = (anchor - 1) % unit.highest_anchor() + 1;
        let calendar = calendar(unit, zone, anchor);
        let span = calendar.span(now);
        prop_assert!(span.start <= now && now < span.end);
        let rules = calendar.zone.rules();
        let date = |at: UnixMs| rules.to_datetime(Timestamp::from_millisecond(at as i64).unwrap()).date();
        let begins = |date: Date| match unit {
            CalendarUnit::Day => true,
            CalendarUnit::Week => date.weekday().to_monday_one_offset() == anchor as i8,
            CalendarUnit::Month => date.day() == (anchor as i8).min(date.days_in_month()),
        };
        for edge in [span.start, span.end] {
            prop_assert!(date(edge - 1) < date(edge));
            prop_assert!(begins(date(edge)));
        }
        // Between its ends no other period begins. Half an hour is the smallest step of any clock.
        let mut at = span.start;
        while at + 1_800_000 < span.end {
            let next = at + 1_800_000;
            prop_assert!(date(at) == date(next) || !begins(date(next)), "{} begins at {next}", date(next));
            at = next;
        }
        // Its neighbours join on.
        prop_assert_eq!(calendar.span(span.end).start, span.end);
        prop_assert_eq!(calendar.span(span.start - 1).end, span.start);
        prop_assert!(span.length() <= calendar.longest_ms());
    }
}
