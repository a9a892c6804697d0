//! What the local clock of a zone shows, minute by minute.

use crate::domain::calendar::time_zone::Zone;
use jiff::{Timestamp, civil::date, tz::TimeZone};

/// Zones with the first of ten years that are walked, and the one year that a short run walks.
///
/// Their clocks change by 30 minutes (Lord Howe), two hours (Troll) or a whole day (Apia), at
/// midnight (Havana, Sao Paulo, Tehran), a minute after it (St. John's), around Ramadan
/// (Casablanca) or never.
pub const CLOCKS: [(&str, i16, i16); 12] = [
    ("UTC", 2020, 2024),
    ("Europe/Berlin", 2026, 2027),
    ("America/New_York", 2020, 2026),
    ("Australia/Lord_Howe", 2026, 2026),
    ("Antarctica/Troll", 2020, 2026),
    ("Pacific/Apia", 2009, 2011),
    ("Pacific/Chatham", 2030, 2036),
    ("America/Havana", 2026, 2028),
    ("America/Sao_Paulo", 2010, 2018),
    ("Asia/Tehran", 2014, 2021),
    ("America/St_Johns", 2004, 2008),
    ("Africa/Casablanca", 2010, 2013),
];

/// The local clock of a zone from one moment to another.
pub struct LocalClock {
    pub zone: &'static str,
    /// Unix seconds.
    pub start: i64,
    pub end: i64,
    /// The Unix seconds at which it changes.
    pub changes: Vec<i64>,
    /// The minutes that it is ahead of UTC, for each minute from the start.
    ahead: Vec<i16>,
}

impl LocalClock {
    /// From three days before a year to the end of the given number of years.
    pub fn of_years(zone: &'static str, year: i16, years: i16) -> Self {
        let midnight = |year| date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
        let (start, end) = (midnight(year) - 3 * 86_400, midnight(year + years));
        let rules = Zone::named(zone.as_bytes()).unwrap().rules();
        let ahead_at = |minute: i64| {
            let seconds = rules.to_offset(Timestamp::from_second(minute * 60).unwrap()).seconds();
            assert_eq!(seconds % 60, 0, "a walk by minutes needs offsets of whole minutes");
            (seconds / 60) as i16
        };
        let ahead: Vec<i16> = (start / 60..end / 60).map(ahead_at).collect();
        let is_change = |at: &usize| ahead[*at] != ahead[*at - 1];
        let changes = (1..ahead.len()).filter(is_change).map(|at| start + at as i64 * 60).collect();
        LocalClock { zone, start, end, changes, ahead }
    }

    /// The days around its first change, or the first days if it has none.
    pub fn around_first_change(self) -> Self {
        let first = self.changes.first().map_or(self.start, |change| change - 10 * 86_400);
        let minutes = ((first - self.start) / 60) as usize;
        LocalClock {
            start: first,
            end: first + 20 * 86_400,
            ahead: self.ahead[minutes..minutes + 20 * 1_440].to_vec(),
            ..self
        }
    }

    /// What the clock shows, in seconds as if it were in UTC.
    pub fn local(&self, second: i64) -> i64 {
        second + i64::from(self.ahead[((second - self.start) / 60) as usize]) * 60
    }

    pub fn first_local_day(&self) -> i64 {
        self.start / 86_400 - 2
    }

    pub fn last_local_day(&self) -> i64 {
        self.end / 86_400 + 2
    }
}
