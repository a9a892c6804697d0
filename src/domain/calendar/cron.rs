//! When a schedule is due: cron patterns in a time zone.
//!
//! Five fields (minute, hour, day of month, month, day of week) or six with seconds first; names (`MON`,
//! `JAN`), ranges, lists, steps, `L`, `W`, `#` and nicknames such as `@daily`, as the crate `croner` reads them
//! after the Open Cron Pattern Specification. Where both day fields are restricted, either suffices, as in Vixie
//! cron.
//!
//! Where clocks change, a time that is skipped is due at the first moment after the gap, and one that comes twice
//! is due the first time; a pattern with `*` or a step in its hours, minutes or seconds goes by the clock on the
//! wall instead: nothing in the gap, everything in both passes.

use crate::domain::calendar::time_zone::Zone;
use crate::domain::refusal::shown;
use crate::domain::time::UnixMs;
use croner::Cron;
use croner::parser::{CronParser, Year};
use jiff::{Timestamp, Zoned};

/// Patterns are at most this long.
pub const LONGEST_PATTERN: usize = 128;

/// Where a search begins at the latest, in the year 4955: the crate searches up to the year 5000, and whatever is
/// ever due is due at least every 40 years (a certain weekday on 29 February, about a year without one).
const LATEST: UnixMs = 94_197_500_000_000;

/// A cron pattern in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Zone,
}

impl Schedule {
    /// Reads a pattern; the error is what is wrong with it.
    pub fn parse(pattern: &[u8], zone: Zone) -> Result<Self, String> {
        let wrong = |fault: &str| format!("cron '{}': {fault}", shown(pattern));
        if pattern.len() > LONGEST_PATTERN {
            return Err(wrong(&format!("longer than {LONGEST_PATTERN} bytes")));
        }
        let text = std::str::from_utf8(pattern).ok().filter(|text| text.is_ascii());
        let text = text.ok_or_else(|| wrong("only letters, digits and signs of ASCII are allowed"))?;
        let cron = parsed(text).map_err(|fault| wrong(&fault))?;
        let schedule = Schedule { cron, zone };
        // A date that no year has, such as 30 February, is never due. To look for it takes long, so the search is
        // made where it is short.
        if schedule.next_after(LATEST).is_none() {
            return Err(wrong("is never due"));
        }
        Ok(schedule)
    }

    /// The first time after `now` at which it is due, in Unix milliseconds.
    pub fn next_after(&self, now: UnixMs) -> Option<UnixMs> {
        let now = Timestamp::from_millisecond(now.min(LATEST) as i64).ok()?;
        let now = Zoned::new(now, self.zone.rules().clone());
        let next = self.cron.find_next_occurrence(&now, false).ok()?;
        u64::try_from(next.timestamp().as_millisecond()).ok()
    }
}

/// The fields of a pattern with seconds, and what may stand in each, in the words of an error.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31 or L"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 or SUN-SAT"),
];

const NICKNAMES: &str = "@yearly, @monthly, @weekly, @daily or @hourly";

fn parsed(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().year(Year::Disallowed).build();
    parser.parse(text).map_err(|fault| {
        let given: Vec<&str> = text.split_ascii_whitespace().collect();
        if text.starts_with('@') {
            return format!("no such nickname: give {NICKNAMES}, or five fields");
        }
        if !matches!(given.len(), 5 | 6) {
            return "expected five fields (minute, hour, day of month, month, day of week), or six with seconds first"
                .into();
        }
        let fields = &FIELDS[FIELDS.len() - given.len()..];
        // The one that is wrong by itself: the crate does not say which.
        let is_wrong = |at: &usize| {
            let mut alone = vec!["*"; given.len()];
            alone[*at] = given[*at];
            parser.parse(&alone.join(" ")).is_err()
        };
        match (0..given.len()).find(is_wrong) {
            Some(at) => {
                let ((name, range), given) = (fields[at], given[at]);
                format!("{name} '{given}': expected {range}, *, or lists, ranges and steps of these")
            }
            None => fault.to_string().trim().into(),
        }
    })
}

#[cfg(test)]
#[path = "tests/cron.rs"]
mod tests;
