//! Calendar periods: days, weeks and months of a time zone.
//!
//! A period begins at the first instant of its first civil date in the zone. So a day has 23, 24 or
//! 25 hours when clocks change, and a month has 28 to 31 days. A date that the zone skipped has no
//! period.

use crate::domain::calendar::time_zone::{LATEST, Zone};
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::time::{DAY, UnixMs};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span as Length, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CalendarUnit {
    Day,
    Week,
    Month,
}

impl CalendarUnit {
    pub const ALL: [CalendarUnit; 3] = [CalendarUnit::Day, CalendarUnit::Week, CalendarUnit::Month];

    pub fn word(self) -> &'static str {
        match self {
            CalendarUnit::Day => "day",
            CalendarUnit::Week => "week",
            CalendarUnit::Month => "month",
        }
    }

    /// The maximum anchor: 7 days of a week, 31 days of a month.
    pub fn highest_anchor(self) -> u8 {
        match self {
            CalendarUnit::Day => 1,
            CalendarUnit::Week => 7,
            CalendarUnit::Month => 31,
        }
    }
}

/// A day, week or month in a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Calendar {
    pub unit: CalendarUnit,
    pub zone: Zone,
    /// The first day: 1 (Monday) to 7 of a week, 1 to 31 of a month, 1 for a day. A shorter month
    /// begins on its last day.
    pub anchor: u8,
}

impl Calendar {
    /// The maximum length of a period in ms, for callers that need one before the period is known.
    pub fn longest_ms(&self) -> u64 {
        match self.unit {
            CalendarUnit::Day => 2 * DAY,
            CalendarUnit::Week => 8 * DAY,
            CalendarUnit::Month => 32 * DAY,
        }
    }

    /// `day@Europe/Berlin`, `month@UTC:anchor=15`.
    pub fn spec(&self) -> String {
        let plain = format!("{}@{}", self.unit.word(), self.zone.name());
        if self.anchor == 1 { plain } else { format!("{plain}:anchor={}", self.anchor) }
    }

    /// Returns the period that contains `now`.
    pub fn span(&self, now: UnixMs) -> Span {
        let rules = self.zone.rules();
        // Later times lie in one period without an end that clients can represent.
        let Some(date) = date_of(now, rules) else { return Span { start: LATEST, end: u64::MAX } };
        let mut first = self.first_date(date);
        // If a zone changes its clocks about midnight, the civil date alone can be off by one
        // period.
        while instant(first, rules) > now
            && let Some(before) = self.step(first, -1)
        {
            first = before;
        }
        loop {
            let start = instant(first, rules);
            let Some(next) = self.step(first, 1) else { return Span { start, end: u64::MAX } };
            let end = instant(next, rules);
            if now < end {
                return Span { start, end };
            }
            first = next;
        }
    }

    /// Returns the first date of the period that contains `date`.
    fn first_date(&self, date: Date) -> Date {
        match self.unit {
            CalendarUnit::Day => date,
            CalendarUnit::Week => {
                let weekday = date.weekday().to_monday_one_offset();
                let since = (weekday - self.anchor as i8).rem_euclid(7);
                date.checked_sub(Length::new().days(since)).unwrap_or(date)
            }
            CalendarUnit::Month => {
                let this = self.anchored(date);
                if this <= date { this } else { self.step(this, -1).unwrap_or(this) }
            }
        }
    }

    /// Returns the anchor date in the month of `date`, at latest the last day of the month.
    fn anchored(&self, date: Date) -> Date {
        let day = (self.anchor as i8).min(date.days_in_month());
        date.with().day(day).build().unwrap_or(date)
    }

    /// Returns the first date of the next or the previous period. `None` outside of the years that
    /// jiff supports.
    fn step(&self, first: Date, by: i8) -> Option<Date> {
        match self.unit {
            CalendarUnit::Day => first.checked_add(Length::new().days(by)).ok(),
            CalendarUnit::Week => first.checked_add(Length::new().days(7 * by)).ok(),
            CalendarUnit::Month => {
                let month = first.first_of_month().checked_add(Length::new().months(by)).ok()?;
                Some(self.anchored(month))
            }
        }
    }
}

/// Returns the civil date at `now`; `None` if jiff does not support it.
fn date_of(now: UnixMs, rules: &TimeZone) -> Option<Date> {
    let now = i64::try_from(now).ok().filter(|&now| now < LATEST as i64)?;
    Some(rules.to_datetime(Timestamp::from_millisecond(now).ok()?).date())
}

/// Returns the first instant of a date. For a date that the zone skipped, returns the first instant
/// after it. Returns 0 for dates before 1970.
fn instant(date: Date, rules: &TimeZone) -> UnixMs {
    let midnight = rules.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible();
    midnight.map_or(LATEST, |at| u64::try_from(at.as_millisecond()).unwrap_or(0))
}

#[cfg(test)]
#[path = "../tests/calendar.rs"]
mod tests;
