//! How much has happened in each minute of the last day.
//!
//! Only minutes in which something happened take room: the last two are at hand, those before them
//! are packed, ten bytes or so each.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::history::event::Event;
use crate::domain::time::{MINUTE, UnixMs};
use std::collections::VecDeque;

/// How many minutes are looked back upon, the one that runs included.
pub const MAX_MINUTES: u64 = 1_440;
/// What is counted in each.
pub const COLUMNS: usize = 6;

/// What happened in a minute; a count stays at its highest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minute {
    /// In minutes since 1970.
    number: u64,
    pub pushed: u32,
    pub popped: u32,
    pub done: u32,
    pub failed: u32,
    pub dead: u32,
    pub expired: u32,
}

impl Minute {
    /// When it began, in Unix milliseconds.
    pub fn start_ms(&self) -> UnixMs {
        self.number * MINUTE
    }

    /// In the order in which they are shown.
    pub fn counts(&self) -> [u32; COLUMNS] {
        [self.pushed, self.popped, self.done, self.failed, self.dead, self.expired]
    }

    fn of(number: u64, [pushed, popped, done, failed, dead, expired]: [u32; COLUMNS]) -> Self {
        Minute { number, pushed, popped, done, failed, dead, expired }
    }

    fn count_of(&mut self, event: Event) -> Option<&mut u32> {
        Some(match event {
            Event::Pushed => &mut self.pushed,
            Event::Popped => &mut self.popped,
            Event::Done => &mut self.done,
            Event::Failed => &mut self.failed,
            Event::Dead => &mut self.dead,
            Event::Expired => &mut self.expired,
            _ => return None,
        })
    }

    fn is_empty(&self) -> bool {
        self.counts() == [0; COLUMNS]
    }
}

/// The minutes in which something happened, up to a day before the last of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct MinuteCounts {
    /// Those before the last two, each as how many minutes it is after the one before it, and its
    /// counts.
    packed: VecDeque<u8>,
    /// The first and the last of the packed ones.
    first: u64,
    last: u64,
    /// The two last ones; an empty one is none.
    before: Minute,
    current: Minute,
}

impl MinuteCounts {
    /// Counts an event, unless it is of those that are not counted. Times never go back.
    pub fn count(&mut self, event: Event, at: UnixMs) {
        let number = at / MINUTE;
        if number <= self.current.number {
            if let Some(count) = self.current.count_of(event) {
                *count = count.saturating_add(1);
            }
            return;
        }
        let mut start_ms = Minute { number, ..Minute::default() };
        if let Some(count) = start_ms.count_of(event) {
            *count = 1;
            self.begin(start_ms);
        }
    }

    /// A minute with something in it, after all that there are.
    fn begin(&mut self, minute: Minute) {
        if !self.before.is_empty() {
            self.pack();
        }
        self.before = self.current;
        self.current = minute;
        let oldest = (minute.number + 1).saturating_sub(MAX_MINUTES);
        while !self.packed.is_empty() && self.first < oldest {
            self.drop_first();
        }
        if self.packed.is_empty() && self.before.number < oldest {
            self.before = Minute::default();
        }
    }

    /// The one before the last joins those that are packed.
    fn pack(&mut self) {
        let mut writer = Writer::new();
        if self.packed.is_empty() {
            (self.first, self.last) = (self.before.number, self.before.number);
        }
        write(&mut writer, &self.before, self.last);
        self.last = self.before.number;
        self.packed.extend(writer.written());
    }

    fn drop_first(&mut self) {
        let ends = self.packed.iter().enumerate().filter(|(_, byte)| **byte < 0x80);
        // One byte without the high bit ends each number.
        let length = ends.map(|(at, _)| at + 1).nth(COLUMNS).unwrap_or(self.packed.len());
        self.packed.drain(..length);
        let mut later = 0;
        for (nth, byte) in self.packed.iter().take(10).enumerate() {
            later |= u64::from(byte & 0x7f) << (7 * nth);
            if *byte < 0x80 {
                break;
            }
        }
        self.first += later;
    }

    /// All of them, the oldest first.
    pub fn minutes(&self) -> Vec<Minute> {
        let (front, back) = self.packed.as_slices();
        let packed = [front, back].concat();
        let mut reader = Reader::new(&packed);
        let mut minutes = Vec::new();
        let mut number = self.first;
        while !reader.is_empty() {
            // Written by this series alone.
            let Ok((later, counts)) = read(&mut reader) else { break };
            number += if minutes.is_empty() { 0 } else { later };
            minutes.push(Minute::of(number, counts));
        }
        minutes.extend([self.before, self.current].into_iter().filter(|minute| !minute.is_empty()));
        minutes
    }

    /// What happened in the last of the minutes that are over at `now`.
    pub fn last_full(&self, now: UnixMs) -> Minute {
        let wanted = (now / MINUTE).saturating_sub(1);
        let known = [self.current, self.before].into_iter().find(|minute| minute.number == wanted);
        known.unwrap_or(Minute { number: wanted, ..Minute::default() })
    }

    pub fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.packed.capacity()
    }

    /// One block behind the byte `kind`: the number of the first minute and all counts.
    pub fn save(&self, kind: u8, emit: &mut dyn FnMut(&[u8])) {
        let minutes = self.minutes();
        let Some(first) = minutes.first() else { return };
        let mut writer = Writer::new();
        writer.byte(kind);
        writer.int(first.number);
        let mut before = first.number;
        for minute in &minutes {
            write(&mut writer, minute, before);
            before = minute.number;
        }
        emit(&writer.finish());
    }

    /// Loads what follows the kind in the block of a queue that has come to the time `clock`.
    pub fn load(&mut self, reader: &mut Reader<'_>, clock: UnixMs) -> Result<(), Corrupt> {
        if !self.is_empty() {
            return Err(Corrupt);
        }
        let first = reader.int()?;
        let mut number = first;
        loop {
            let (later, counts) = read(reader)?;
            // The block begins with its first minute, and names none twice.
            let rises = (later == 0) == self.is_empty();
            number = number
                .checked_add(later)
                .filter(|number| rises && *number <= clock / MINUTE)
                .ok_or(Corrupt)?;
            let minute = Minute::of(number, counts);
            if minute.is_empty() || number - first >= MAX_MINUTES {
                return Err(Corrupt);
            }
            self.begin(minute);
            if reader.is_empty() {
                return Ok(());
            }
        }
    }
}

/// So many minutes after the one with the number `before`.
fn write(writer: &mut Writer, minute: &Minute, before: u64) {
    writer.int(minute.number - before);
    minute.counts().into_iter().for_each(|count| writer.int(count.into()));
}

fn read(reader: &mut Reader<'_>) -> Result<(u64, [u32; COLUMNS]), Corrupt> {
    let later = reader.int()?;
    let mut counts = [0; COLUMNS];
    for count in &mut counts {
        *count = reader.narrow()?;
    }
    Ok((later, counts))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const COUNTED: [Event; COLUMNS] =
        [Event::Pushed, Event::Popped, Event::Done, Event::Failed, Event::Dead, Event::Expired];

    fn saved(series: &MinuteCounts) -> Vec<Vec<u8>> {
        let mut blocks = Vec::new();
        series.save(9, &mut |block| blocks.push(block[1..].to_vec()));
        blocks
    }

    fn loaded(block: &[u8], clock: UnixMs) -> Result<MinuteCounts, Corrupt> {
        let mut series = MinuteCounts::default();
        series.load(&mut Reader::new(block), clock)?;
        Ok(series)
    }

    proptest! {
        #[test]
        fn the_minutes_of_the_last_day_are_as_they_were_counted(
            steps in prop::collection::vec(
                (
                    prop_oneof![4 => 0..MINUTE, 2 => 0..9 * MINUTE, 1 => 0..20 * 60 * MINUTE, 1 => 0..3000 * MINUTE],
                    0..=COLUMNS,
                    prop_oneof![9 => 1..3u32, 1 => 100..20_000u32],
                ),
                1..60,
            ),
            every in any::<bool>(),
        ) {
            let mut series = MinuteCounts::default();
            let mut counted: BTreeMap<u64, [u32; COLUMNS]> = BTreeMap::new();
            let mut now = 1_767_225_600_000;
            let mut last = 0;
            for (later, column, times) in steps {
                now += later;
                // One that is not counted changes nothing.
                let event = COUNTED.get(column).copied().unwrap_or(Event::Ready);
                for _ in 0..times {
                    series.count(event, now);
                }
                if column < COLUMNS {
                    counted.entry(now / MINUTE).or_default()[column] += times;
                    last = now / MINUTE;
                }
                let expected = counted.range((last + 1).saturating_sub(MAX_MINUTES)..);
                let expected: Vec<_> = expected.map(|(number, counts)| Minute::of(*number, *counts)).collect();
                prop_assert_eq!(series.minutes(), expected.clone());
                let full = now / MINUTE - 1;
                let last_full = counted.get(&full).copied().unwrap_or_default();
                prop_assert_eq!(series.last_full(now), Minute::of(full, last_full));
                if every && !expected.is_empty() {
                    let [block] = saved(&series).try_into().unwrap();
                    series = loaded(&block, now).expect("what was saved");
                    prop_assert_eq!(series.minutes(), expected);
                    prop_assert_eq!(saved(&series), [block]);
                }
            }
        }
    }

    #[test]
    fn a_day_of_minutes_takes_little_room() {
        let mut series = MinuteCounts::default();
        for minute in 0..5_000 {
            COUNTED.into_iter().for_each(|event| series.count(event, minute * MINUTE));
        }
        assert_eq!(series.minutes().len() as u64, MAX_MINUTES);
        assert_eq!(series.minutes()[0].start_ms(), (5_000 - MAX_MINUTES) * MINUTE);
        assert!(series.memory() < 32 * 1024, "{}", series.memory());
    }

    #[test]
    fn a_count_stays_at_its_highest() {
        let mut series =
            MinuteCounts { current: Minute::of(1, [u32::MAX; COLUMNS]), ..MinuteCounts::default() };
        COUNTED.into_iter().for_each(|event| series.count(event, MINUTE));
        assert_eq!(series.minutes(), [Minute::of(1, [u32::MAX; COLUMNS])]);
    }

    #[test]
    fn what_no_series_has_written_is_refused() {
        let mut series = MinuteCounts::default();
        for minute in [100, 101, 400] {
            series.count(Event::Pushed, minute * MINUTE);
            series.count(Event::Dead, minute * MINUTE);
        }
        let [block] = saved(&series).try_into().unwrap();
        let clock = 400 * MINUTE;
        assert!(loaded(&block, clock).is_ok());
        assert!(loaded(&block, clock - 1).is_err(), "from the future");
        for at in 0..block.len() {
            for flip in 1..=u8::MAX {
                let mut other = block.clone();
                other[at] ^= flip;
                if let Ok(series) = loaded(&other, clock) {
                    assert_eq!(saved(&series), [other]);
                }
            }
        }
        let mut twice = loaded(&block, clock).unwrap();
        assert!(twice.load(&mut Reader::new(&block), clock).is_err());
        let of = |first: u64, later: u64, counts: [u64; COLUMNS]| {
            let mut writer = Writer::new();
            writer.int(first);
            [0, 1, 0, 0, 0, 0, 0].into_iter().for_each(|number| writer.int(number));
            writer.int(later);
            counts.into_iter().for_each(|count| writer.int(count));
            loaded(&writer.finish(), u64::MAX)
        };
        assert!(of(5, 1_439, [1, 0, 0, 0, 0, 0]).is_ok());
        assert!(of(5, 1_440, [1, 0, 0, 0, 0, 0]).is_err());
        assert!(of(5, 0, [1, 0, 0, 0, 0, 0]).is_err());
        assert!(of(5, 1, [0; COLUMNS]).is_err());
        assert!(of(5, 1, [1 << 32, 0, 0, 0, 0, 0]).is_err());
        assert!(of(u64::MAX, 1, [1, 0, 0, 0, 0, 0]).is_err());
        assert!(loaded(&[5], clock).is_err());
    }
}
