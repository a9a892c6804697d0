//! Calendar periods: days, weeks and months as a time zone has them.
//!
//! A period begins at the first instant of its first civil date in the zone. So a day has 23, 24 or 25
//! hours where clocks are changed, a month has 28 to 31 days, and a date that a zone has skipped has
//! none at all.

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

    /// The highest anchor: the days of a week, of the longest month.
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
    /// On which day it begins: of the week 1 (Monday) to 7, of the month 1 to 31, where a month that is
    /// shorter begins on its last day; 1 for a day.
    pub anchor: u8,
}

impl Calendar {
    /// The longest that a period may last, in ms; where it has to be known beforehand.
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

    /// The period that `now` lies in.
    pub fn span(&self, now: UnixMs) -> Span {
        let rules = self.zone.rules();
        // Later times lie in a period that begins there and does not end within what clients can hold.
        let Some(date) = date_of(now, rules) else { return Span { start: LATEST, end: u64::MAX } };
        let mut first = self.first_date(date);
        // Where a zone changes its clocks about midnight, the civil date alone may be off by one period.
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

    /// The first date of the period that a date is of.
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

    /// The date on which the month of `date` has the anchor, or its last one.
    fn anchored(&self, date: Date) -> Date {
        let day = (self.anchor as i8).min(date.days_in_month());
        date.with().day(day).build().unwrap_or(date)
    }

    /// The first date of the next period, or of the one before. None beyond the years that jiff holds.
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

/// The civil date at `now`. None when that is later than jiff can hold.
fn date_of(now: UnixMs, rules: &TimeZone) -> Option<Date> {
    let now = i64::try_from(now).ok().filter(|&now| now < LATEST as i64)?;
    Some(rules.to_datetime(Timestamp::from_millisecond(now).ok()?).date())
}

/// The first instant of a date; of one that the zone has skipped, the first instant after it. What lies
/// before 1970 is 0.
fn instant(date: Date, rules: &TimeZone) -> UnixMs {
    let midnight = rules.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible();
    midnight.map_or(LATEST, |at| u64::try_from(at.as_millisecond()).unwrap_or(0))
}

#[cfg(test)]
#[path = "../tests/calendar.rs"]
mod tests;
