//! The exact sliding window: a log of charges and their times.
//!
//! No `(t - period, t]` holds more than `count`: each allowed call has checked the window that ends
//! with it, and any other window holds no more than the window that ends with its last entry.
//!
//! Up to about 1,000 charges are kept exactly. A log takes at most 1,024 slots of 8 bytes. A slot
//! holds one entry: the charges of one millisecond. A gap of more than 49 days and a cost above
//! 2^32 take further slots. When the slots run out, neighbouring entries are joined at the
//! **later** time while their sum is at most 1/200 of the total. So use expires late, never early:
//! never more than the limit is allowed, and at most one such sum (0.5 % of the count) less. After
//! joining, any two neighbours exceed 1/200 together, so at most 401 entries remain. The next
//! joining is hundreds of entries away: amortised O(1).

use crate::domain::ratelimit::MAX_COUNT;
use crate::domain::ratelimit::algorithm::limit_status::LimitStatus;
use crate::domain::time::UnixMs;
use std::collections::VecDeque;

/// The maximum number of slots of one window: 8 KiB.
pub const MAX_SLOTS: usize = 1_024;

/// Entries are joined while their sum is at most the total divided by this.
const JOIN_DIVISOR: u64 = 200;

const MAX_SLOT_VALUE: u64 = u32::MAX as u64;

/// An entry or a part of one, `delta` ms after the slot before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WindowSlot {
    delta: u32,
    cost: u32,
}

/// The log. The slots follow from the entries (time, cost), so that a loaded log behaves exactly
/// like the one that was saved.
#[derive(Debug, Clone, Default)]
pub struct SlidingWindow {
    /// The `delta` of the first slot is 0, its cost is not 0.
    slots: VecDeque<WindowSlot>,
    /// The time of the first slot.
    first: UnixMs,
    /// The time of the last slot: the log's clock never runs behind it.
    newest: UnixMs,
    /// The cost of all slots: below 10^12 + 2^32.
    sum: u64,
    /// Set while a longer period than that of the last allowed call is in use.
    retained: Option<Box<RetainedPeriods>>,
}

/// How long entries are kept when calls of the same name have different periods.
///
/// Time is divided into generations. Each is at least as long as the longest period used in it and
/// in the one before. Both count, so a period is remembered for at least its own length after its
/// last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedPeriods {
    /// The longest period of the previous generation, in ms.
    pub before: u64,
    /// The longest period of this generation, in ms.
    pub current: u64,
    /// The end of this generation.
    pub until: UnixMs,
}

impl RetainedPeriods {
    pub fn longest(&self) -> u64 {
        self.before.max(self.current)
    }
}

impl SlidingWindow {
    /// Returns the later of `now` and the newest entry.
    pub fn clock(&self, now: UnixMs) -> UnixMs {
        now.max(self.newest)
    }

    /// Evaluates a call of `cost` against `capacity` within `period` ms. O(1) for cost 1, amortised
    /// over allowed calls. Passes over the slots at most once.
    pub fn evaluate(&self, period: u64, capacity: u64, cost: u64, now: UnixMs) -> LimitStatus {
        let clock = self.clock(now);
        let mut slots = self.slots.iter();
        let (mut time, mut used) = (self.first, self.sum);
        let mut front = None;
        for slot in slots.by_ref() {
            time += u64::from(slot.delta);
            if clock - time < period {
                front = Some(slot);
                break;
            }
            used -= u64::from(slot.cost);
        }
        let reset_after_ms = if front.is_some() { ms_until_left(self.newest, period, now) } else { 0 };
        let Some(room) = capacity.checked_sub(cost) else {
            return LimitStatus { used, retry_after_ms: None, reset_after_ms };
        };
        let mut left = used;
        let mut retry = 0;
        while left > room {
            // The remaining cost lies in the live slots, so there is a front while any remains.
            let Some(slot) = front else { break };
            left -= u64::from(slot.cost);
            retry = ms_until_left(time, period, now);
            front = slots.next();
            time += front.map_or(0, |slot| u64::from(slot.delta));
        }
        LimitStatus { used, retry_after_ms: Some(retry), reset_after_ms }
    }

    /// Charges `cost` without evaluating it. `last_period` is the period of the call before this
    /// one.
    pub fn take(&mut self, last_period: u64, period: u64, cost: u64, now: UnixMs) {
        let at = self.clock(now);
        let keep = self.retain(last_period, period, at);
        self.drop_expired(at, keep);
        if self.slots.len() + self.slots_for(at, cost) > MAX_SLOTS {
            self.join();
        }
        self.push(at, cost);
        // Entries behind 10^12 of newer use decide nothing: no count is larger.
        while self.slots.front().is_some_and(|slot| self.sum - u64::from(slot.cost) >= MAX_COUNT) {
            self.pop();
        }
    }

    /// Whether the clock was set back since the last charge.
    #[inline]
    pub fn is_ahead(&self, now: UnixMs) -> bool {
        self.newest > now && self.sum > 0
    }

    /// Moves entries that lie in the future to `now`.
    pub fn rebase(&mut self, now: UnixMs) {
        if !self.is_ahead(now) {
            return;
        }
        let entries: Vec<_> = self.entries().map(|(time, cost)| (time.min(now), cost)).collect();
        self.replace(&entries);
        if let Some(retained) = &mut self.retained {
            retained.until = retained.until.min(now.saturating_add(retained.longest()));
        }
    }

    /// A log with one entry.
    pub fn single(at: UnixMs, cost: u64) -> Self {
        let mut window = SlidingWindow::default();
        if cost > 0 {
            window.push(at, cost.min(MAX_COUNT));
        }
        window
    }

    /// Returns when the log has expired, if the period of the last call was `period`.
    pub fn unused_at(&self, period: u64) -> UnixMs {
        if self.sum == 0 { 0 } else { self.newest.saturating_add(self.keep(period)) }
    }

    /// Whether no entry counts any more.
    pub fn is_unused(&self, period: u64, now: UnixMs) -> bool {
        self.sum == 0 || self.clock(now) - self.newest >= self.keep(period)
    }

    fn keep(&self, period: u64) -> u64 {
        self.retained.as_ref().map_or(period, |retained| retained.longest().max(period))
    }

    /// Records that `period` is in use. Returns how long entries are kept now.
    fn retain(&mut self, last_period: u64, period: u64, at: UnixMs) -> u64 {
        let Some(retained) = &mut self.retained else {
            let longest = last_period.max(period);
            if last_period != period {
                let until = at.saturating_add(longest);
                self.retained =
                    Some(Box::new(RetainedPeriods { before: last_period, current: period, until }));
            }
            return longest;
        };
        if at >= retained.until {
            retained.before = retained.current;
            retained.current = period;
            retained.until = at.saturating_add(retained.longest());
        } else {
            retained.current = retained.current.max(period);
        }
        let longest = retained.longest();
        if retained.before == period && retained.current == period {
            self.retained = None;
        }
        longest
    }

    fn drop_expired(&mut self, at: UnixMs, keep: u64) {
        while !self.slots.is_empty() && at - self.first >= keep {
            self.pop();
        }
        let capacity = self.slots.capacity();
        if capacity >= 64 && self.slots.len() < capacity / 8 {
            self.slots.shrink_to((self.slots.len() * 2).next_power_of_two());
        }
    }

    /// Removes the first slot, and the gap slots behind it.
    fn pop(&mut self) {
        while let Some(slot) = self.slots.pop_front() {
            self.sum -= u64::from(slot.cost);
            let Some(next) = self.slots.front_mut() else { return };
            self.first += u64::from(std::mem::take(&mut next.delta));
            if next.cost > 0 {
                return;
            }
        }
    }

    /// Returns how many slots [`SlidingWindow::push`] would add.
    fn slots_for(&self, at: UnixMs, cost: u64) -> usize {
        let (gap, cost) = match self.slots.back() {
            None => (0, cost),
            Some(last) if at == self.newest => {
                (0, cost.saturating_sub(MAX_SLOT_VALUE - u64::from(last.cost)))
            }
            Some(_) => (at - self.newest, cost),
        };
        (gap.saturating_sub(1) / MAX_SLOT_VALUE + cost.div_ceil(MAX_SLOT_VALUE)) as usize
    }

    /// Appends an entry, or adds to the newest entry if that has the same millisecond.
    fn push(&mut self, at: UnixMs, cost: u64) {
        let mut left = cost;
        let mut gap = at - self.newest;
        if self.slots.is_empty() {
            self.first = at;
            gap = 0;
        } else if gap == 0
            && let Some(last) = self.slots.back_mut()
        {
            let part = left.min(MAX_SLOT_VALUE - u64::from(last.cost));
            last.cost += part as u32;
            left -= part;
        }
        while gap > MAX_SLOT_VALUE {
            self.slots.push_back(WindowSlot { delta: u32::MAX, cost: 0 });
            gap -= MAX_SLOT_VALUE;
        }
        while left > 0 {
            let part = left.min(MAX_SLOT_VALUE);
            self.slots.push_back(WindowSlot { delta: gap as u32, cost: part as u32 });
            (left, gap) = (left - part, 0);
        }
        self.newest = at;
        self.sum += cost;
    }

    /// Joins neighbouring entries. See the module documentation.
    fn join(&mut self) {
        let most = self.sum / JOIN_DIVISOR;
        let mut joined = SlidingWindow { retained: self.retained.take(), ..SlidingWindow::default() };
        joined.slots.reserve_exact(MAX_SLOTS);
        let mut group: Option<(UnixMs, u64)> = None;
        for (time, cost) in self.entries() {
            group = match group {
                Some((_, sum)) if sum + cost <= most => Some((time, sum + cost)),
                Some((end, sum)) => {
                    joined.push(end, sum);
                    Some((time, cost))
                }
                None => Some((time, cost)),
            };
        }
        if let Some((end, sum)) = group {
            joined.push(end, sum);
        }
        *self = joined;
    }

    /// Iterates over the charges, oldest first. Times rise strictly, costs are at least 1.
    pub fn entries(&self) -> impl Iterator<Item = (UnixMs, u64)> {
        let mut slots = self.slots.iter().peekable();
        let mut time = self.first;
        std::iter::from_fn(move || {
            let mut cost = 0;
            while cost == 0 {
                let slot = slots.next()?;
                time += u64::from(slot.delta);
                cost = u64::from(slot.cost);
            }
            while let Some(more) = slots.next_if(|slot| slot.delta == 0) {
                cost += u64::from(more.cost);
            }
            Some((time, cost))
        })
    }

    /// Returns how long entries are kept, if that differs from the period of the last call.
    pub fn retained(&self) -> Option<RetainedPeriods> {
        self.retained.as_deref().copied()
    }

    /// Builds a log from its entries. Returns `None` for entries that no log holds: a time that
    /// does not rise, a cost of 0, too many entries, too large a total.
    pub fn rebuild(
        entries: impl Iterator<Item = (UnixMs, u64)>,
        retained: Option<RetainedPeriods>,
    ) -> Option<Self> {
        let mut window = SlidingWindow { retained: retained.map(Box::new), ..SlidingWindow::default() };
        for (time, cost) in entries {
            let rises = window.slots.is_empty() || time > window.newest;
            if !rises
                || !(1..=MAX_COUNT + MAX_SLOT_VALUE).contains(&cost)
                || window.sum >= MAX_COUNT + MAX_SLOT_VALUE
            {
                return None;
            }
            if window.slots.len().saturating_add(window.slots_for(time, cost)) > MAX_SLOTS {
                return None;
            }
            window.push(time, cost);
        }
        let front = window.slots.front().map_or(0, |slot| u64::from(slot.cost));
        (window.sum - front < MAX_COUNT).then_some(window)
    }

    /// Returns the time up to which all entries have expired; `None` if none has.
    pub fn left_until(&self, last_period: u64, now: UnixMs) -> Option<UnixMs> {
        self.clock(now).checked_sub(self.keep(last_period))
    }

    /// Gives back `cost`, oldest entries that count within `period` first.
    pub fn refund(&mut self, last_period: u64, period: u64, cost: u64, now: UnixMs) {
        let clock = self.clock(now);
        self.drop_expired(clock, self.keep(last_period));
        let mut left = cost;
        let mut entries: Vec<_> = self.entries().collect();
        for (_, cost) in entries.iter_mut().filter(|(time, _)| clock - time < period) {
            let back = left.min(*cost);
            *cost -= back;
            left -= back;
        }
        self.replace(&entries);
    }

    /// Whether a charge of `cost` at `at` is still in the log, as far as can be told: entries that
    /// were joined keep their sum only. After a RESET the entries are later ones.
    pub fn holds(&self, at: UnixMs, cost: u64) -> bool {
        // Of joined entries there are many more than this.
        const FEW: usize = MAX_SLOTS / 16;
        let first_later = self.entries().find(|(time, _)| *time >= at);
        let is_own = |(time, all): (UnixMs, u64)| time == at || self.slots.len() > FEW && all >= cost;
        first_later.is_some_and(|entry| entry.1 >= cost && is_own(entry))
    }

    /// Replaces the charge `was` at `at` by `cost`, unless it has expired. If entries were joined,
    /// corrects the entry that holds the charge: the first one that is not earlier.
    pub fn correct(&mut self, at: UnixMs, was: u64, cost: u64, last_period: u64, now: UnixMs) {
        let (clock, keep) = (self.clock(now), self.keep(last_period));
        if clock.saturating_sub(at) >= keep {
            return;
        }
        self.drop_expired(clock, keep);
        let mut entries: Vec<_> = self.entries().collect();
        let place = entries.partition_point(|(time, _)| *time < at);
        match entries.get_mut(place) {
            // A call that cost nothing has left no entry.
            Some((time, _)) if was == 0 && *time > at => entries.insert(place, (at, cost)),
            Some((_, all)) => *all = all.saturating_sub(was).saturating_add(cost),
            None => entries.push((at.min(clock), cost)),
        }
        self.replace(&entries);
    }

    /// Replaces the log by these entries, without those of cost 0.
    fn replace(&mut self, entries: &[(UnixMs, u64)]) {
        *self = SlidingWindow { retained: self.retained.take(), ..SlidingWindow::default() };
        for &(time, cost) in entries.iter().filter(|(_, cost)| *cost > 0) {
            self.push(time, cost.min(MAX_COUNT));
        }
        while self.slots.front().is_some_and(|slot| self.sum - u64::from(slot.cost) >= MAX_COUNT) {
            self.pop();
        }
        if self.slots.len() > MAX_SLOTS {
            self.join();
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let retained = if self.retained.is_some() { size_of::<RetainedPeriods>() } else { 0 };
        self.slots.capacity() * size_of::<WindowSlot>() + retained
    }
}

/// Returns how long after `now` an entry of time `time` leaves a window of `period` ms.
fn ms_until_left(time: UnixMs, period: u64, now: UnixMs) -> u64 {
    // Only called for live entries: `time + period` is later than the clock of the log.
    time.saturating_add(period).saturating_sub(now)
}

#[cfg(test)]
#[path = "../tests/sliding_window.rs"]
mod tests;
