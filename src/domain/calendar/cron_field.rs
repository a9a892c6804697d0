//! The grammar of one field of a cron pattern.
//!
//! ```text
//! field   = item { "," item }
//! item    = range [ "/" step ] | day-item
//! range   = "*" | value [ "-" value ]
//! value   = number | name
//! ```
//!
//! `value/step` means the range from the value to the field's maximum. The day fields also take `?`
//! for `*`. A day-item is `L`, `LW` or `nW` for the day of month, and `d#n`, `d#L` or `dL` for the
//! day of week.

use super::cron_days::{DaysOfMonth, DaysOfWeek};

/// What one of the six fields allows.
#[derive(Debug)]
pub(super) struct FieldRule {
    /// The field as an error names it.
    name: &'static str,
    /// What the field allows, in the words of an error.
    allowed: &'static str,
    min: u8,
    max: u8,
    max_step: u8,
    /// Names of values; the first one names the smallest value.
    names: &'static [&'static str],
    takes_question_mark: bool,
}

const SIXTY: FieldRule = FieldRule {
    name: "",
    allowed: "0-59",
    min: 0,
    max: 59,
    max_step: 60,
    names: &[],
    takes_question_mark: false,
};
pub(super) static SECOND: FieldRule = FieldRule { name: "second", ..SIXTY };
pub(super) static MINUTE: FieldRule = FieldRule { name: "minute", ..SIXTY };
pub(super) static HOUR: FieldRule =
    FieldRule { name: "hour", allowed: "0-23", max: 23, max_step: 24, ..SIXTY };
static DAY_OF_MONTH: FieldRule = FieldRule {
    name: "day of month",
    allowed: "1-31, L, LW, nW",
    min: 1,
    max: 31,
    max_step: 31,
    names: &[],
    takes_question_mark: true,
};
pub(super) static MONTH: FieldRule = FieldRule {
    name: "month",
    allowed: "1-12 or JAN-DEC",
    min: 1,
    max: 12,
    max_step: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    takes_question_mark: false,
};
static DAY_OF_WEEK: FieldRule = FieldRule {
    name: "day of week",
    allowed: "0-7 or SUN-SAT, d#1 to d#5, dL",
    min: 0,
    max: 7,
    max_step: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    takes_question_mark: true,
};

/// The values that a field of numbers allows.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Bit n is the value n.
    pub set: u64,
    /// An item is `*` or `*/1`.
    pub has_any: bool,
    /// An item has a `*` or a step.
    pub has_star_or_step: bool,
}

/// What is wrong with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Value,
    Step,
    Backwards,
}

impl FieldRule {
    /// Reads a field of numbers. The error names the field, what was given and what is allowed.
    pub fn read(&self, field: &str) -> Result<Values, String> {
        let mut values = Values::default();
        self.read_items(field, |item| self.read_item(item, &mut values))?;
        Ok(values)
    }

    fn read_items(
        &self,
        field: &str,
        mut read_item: impl FnMut(&str) -> Result<(), Fault>,
    ) -> Result<(), String> {
        let folded = field.to_ascii_uppercase();
        folded.split(',').try_for_each(&mut read_item).map_err(|fault| {
            let expected = match fault {
                Fault::Value => format!("{}, *, or lists, ranges and steps of these", self.allowed),
                Fault::Step => format!("a step of 1 to {}", self.max_step),
                Fault::Backwards => "a range that does not end before it begins".into(),
            };
            format!("{} '{field}': expected {expected}", self.name)
        })
    }

    fn read_item(&self, item: &str, values: &mut Values) -> Result<(), Fault> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.read_step(step)?)),
            None => (item, None),
        };
        let is_star = range == "*" || (range == "?" && self.takes_question_mark);
        let (first, last) = match range.split_once('-') {
            _ if is_star => (self.min, self.max),
            Some((first, last)) => self.read_range(first, last)?,
            None => {
                let value = self.read_value(range)?;
                (value, if step.is_some() { self.max } else { value })
            }
        };
        for value in (first..=last).step_by(step.unwrap_or(1).into()) {
            values.set |= 1 << value;
        }
        values.has_any |= is_star && step.unwrap_or(1) == 1;
        values.has_star_or_step |= is_star || step.is_some();
        Ok(())
    }

    fn read_range(&self, first: &str, last: &str) -> Result<(u8, u8), Fault> {
        let from = self.read_value(first)?;
        let to = match self.read_value(last)? {
            // At the end of a range, Sunday is the day after Saturday.
            0 if last == "SUN" && from > 0 => 7,
            to => to,
        };
        if from <= to { Ok((from, to)) } else { Err(Fault::Backwards) }
    }

    fn read_value(&self, text: &str) -> Result<u8, Fault> {
        let named = self.names.iter().position(|name| *name == text).map(|at| self.min + at as u8);
        let value = named.or_else(|| read_number(text));
        value.filter(|value| (self.min..=self.max).contains(value)).ok_or(Fault::Value)
    }

    fn read_step(&self, text: &str) -> Result<u8, Fault> {
        read_number(text).filter(|step| (1..=self.max_step).contains(step)).ok_or(Fault::Step)
    }
}

fn read_number(text: &str) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Reads the day-of-month field.
pub(super) fn read_days_of_month(field: &str) -> Result<DaysOfMonth, String> {
    let (rule, mut values, mut days) = (&DAY_OF_MONTH, Values::default(), DaysOfMonth::default());
    rule.read_items(field, |item| {
        match (item, item.strip_suffix('W')) {
            ("L", _) => days.last = true,
            ("LW", _) => days.last_working_day = true,
            (_, Some(day)) => days.nearest_working_days |= 1 << rule.read_value(day)?,
            _ => rule.read_item(item, &mut values)?,
        }
        Ok(())
    })?;
    Ok(DaysOfMonth { is_any: values.has_any, days: values.set as u32, ..days })
}

/// Reads the day-of-week field.
pub(super) fn read_days_of_week(field: &str) -> Result<DaysOfWeek, String> {
    let (rule, mut values, mut days) = (&DAY_OF_WEEK, Values::default(), DaysOfWeek::default());
    rule.read_items(field, |item| {
        let bit_of = |day: &str| Ok(1 << (rule.read_value(day)? % 7));
        match (item.split_once('#'), item.strip_suffix('L')) {
            (Some((day, "L")), _) | (None, Some(day)) => days.last |= bit_of(day)?,
            (Some((day, nth)), _) => {
                let at = ["1", "2", "3", "4", "5"].iter().position(|known| *known == nth);
                days.nth[at.ok_or(Fault::Value)?] |= bit_of(day)?;
            }
            _ => rule.read_item(item, &mut values)?,
        }
        Ok(())
    })?;
    // 7 is Sunday too.
    let weekdays = (values.set | values.set >> 7) as u8 & 0b111_1111;
    Ok(DaysOfWeek { is_any: values.has_any, weekdays, ..days })
}
