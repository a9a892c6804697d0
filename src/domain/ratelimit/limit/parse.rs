//! The syntax of one limit:
//!
//! ```text
//! [name=]count/period[:burst=n|:bucket|:fixed]          a duration
//! [name=]count/(day|week|month)@zone[:anchor=d]         a calendar period
//! ```

use crate::domain::calendar::time_zone::Zone;
use crate::domain::ratelimit::limit::calendar::{Calendar, CalendarUnit};
use crate::domain::ratelimit::limit::name::is_name;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::{MAX_COUNT, UNLIMITED};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time;
use std::cmp::Ordering;

impl Rule {
    /// Parses the part after the name. The error tells what is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let (count, rest) = split_at_byte(text, b'/').ok_or("expected [name=]count/period")?;
        let unlimited = count.eq_ignore_ascii_case(b"inf");
        let count = if unlimited {
            UNLIMITED
        } else {
            parse_amount(count, 0).map_err(|fault| format!("count {fault}"))?
        };
        let rule = match split_at_byte(rest, b'@') {
            Some((word, zone)) => parse_calendar_limit(count, word, zone)?,
            None => parse_duration_limit(count, rest)?,
        };
        if unlimited && !rule.kind.has_periods() {
            return Err("count inf goes with :fixed and with calendar periods only".into());
        }
        Ok(rule)
    }
}

/// `period[:burst=n|:bucket|:fixed]` with a duration.
fn parse_duration_limit(count: u64, text: &[u8]) -> Result<Rule, String> {
    let (period, kind) = match split_at_byte(text, b':') {
        Some((period, kind)) => (period, Some(kind)),
        None => (text, None),
    };
    if let Some(unit) = parse_unit(period) {
        let word = unit.word();
        return Err(format!(
            "a calendar period needs a time zone, such as {word}@UTC or {word}@Europe/Berlin"
        ));
    }
    let period_ms = parse_period_ms(period)?;
    let kind = match kind {
        None => LimitKind::Window,
        Some(word) if word.eq_ignore_ascii_case(b"bucket") => LimitKind::Bucket { burst: count },
        Some(word) if word.eq_ignore_ascii_case(b"fixed") => LimitKind::Fixed,
        Some(word) => match split_at_byte(word, b'=') {
            Some((key, burst)) if key.eq_ignore_ascii_case(b"burst") => {
                LimitKind::Bucket { burst: parse_amount(burst, 1).map_err(|fault| format!("burst {fault}"))? }
            }
            _ => return Err("after the period only :burst=n, :bucket or :fixed may follow".into()),
        },
    };
    match kind {
        LimitKind::Bucket { .. } if count == 0 => {
            Err(format!("the count of a bucket must be between 1 and {MAX_COUNT}"))
        }
        _ => Ok(Rule { count, period_ms, kind }),
    }
}

/// `word@zone[:anchor=d]`.
fn parse_calendar_limit(count: u64, word: &[u8], zone: &[u8]) -> Result<Rule, String> {
    let unit = parse_unit(word).ok_or_else(|| {
        format!("a time zone goes with day, week or month only, not with '{}'", shown(word))
    })?;
    let (zone, anchor) = match split_at_byte(zone, b':') {
        Some((zone, anchor)) => (zone, parse_anchor(unit, anchor)?),
        None => (zone, 1),
    };
    let zone = Zone::named(zone).ok_or_else(|| {
        format!("unknown time zone '{}': expected a name such as UTC or Europe/Berlin", shown(zone))
    })?;
    let calendar = Calendar { unit, zone, anchor };
    Ok(Rule { count, period_ms: calendar.longest_ms(), kind: LimitKind::Calendar(calendar) })
}

/// `anchor=d`.
fn parse_anchor(unit: CalendarUnit, text: &[u8]) -> Result<u8, String> {
    let day = match split_at_byte(text, b'=') {
        Some((key, day)) if key.eq_ignore_ascii_case(b"anchor") => day,
        _ => return Err("after the time zone only :anchor=d may follow".into()),
    };
    if unit == CalendarUnit::Day {
        return Err("a day has no anchor: it begins at midnight".into());
    }
    let highest = unit.highest_anchor();
    parse_amount(day, 1)
        .ok()
        .and_then(|day| u8::try_from(day).ok())
        .filter(|&day| day <= highest)
        .ok_or_else(|| format!("anchor '{}': a {} begins on day 1 to {highest}", shown(day), unit.word()))
}

fn parse_unit(word: &[u8]) -> Option<CalendarUnit> {
    CalendarUnit::ALL.into_iter().find(|unit| word.eq_ignore_ascii_case(unit.word().as_bytes()))
}

/// A limit of a call. It borrows the name from the argument. The rule identifies an unnamed limit;
/// its canonical text is written only for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<'a> {
    pub name: Option<&'a [u8]>,
    pub rule: Rule,
}

/// Whether an argument of CHECK or PEEK is a limit or names a policy. The first argument that is
/// neither begins the options.
pub fn is_limit(argument: &[u8]) -> bool {
    is_policy_name(argument) || argument.contains(&b'/')
}

/// Whether an argument names a policy: `@name`.
pub fn is_policy_name(argument: &[u8]) -> bool {
    argument.first() == Some(&b'@')
}

impl<'a> Limit<'a> {
    /// Parses one limit. The error names the part that is wrong.
    pub fn parse(text: &'a [u8]) -> Result<Self, Refusal> {
        Self::read(text).map_err(|fault| Refusal::err(format!("invalid limit '{}': {fault}", shown(text))))
    }

    fn read(text: &'a [u8]) -> Result<Self, String> {
        if text.first() == Some(&b'@') {
            return Err("expected [name=]count/period, not a policy".into());
        }
        // The name ends at the first `=` before any `/`. The `=` of `:burst=` comes after a `/`.
        let named = text.iter().position(|b| matches!(b, b'=' | b'/')).filter(|&at| text[at] == b'=');
        let (name, rule) = match named {
            Some(at) => (Some(&text[..at]), &text[at + 1..]),
            None => (None, text),
        };
        if name.is_some_and(|name| !is_name(name)) {
            return Err("name must be 1 to 64 bytes of A-Z a-z 0-9 _ . : -".into());
        }
        Ok(Limit { name, rule: Rule::parse(rule)? })
    }

    /// Compares in the order of limits under a key: unnamed limits by their rule, then named limits
    /// by the bytes of their names. Equal limits share one counter.
    pub(crate) fn cmp_key(&self, other: &Limit<'_>) -> Ordering {
        match (self.name, other.name) {
            (None, None) => self.rule.cmp(&other.rule),
            (mine, theirs) => mine.cmp(&theirs),
        }
    }

    /// Whether both limits share one counter.
    #[inline]
    pub(crate) fn shares_counter(&self, other: &Limit<'_>) -> bool {
        match (self.name, other.name) {
            (None, None) => self.rule == other.rule,
            (mine, theirs) => mine == theirs,
        }
    }

    /// The name in replies and errors.
    pub(crate) fn display_name(&self) -> String {
        self.name.map_or_else(|| self.rule.spec(), shown)
    }
}

/// Parses a whole number from `least` to 10^12. The error continues a sentence that begins with the
/// name of the number.
pub(crate) fn parse_amount(text: &[u8], least: u64) -> Result<u64, String> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(format!("'{}' is not a whole number", shown(text)));
    }
    let value = text.iter().try_fold(0u64, |sum, b| sum.checked_mul(10)?.checked_add(u64::from(b - b'0')));
    value
        .filter(|value| (least..=MAX_COUNT).contains(value))
        .ok_or_else(|| format!("must be between {least} and {MAX_COUNT}"))
}

fn parse_period_ms(text: &[u8]) -> Result<u64, String> {
    time::duration("", text).map_err(|refusal| {
        let reason = refusal.text.rsplit("': ").next().unwrap_or_default();
        let joint = if reason.starts_with("must") { " " } else { ": " };
        format!("period{joint}{reason}")
    })
}

/// Returns the bytes before and after the first `mark`.
fn split_at_byte(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == mark)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
#[path = "../tests/parse.rs"]
mod tests;
