//! Aging: those that wait long go before better priorities that came later.
//!
//! A job's rank would be `priority - waited / aging`, which changes all the time. Taking the time
//! out of both sides of a comparison leaves `priority + since / aging`, which does not change. Each
//! job keeps the rank that it has when it becomes ready, and the ranks of newcomers rise with time.
//! So nothing has to be sorted again when time passes or the setting changes.

use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::time::UnixMs;

/// More than any time allows; far from overflowing when a priority is added.
const MAX_SHIFT: Rank = 1 << 52;

/// How far the ranks of newcomers have risen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Aging {
    /// How far they had when the setting was changed last, and when that was.
    pub risen: u64,
    pub since: UnixMs,
}

impl Aging {
    /// What is added to the priority of a job that becomes ready at `at`.
    pub fn shift(&self, every: Option<u64>, at: UnixMs) -> Rank {
        let more = every.map_or(0, |every| at.saturating_sub(self.since) / every.max(1));
        Rank::try_from(self.risen.saturating_add(more)).map_or(MAX_SHIFT, |shift| shift.min(MAX_SHIFT - 1))
    }

    /// The setting changes from `before` to another at `now`.
    pub fn change(&mut self, before: Option<u64>, now: UnixMs) {
        let shift = self.shift(before, now);
        *self = Aging { risen: shift.unsigned_abs(), since: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_has_waited_so_many_spans_stands_with_newcomers_so_many_priorities_better() {
        let aging = Aging { risen: 0, since: 1_000 };
        let rank = |priority: Rank, at| priority + aging.shift(Some(100), at);
        assert_eq!(rank(5, 1_000), rank(2, 1_300));
        assert!(rank(5, 1_000) > rank(2, 1_299));
        assert!(rank(5, 1_000) < rank(2, 1_400));
    }

    #[test]
    fn a_change_of_the_setting_takes_nothing_back() {
        let mut aging = Aging::default();
        aging.change(None, 1_000);
        assert_eq!(aging.shift(Some(10), 1_500), 50);
        aging.change(Some(10), 1_500);
        assert_eq!(aging.shift(None, 9_000), 50);
        aging.change(None, 9_000);
        assert_eq!(aging.shift(Some(1), 9_003), 53);
        assert_eq!(Aging { risen: u64::MAX, since: 0 }.shift(Some(1), u64::MAX), MAX_SHIFT);
    }
}
