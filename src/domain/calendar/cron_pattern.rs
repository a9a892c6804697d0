//! Cron patterns as dates and times of a local clock, whatever its time zone.

use super::cron_days::{Days, DaysOfMonth, DaysOfWeek, MonthShape, days_in_month};
use super::cron_field::{HOUR, MINUTE, MONTH, SECOND, read_days_of_month, read_days_of_week};
use jiff::civil::Date;
use jiff::{Timestamp, tz::Offset};

/// What a local clock shows, as the seconds that would have passed since 1970 if it were in UTC.
pub(super) type LocalSecond = i64;

const SECONDS_PER_DAY: i64 = 86_400;

/// The calendar repeats after 400 years. A pattern that has no date in them has none at all.
const MAX_MONTHS: usize = 400 * 12 + 1;

/// The names that replace a pattern of five fields.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * SUN"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The dates and times that a pattern allows. Each set is of bits: bit n is the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern {
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days_of_month: DaysOfMonth,
    days_of_week: DaysOfWeek,
    /// Whether its seconds, minutes or hours contain a `*` or a step.
    pub is_periodic: bool,
}

impl Pattern {
    /// Reads five fields, six fields or a nickname. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_ascii();
        let fields = if text.starts_with('@') { nickname_fields(text)? } else { text };
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let (second, fields) = match fields.split_first() {
            _ if fields.len() == 5 => ("0", &fields[..]),
            Some((second, rest)) if rest.len() == 5 => (*second, rest),
            _ => {
                return Err("expected five fields (minute, hour, day of month, month, day of week), or six \
                            with seconds first"
                    .into());
            }
        };
        let (seconds, minutes, hours) =
            (SECOND.read(second)?, MINUTE.read(fields[0])?, HOUR.read(fields[1])?);
        let pattern = Pattern {
            seconds: seconds.set,
            minutes: minutes.set,
            hours: hours.set,
            days_of_month: read_days_of_month(fields[2])?,
            months: MONTH.read(fields[3])?.set,
            days_of_week: read_days_of_week(fields[4])?,
            is_periodic: [seconds, minutes, hours].iter().any(|values| values.has_star_or_step),
        };
        // Such as 30 February. Any start shows it, since the search covers all years.
        if pattern.first_day_from(0).is_none() {
            return Err("is never due: no month that it allows has such a day".into());
        }
        Ok(pattern)
    }

    /// The first time from `start` on, `start` included, that the pattern allows. `None` means that
    /// it is beyond the years that dates can have.
    pub fn first_from(&self, start: LocalSecond) -> Option<LocalSecond> {
        let (day, second) = (start.div_euclid(SECONDS_PER_DAY), start.rem_euclid(SECONDS_PER_DAY));
        let first_day = self.first_day_from(day)?;
        let time = |second| self.first_time_from(second).map(|time| (first_day, time));
        let found = if first_day == day { time(second) } else { time(0) };
        let (day, time) = match found {
            Some(found) => found,
            // No time is left on that day.
            None => (self.first_day_from(day + 1)?, self.first_time_from(0)?),
        };
        Some(day * SECONDS_PER_DAY + time)
    }

    /// The first day from `start` on, counted from 1970-01-01.
    fn first_day_from(&self, start: i64) -> Option<i64> {
        let midnight = Timestamp::from_second(start.checked_mul(SECONDS_PER_DAY)?).ok()?;
        let date = Offset::UTC.to_datetime(midnight).date();
        let (mut year, mut month) = (date.year(), date.month());
        let mut month_start = start - i64::from(date.day() - 1);
        let mut left = Days::MAX << date.day();
        for _ in 0..MAX_MONTHS {
            let length = Date::new(year, month, 1).ok()?.days_in_month();
            if self.months & (1 << month) != 0 {
                // 1970-01-01 was a Thursday.
                let first_weekday = (month_start + 4).rem_euclid(7) as u8;
                let shape = MonthShape { length: length as u8, first_weekday };
                let days = left & days_in_month(&self.days_of_month, &self.days_of_week, shape);
                if days != 0 {
                    return Some(month_start + i64::from(days.trailing_zeros()) - 1);
                }
            }
            (year, month) = if month == 12 { (year.checked_add(1)?, 1) } else { (year, month + 1) };
            month_start += i64::from(length);
            left = Days::MAX;
        }
        None
    }

    /// The first time of day from `start` on, in seconds since midnight.
    fn first_time_from(&self, start: i64) -> Option<i64> {
        let (hour, minute, second) = (start / 3_600, start / 60 % 60, start % 60);
        let time = |hour, minute, second| Some(hour * 3_600 + minute * 60 + second);
        let (first_minute, first_second) =
            (first_bit_from(self.minutes, 0)?, first_bit_from(self.seconds, 0)?);
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(second) = first_bit_from(self.seconds, second)
            {
                return time(hour, minute, second);
            }
            if let Some(minute) = first_bit_from(self.minutes, minute + 1) {
                return time(hour, minute, first_second);
            }
        }
        time(first_bit_from(self.hours, hour + 1)?, first_minute, first_second)
    }
}

/// The lowest bit of a set that is not below `start`, which is below 64.
fn first_bit_from(set: u64, start: i64) -> Option<i64> {
    let left = set & (u64::MAX << start);
    (left != 0).then(|| i64::from(left.trailing_zeros()))
}

fn nickname_fields(text: &str) -> Result<&'static str, String> {
    let known = NICKNAMES.iter().find(|(nickname, _)| nickname.eq_ignore_ascii_case(text));
    known.map(|(_, fields)| *fields).ok_or_else(|| {
        let nicknames: Vec<&str> = NICKNAMES.iter().map(|(nickname, _)| *nickname).collect();
        format!("no such nickname: give {}, @every with an interval, or five fields", nicknames.join(", "))
    })
}
