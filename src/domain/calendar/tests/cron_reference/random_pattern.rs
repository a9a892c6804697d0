//! Random patterns of every form, as rules and as text.

use jiff::Span;
use jiff::civil::{Date, date};

/// SplitMix64: the same patterns in every run.
pub struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn between(&mut self, first: i64, last: i64) -> i64 {
        first + self.below((last - first + 1) as u64) as i64
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Debug, Clone, Copy)]
enum Range {
    All,
    One(i64),
    FromTo(i64, i64),
}

#[derive(Debug, Clone, Copy)]
enum Item {
    Numbers { range: Range, step: Option<i64>, max: i64, min: i64 },
    LastDay,
    LastWorkingDay,
    NearestWorkingDay(i64),
    Nth { weekday: i64, nth: i64 },
    LastWeekday(i64),
}

impl Item {
    fn has(self, value: i64) -> bool {
        let Item::Numbers { range, step, max, min } = self else { return false };
        let (first, last) = match range {
            Range::All => (min, max),
            Range::One(value) if step.is_none() => (value, value),
            Range::One(value) => (value, max),
            Range::FromTo(first, last) => (first, last),
        };
        first <= value && value <= last && (value - first) % step.unwrap_or(1) == 0
    }

    fn is_any(self) -> bool {
        matches!(self, Item::Numbers { range: Range::All, step: None | Some(1), .. })
    }

    fn is_star_or_step(self) -> bool {
        matches!(self, Item::Numbers { range, step, .. } if step.is_some() || matches!(range, Range::All))
    }

    fn has_day_of_month(self, day: Date) -> bool {
        let is_working_day = |day: &Date| !matches!(day.weekday().to_sunday_zero_offset(), 0 | 6);
        let month = || (1..=day.days_in_month()).map(|n| date(day.year(), day.month(), n));
        match self {
            Item::LastDay => day.day() == day.days_in_month(),
            Item::LastWorkingDay => month().rfind(is_working_day) == Some(day),
            Item::NearestWorkingDay(n) if n <= i64::from(day.days_in_month()) => {
                month().filter(is_working_day).min_by_key(|day| (i64::from(day.day()) - n).abs()) == Some(day)
            }
            _ => self.has(day.day().into()),
        }
    }

    fn has_day_of_week(self, day: Date) -> bool {
        let today = i64::from(day.weekday().to_sunday_zero_offset());
        match self {
            Item::Nth { weekday, nth } => weekday % 7 == today && i64::from(day.day() - 1) / 7 + 1 == nth,
            Item::LastWeekday(weekday) => weekday % 7 == today && day.day() + 7 > day.days_in_month(),
            _ => self.has(today) || (today == 0 && self.has(7)),
        }
    }
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// Fields in the order of a pattern with seconds.
const BOUNDS: [(i64, i64, i64); 6] =
    [(0, 59, 60), (0, 59, 60), (0, 23, 24), (1, 31, 31), (1, 12, 12), (0, 7, 7)];

/// A pattern as rules, and its text.
pub struct RandomPattern {
    pub text: String,
    /// Seconds, minutes or hours have a `*` or a step.
    pub is_periodic: bool,
    fields: [Vec<Item>; 6],
    /// The seconds of a day that are allowed.
    times: Vec<bool>,
}

impl RandomPattern {
    pub fn new(rng: &mut Rng, with_seconds: bool) -> Self {
        let mut texts = Vec::new();
        // Half of them have neither a star nor a step in their times.
        let fixed = rng.chance(50);
        let fields = [0, 1, 2, 3, 4, 5].map(|at| {
            if at == 0 && !with_seconds {
                let (min, max, _) = BOUNDS[0];
                return vec![Item::Numbers { range: Range::One(0), step: None, max, min }];
            }
            let items = random_field(at, fixed, rng);
            let text: Vec<String> = items.iter().map(|item| text_of(*item, at, rng)).collect();
            texts.push(text.join(","));
            items
        });
        let has = |at: usize, value: i64| fields[at].iter().any(|item| item.has(value));
        let is_allowed =
            |second: i64| has(0, second % 60) && has(1, second / 60 % 60) && has(2, second / 3_600);
        RandomPattern {
            text: texts.join(if rng.chance(10) { "  " } else { " " }),
            is_periodic: fields[..3].iter().flatten().any(|item| item.is_star_or_step()),
            times: (0..86_400).map(is_allowed).collect(),
            fields,
        }
    }

    pub fn allows_time(&self, second_of_day: i64) -> bool {
        self.times[second_of_day as usize]
    }

    /// For each day from one to another, counted from 1970-01-01, whether it is allowed.
    pub fn allowed_dates(&self, first: i64, last: i64) -> Vec<bool> {
        let epoch = date(1970, 1, 1);
        let day = |at: i64| epoch.checked_add(Span::new().days(at)).unwrap();
        (first..=last).map(|at| self.allows_date(day(at))).collect()
    }

    fn allows_date(&self, day: Date) -> bool {
        let [.., days, months, weekdays] = &self.fields;
        let is_any = |items: &[Item]| items.iter().any(|item| item.is_any());
        let by_day = days.iter().any(|item| item.has_day_of_month(day));
        let by_weekday = weekdays.iter().any(|item| item.has_day_of_week(day));
        let is_day = match (is_any(days), is_any(weekdays)) {
            (false, false) => by_day || by_weekday,
            (true, false) => by_weekday,
            (false, true) => by_day,
            (true, true) => true,
        };
        is_day && months.iter().any(|item| item.has(day.month().into()))
    }
}

fn random_field(at: usize, fixed: bool, rng: &mut Rng) -> Vec<Item> {
    let (min, max, most_step) = BOUNDS[at];
    let is_fixed = fixed && at < 3;
    if !is_fixed && rng.chance(if at < 3 { 25 } else { 55 }) {
        let step = rng.chance(15).then_some(1);
        return vec![Item::Numbers { range: Range::All, step, max, min }];
    }
    let count = if rng.chance(60) { 1 } else { rng.between(2, 4) };
    (0..count).map(|_| random_item(at, (min, max, most_step), is_fixed, rng)).collect()
}

fn random_item(at: usize, (min, max, most_step): (i64, i64, i64), is_fixed: bool, rng: &mut Rng) -> Item {
    match at {
        3 if rng.chance(30) => match rng.below(3) {
            0 => return Item::LastDay,
            1 => return Item::LastWorkingDay,
            _ => return Item::NearestWorkingDay(rng.between(1, 31)),
        },
        5 if rng.chance(30) => {
            let weekday = rng.between(0, 7);
            let nth = rng.between(1, 5);
            return if rng.chance(60) { Item::Nth { weekday, nth } } else { Item::LastWeekday(weekday) };
        }
        _ => {}
    }
    // Hours around a change of clocks come up more often than others.
    let value = |rng: &mut Rng| match at {
        2 if rng.chance(60) => rng.between(0, 4),
        _ => rng.between(min, max),
    };
    let first = value(rng);
    let range = match rng.below(if is_fixed { 4 } else { 5 }) {
        0 | 1 => Range::One(first),
        2 | 3 => Range::FromTo(first, rng.between(first, max)),
        _ => Range::All,
    };
    let wants_step = !is_fixed && rng.chance(50);
    Item::Numbers { range, step: wants_step.then(|| rng.between(1, most_step)), max, min }
}

fn text_of(item: Item, at: usize, rng: &mut Rng) -> String {
    let text = match item {
        Item::LastDay => "L".into(),
        Item::LastWorkingDay => "LW".into(),
        Item::NearestWorkingDay(day) => format!("{day}W"),
        Item::Nth { weekday, nth } => format!("{}#{nth}", value_text(weekday, at, rng)),
        Item::LastWeekday(weekday) => {
            format!("{}{}", value_text(weekday, at, rng), ["L", "#L"][rng.below(2) as usize])
        }
        Item::Numbers { range, step, .. } => {
            range_text(range, at, rng) + &step.map_or(String::new(), |step| format!("/{step}"))
        }
    };
    if rng.chance(20) { text.to_ascii_lowercase() } else { text }
}

fn range_text(range: Range, at: usize, rng: &mut Rng) -> String {
    match range {
        Range::All if matches!(at, 3 | 5) && rng.chance(20) => "?".into(),
        Range::All => "*".into(),
        Range::One(value) => value_text(value, at, rng),
        Range::FromTo(0, 7) => "0-7".into(),
        Range::FromTo(first, 7) if at == 5 && rng.chance(50) => format!("{}-SUN", value_text(first, at, rng)),
        Range::FromTo(first, last) => {
            format!("{}-{}", value_text(first, at, rng), value_text(last, at, rng))
        }
    }
}

fn value_text(value: i64, at: usize, rng: &mut Rng) -> String {
    match at {
        4 if rng.chance(40) => MONTHS[value as usize - 1].into(),
        // As a first value, a Sunday that is 7 has no name of its own.
        5 if value < 7 && rng.chance(40) => WEEKDAYS[value as usize].into(),
        _ if rng.chance(10) => format!("{value:02}"),
        _ => value.to_string(),
    }
}
