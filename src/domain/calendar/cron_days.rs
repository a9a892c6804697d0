//! The days that the two day fields of a cron pattern allow in a month.

/// Days of a month: bit 1 is the first, bit 31 the last that any month has.
pub(super) type Days = u32;

/// The weekdays 0 (Sunday) to 6 (Saturday) as bits.
type Weekdays = u8;

/// The 1st, 8th, 15th, 22nd and 29th day, shifted right by one.
const WEEKLY: Days = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28;

/// What decides which day of a month is which weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MonthShape {
    /// The number of its days, 28 to 31.
    pub length: u8,
    /// The weekday of its first day; 0 is Sunday.
    pub first_weekday: u8,
}

impl MonthShape {
    fn all_days(self) -> Days {
        (Days::MAX >> (31 - self.length)) & !1
    }

    /// The first day of the month that is this weekday.
    fn first_on(self, weekday: u8) -> u8 {
        1 + (weekday + 7 - self.first_weekday) % 7
    }

    /// All days of the month that are this weekday.
    fn days_on(self, weekday: u8) -> Days {
        (WEEKLY << self.first_on(weekday)) & self.all_days()
    }

    /// The day from Monday to Friday that is the nearest to a day, within the month.
    fn nearest_working_day(self, day: u8) -> u8 {
        match (self.first_weekday + day - 1) % 7 {
            // Sunday: the Monday after it, or the Friday before it.
            0 if day < self.length => day + 1,
            0 => day - 2,
            // Saturday: the Friday before it, or the Monday after it.
            6 if day > 1 => day - 1,
            6 => day + 2,
            _ => day,
        }
    }
}

/// A day-of-month field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DaysOfMonth {
    /// The field contains `*` or `*/1`, so it restricts nothing.
    pub is_any: bool,
    pub days: Days,
    /// `L`: the last day of the month.
    pub last: bool,
    /// `LW`: the last day from Monday to Friday.
    pub last_working_day: bool,
    /// `nW`: for each of these days, the nearest day from Monday to Friday.
    pub nearest_working_days: Days,
}

impl DaysOfMonth {
    fn in_month(&self, month: MonthShape) -> Days {
        let mut days = self.days & month.all_days();
        if self.last {
            days |= 1 << month.length;
        }
        if self.last_working_day {
            days |= 1 << month.nearest_working_day(month.length);
        }
        for day in (1..=month.length).filter(|day| self.nearest_working_days & (1 << day) != 0) {
            days |= 1 << month.nearest_working_day(day);
        }
        days
    }
}

/// A day-of-week field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DaysOfWeek {
    /// The field contains `*` or `*/1`, so it restricts nothing.
    pub is_any: bool,
    pub weekdays: Weekdays,
    /// `d#n`: the weekdays that are allowed the first, second … fifth time they occur in a month.
    pub nth: [Weekdays; 5],
    /// `dL`: the weekdays that are allowed the last time they occur in a month.
    pub last: Weekdays,
}

impl DaysOfWeek {
    fn in_month(&self, month: MonthShape) -> Days {
        let mut days = 0;
        for weekday in 0..7 {
            let is_in = |set: Weekdays| set & (1 << weekday) != 0;
            let on_weekday = month.days_on(weekday);
            if is_in(self.weekdays) {
                days |= on_weekday;
            }
            if is_in(self.last) {
                days |= 1 << on_weekday.ilog2();
            }
            for (weeks, _) in self.nth.iter().enumerate().filter(|(_, set)| is_in(**set)) {
                let week = 0b111_1111 << (1 + 7 * weeks);
                days |= on_weekday & week;
            }
        }
        days
    }
}

/// The days of a month that the two fields allow. If both restrict the days, either of them
/// suffices.
pub(super) fn days_in_month(month_field: &DaysOfMonth, week_field: &DaysOfWeek, month: MonthShape) -> Days {
    match (month_field.is_any, week_field.is_any) {
        (true, true) => month.all_days(),
        (true, false) => week_field.in_month(month),
        (false, true) => month_field.in_month(month),
        (false, false) => month_field.in_month(month) | week_field.in_month(month),
    }
}
