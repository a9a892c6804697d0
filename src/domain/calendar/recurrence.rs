//! When a schedule is due: by a cron pattern in a time zone, or at an interval.

use super::cron::{MAX_PATTERN_BYTES, Schedule};
use super::time_zone::{LATEST, Zone};
use crate::domain::refusal::shown;
use crate::domain::time::{self, SECOND, UnixMs};

const EVERY: &[u8] = b"@every";

/// The shortest interval.
const MIN_PERIOD_MS: u64 = SECOND;

/// What the pattern of a schedule says.
#[derive(Debug, Clone, Copy)]
pub enum Recurrence {
    Cron(Schedule),
    /// `@every d`: the milliseconds from one time to the next.
    Interval(u64),
}

impl Recurrence {
    /// Reads `@every d` or a cron pattern. The zone is that of a cron pattern. The error says what
    /// is wrong.
    pub fn parse(pattern: &[u8], zone: Zone) -> Result<Self, String> {
        if !Self::is_interval(pattern) || pattern.len() > MAX_PATTERN_BYTES {
            return Schedule::parse(pattern, zone).map(Recurrence::Cron);
        }
        let period = pattern.trim_ascii()[EVERY.len()..].trim_ascii();
        let period = time::duration_within("the interval", period, MIN_PERIOD_MS, time::LONGEST);
        period
            .map(Recurrence::Interval)
            .map_err(|refusal| format!("cron '{}': {}", shown(pattern), refusal.text))
    }

    /// Whether a pattern is `@every` with an interval, right or wrong.
    pub fn is_interval(pattern: &[u8]) -> bool {
        let pattern = pattern.trim_ascii();
        let (word, rest) = pattern.split_at(pattern.len().min(EVERY.len()));
        word.eq_ignore_ascii_case(EVERY) && rest.first().is_none_or(|byte| byte.is_ascii_whitespace())
    }

    /// The first time after `now` at which it is due. An interval is due at `origin` and at every
    /// multiple of its length after that.
    pub fn next_after(&self, now: UnixMs, origin: UnixMs) -> Option<UnixMs> {
        match self {
            Recurrence::Cron(schedule) => schedule.next_after(now),
            Recurrence::Interval(period) => {
                let passed = now.checked_sub(origin).map_or(0, |passed| passed / period + 1);
                let next = passed.checked_mul(*period)?.checked_add(origin)?;
                Some(next).filter(|next| *next <= LATEST)
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/recurrence.rs"]
mod tests;
