//! What can be set for one breaker.

use crate::domain::breaker::state::call_window::CallCounts;
use crate::domain::time::{DAY, HOUR, LONGEST, MINUTE, SECOND};

/// The settings of a breaker; durations in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// How far back calls count.
    pub window: u64,
    /// Below this many calls in the window it stays closed.
    pub min_calls: u64,
    /// It opens when this share of the calls failed, or more.
    pub fail_pct: u64,
    /// It opens when this share of the calls was slow, or more.
    pub slow_pct: u64,
    /// How long it stays open before the first probe.
    pub open: u64,
    /// By how much the open time grows with each failed round of probes.
    pub factor: u64,
    /// The longest open time that growing leads to.
    pub max: u64,
    /// How many probes must succeed before it closes.
    pub probes: u64,
    /// How long a probe holds its place without a report.
    pub probe_lease: u64,
    /// How many instances must have seen failures before they open it.
    pub quorum: u64,
}

pub const WINDOW_RANGE: (u64, u64) = (SECOND, DAY);
pub const MIN_CALLS_RANGE: (u64, u64) = (1, 1_000_000);
pub const PERCENT_RANGE: (u64, u64) = (1, 100);
pub const FACTOR_RANGE: (u64, u64) = (1, 100);
pub const PROBES_RANGE: (u64, u64) = (1, 100);
pub const QUORUM_RANGE: (u64, u64) = (1, 100);
pub const SPAN_RANGE: (u64, u64) = (1, LONGEST);

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig {
            window: MINUTE,
            min_calls: 10,
            fail_pct: 50,
            slow_pct: 100,
            open: 30 * SECOND,
            factor: 1,
            max: HOUR,
            probes: 1,
            probe_lease: 10 * SECOND,
            quorum: 1,
        }
    }
}

impl BreakerConfig {
    /// The fields with their ranges, in the order in which they are saved.
    pub(crate) fn fields(&mut self) -> [(&mut u64, (u64, u64)); 10] {
        [
            (&mut self.window, WINDOW_RANGE),
            (&mut self.min_calls, MIN_CALLS_RANGE),
            (&mut self.fail_pct, PERCENT_RANGE),
            (&mut self.slow_pct, PERCENT_RANGE),
            (&mut self.open, SPAN_RANGE),
            (&mut self.factor, FACTOR_RANGE),
            (&mut self.max, SPAN_RANGE),
            (&mut self.probes, PROBES_RANGE),
            (&mut self.probe_lease, SPAN_RANGE),
            (&mut self.quorum, QUORUM_RANGE),
        ]
    }

    /// A field by its name: the number, its range, and whether it is a duration.
    pub fn field(&mut self, name: &[u8]) -> Option<(&mut u64, (u64, u64), bool)> {
        let at = Self::NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        let (number, range) = self.fields().into_iter().nth(at)?;
        Some((number, range, Self::is_duration(at)))
    }

    /// The names of the fields, in the order of [`BreakerConfig::fields`].
    pub const NAMES: [&str; 10] = [
        "window",
        "min_calls",
        "fail_pct",
        "slow_pct",
        "open",
        "factor",
        "max",
        "probes",
        "probe_lease",
        "quorum",
    ];

    fn is_duration(at: usize) -> bool {
        matches!(Self::NAMES[at], "window" | "open" | "max" | "probe_lease")
    }

    /// Name, number, and whether it is a duration, of every field.
    pub fn shown(mut self) -> [(&'static str, u64, bool); 10] {
        let numbers = self.fields().map(|(number, _)| *number);
        std::array::from_fn(|at| (Self::NAMES[at], numbers[at], Self::is_duration(at)))
    }

    /// How long it stays open after `level` failed rounds of probes in a row.
    pub fn open_time(&self, level: u32) -> u64 {
        let most = self.max.max(self.open);
        (0..level)
            .try_fold(self.open, |time, _| time.checked_mul(self.factor).filter(|time| *time < most))
            .unwrap_or(most)
    }

    /// Whether these calls open the breaker, given how many instances saw failures and slow calls.
    pub(crate) fn trips(&self, counts: CallCounts, failing_instances: u64, slow_instances: u64) -> bool {
        let calls = counts.calls();
        let reaches = |part: u64, pct: u64| u128::from(part) * 100 >= u128::from(pct) * u128::from(calls);
        calls >= self.min_calls
            && (reaches(counts.failed, self.fail_pct) && failing_instances >= self.quorum
                || reaches(counts.slow, self.slow_pct) && slow_instances >= self.quorum)
    }
}
