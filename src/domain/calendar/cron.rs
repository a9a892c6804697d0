//! When a cron pattern is due in a time zone, across the changes of daylight saving time (DST).
//!
//! The pattern itself is a set of local times ([`Pattern`]). Where clocks change, two rules apply:
//!
//! - A pattern with `*` or a step in its seconds, minutes or hours is due whenever the local clock
//!   shows a time of the set. So it is never due in a gap, and in both passes of a repeated hour.
//! - Any other pattern is due once for each local time of the set: at the first moment at which the
//!   local clock shows that time or a later one. So a time in a gap is due when the gap ends, and a
//!   time that comes twice is due the first time.
//!
//! A search looks at few periods of one UTC offset each, since a change of clocks matters only if
//! it is near the start or near the time found. It takes about a microsecond, which is why a
//! command may run it.

use super::cron_pattern::{LocalSecond, Pattern};
use super::time_zone::{LATEST, MAX_OFFSET_SECONDS, Zone};
use crate::domain::refusal::shown;
use crate::domain::time::UnixMs;

/// Patterns are at most this long.
pub const MAX_PATTERN_BYTES: usize = 128;

type UnixSecond = i64;

/// The most that two local clocks, or one clock before and after a change, can differ.
const MAX_CLOCK_DIFFERENCE: i64 = 2 * MAX_OFFSET_SECONDS;

/// Any date that comes at all comes within 40 years: 29 February on a certain weekday, around a
/// year such as 2100. A pattern that is not due for this long was never due for other reasons than
/// its date: all of its times lie in gaps.
const MAX_SEARCH_SECONDS: i64 = 100 * 366 * 86_400;

/// A cron pattern in a time zone.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    pattern: Pattern,
    zone: Zone,
}

impl Schedule {
    /// Reads a pattern. The error names the field, what was given and what is allowed.
    pub fn parse(pattern: &[u8], zone: Zone) -> Result<Self, String> {
        let wrong = |fault: &str| format!("cron '{}': {fault}", shown(pattern));
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(wrong(&format!("longer than {MAX_PATTERN_BYTES} bytes")));
        }
        let text = std::str::from_utf8(pattern).ok().filter(|text| text.is_ascii());
        let text = text.ok_or_else(|| wrong("only letters, digits and signs of ASCII are allowed"))?;
        let pattern = Pattern::parse(text).map_err(|fault| wrong(&fault))?;
        Ok(Schedule { pattern, zone })
    }

    /// The first time after `now` at which it is due, in Unix milliseconds. `None` means that there
    /// is none for the next hundred years, or that `now` lies beyond the year 9998.
    pub fn next_after(&self, now: UnixMs) -> Option<UnixMs> {
        if now >= LATEST {
            return None;
        }
        let second = (now / 1_000) as UnixSecond;
        let due = if self.pattern.is_periodic {
            self.first_shown_after(second)
        } else {
            self.first_reached_after(second)
        };
        u64::try_from(due?).ok().map(|due| due * 1_000).filter(|due| *due <= LATEST)
    }

    /// The first second after `now` in which the local clock shows a time of the pattern.
    fn first_shown_after(&self, now: UnixSecond) -> Option<UnixSecond> {
        let mut start = now + 1;
        while start < now + MAX_SEARCH_SECONDS {
            let period = self.zone.offset_period(start);
            let local = self.pattern.first_from(start + period.offset)?;
            let second = local - period.offset;
            if second < period.end {
                return Some(second);
            }
            // The clock shows nothing of the pattern before it shows `local`, unless it is put back
            // behind where it stood at `start`. It can be so only by a change that is near.
            start = if period.end - start > MAX_CLOCK_DIFFERENCE {
                period.end.max(local - MAX_OFFSET_SECONDS)
            } else {
                period.end
            };
        }
        None
    }

    /// The first second after `now` in which the local clock shows a time of the pattern, or a
    /// later one, for the first time.
    fn first_reached_after(&self, now: UnixSecond) -> Option<UnixSecond> {
        let local = self.pattern.first_from(self.latest_shown(now) + 1)?;
        let mut start = (now + 1).max(local - MAX_OFFSET_SECONDS);
        loop {
            let period = self.zone.offset_period(start);
            let second = start.max(local - period.offset);
            if second < period.end {
                return Some(second);
            }
            start = period.end;
        }
    }

    /// The latest time that the local clock has shown up to `now`. It is later than the time that
    /// the clock shows at `now` if the clock has been put back and has not caught up.
    fn latest_shown(&self, now: UnixSecond) -> LocalSecond {
        let mut start = now - MAX_CLOCK_DIFFERENCE;
        let mut latest = LocalSecond::MIN;
        while start <= now {
            let period = self.zone.offset_period(start);
            latest = latest.max(now.min(period.end - 1) + period.offset);
            start = period.end;
        }
        latest
    }
}

#[cfg(test)]
#[path = "tests/cron.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/cron_reference.rs"]
mod reference_tests;
