//! The calls of the last `window`, counted in twenty slices of time.
//!
//! A slice is a twentieth of the window and leaves it as a whole, so that a call is counted for at
//! least 95 % and at most 100 % of the window, in bounded memory however many calls there are.

use crate::domain::time::UnixMs;

/// Slices of a window.
pub const SLICES_PER_WINDOW: u64 = 20;

/// Counts stay below 2^53, so that sums of them are exact.
pub const COUNT_BOUND: u64 = 1 << 53;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCounts {
    pub ok: u64,
    pub failed: u64,
    /// Of both kinds.
    pub slow: u64,
}

impl CallCounts {
    /// Saturates far above any real number of calls.
    pub fn plus(self, other: CallCounts) -> CallCounts {
        let add = |a: u64, b: u64| a.saturating_add(b).min(COUNT_BOUND - 1);
        CallCounts {
            ok: add(self.ok, other.ok),
            failed: add(self.failed, other.failed),
            slow: add(self.slow, other.slow),
        }
    }

    pub fn calls(self) -> u64 {
        self.ok.saturating_add(self.failed)
    }
}

/// A part in whole percent, rounded down; 0 of nothing.
pub fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 0 } else { (u128::from(part) * 100 / u128::from(whole)).min(100) as u64 }
}

/// The calls of one slice; `index` is the time divided by the slice's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSlice {
    pub index: u64,
    pub counts: CallCounts,
}

/// Slices with calls, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallWindow {
    pub(crate) slices: Vec<WindowSlice>,
}

/// A slice's length for a window of this length, both in milliseconds.
pub fn slice_length(window: u64) -> u64 {
    (window / SLICES_PER_WINDOW).max(1)
}

impl CallWindow {
    pub fn sum(&self, now: UnixMs, length: u64) -> CallCounts {
        let current = now / length;
        let counted = self.slices.iter().filter(|slice| slice.index + SLICES_PER_WINDOW > current);
        counted.fold(CallCounts::default(), |sum, slice| sum.plus(slice.counts))
    }

    /// The current slice with more calls in it, not yet stored.
    pub fn current_slice_with(&self, now: UnixMs, length: u64, more: CallCounts) -> WindowSlice {
        let current = now / length;
        match self.slices.last() {
            Some(last) if last.index >= current => WindowSlice { counts: last.counts.plus(more), ..*last },
            _ => WindowSlice { index: current, counts: more },
        }
    }

    /// Stores the newest slice and drops those that it pushes out.
    pub fn put(&mut self, newest: WindowSlice) {
        if self.slices.last().is_some_and(|last| last.index > newest.index) {
            return;
        }
        self.slices
            .retain(|slice| slice.index < newest.index && slice.index + SLICES_PER_WINDOW > newest.index);
        self.slices.push(newest);
    }

    /// Whether a slice is later than now.
    pub fn has_future_times(&self, now: UnixMs, length: u64) -> bool {
        self.slices.last().is_some_and(|last| last.index > now / length)
    }

    /// Moves all slices back so that the newest is the current one.
    pub fn rebase(&mut self, now: UnixMs, length: u64) {
        let Some(last) = self.slices.last() else { return };
        let back = last.index.saturating_sub(now / length);
        self.slices.retain(|slice| slice.index >= back);
        self.slices.iter_mut().for_each(|slice| slice.index -= back);
    }

    /// When the last slice has left the window.
    pub fn end(&self, length: u64) -> UnixMs {
        self.slices
            .last()
            .map_or(0, |last| last.index.saturating_add(SLICES_PER_WINDOW).saturating_mul(length))
    }
}
