//! The rule of a limit.

use crate::domain::ratelimit::limit::calendar::Calendar;
use crate::domain::ratelimit::{MAX_COUNT, UNLIMITED};
use crate::domain::time;

/// The algorithm that counts use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitKind {
    /// Exact sliding window: never more than `count` in any `(t - period, t]`.
    Window,
    /// Token bucket: `count` per `period` sustained, `burst` (1 to 10^12) at once.
    Bucket { burst: u64 },
    /// `count` in a period that begins with the first use.
    Fixed,
    /// `count` in each day, week or month of a time zone.
    Calendar(Calendar),
}

impl LimitKind {
    /// Whether use expires all at once, at the end of a period.
    pub fn has_periods(&self) -> bool {
        matches!(self, LimitKind::Fixed | LimitKind::Calendar(_))
    }
}

/// What a limit allows. The name is not a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// 0 (a bucket 1) to 10^12, or [`UNLIMITED`] for `inf`, which only fixed and calendar periods
    /// have.
    pub count: u64,
    /// 1 ms to 3650 days, in milliseconds. For a calendar period, its maximum length.
    pub period_ms: u64,
    pub kind: LimitKind,
}

impl Rule {
    /// The maximum that calls can take at once: the burst of a bucket, the count of any other kind.
    pub fn capacity(&self) -> u64 {
        match self.kind {
            LimitKind::Bucket { burst } => burst,
            LimitKind::Window | LimitKind::Fixed | LimitKind::Calendar(_) => self.count,
        }
    }

    /// The canonical text: `10/60s` is `10/1m`, and `:burst=n` is `:bucket` if n equals the count.
    pub fn spec(&self) -> String {
        let count = if self.count == UNLIMITED { "inf".into() } else { self.count.to_string() };
        let plain = || format!("{count}/{}", time::written(self.period_ms));
        match self.kind {
            LimitKind::Window => plain(),
            LimitKind::Bucket { burst } if burst == self.count => plain() + ":bucket",
            LimitKind::Bucket { burst } => format!("{}:burst={burst}", plain()),
            LimitKind::Fixed => plain() + ":fixed",
            LimitKind::Calendar(calendar) => format!("{count}/{}", calendar.spec()),
        }
    }

    /// Whether every part is in its range. Decoders check it.
    pub fn is_sound(&self) -> bool {
        let min = u64::from(matches!(self.kind, LimitKind::Bucket { .. }));
        let counts = min..=MAX_COUNT;
        let period = match self.kind {
            LimitKind::Calendar(calendar) => {
                (1..=calendar.unit.highest_anchor()).contains(&calendar.anchor)
                    && self.period_ms == calendar.longest_ms()
            }
            _ => (1..=time::LONGEST).contains(&self.period_ms),
        };
        let unlimited = self.count == UNLIMITED && self.kind.has_periods();
        period && (unlimited || counts.contains(&self.count) && counts.contains(&self.capacity()))
    }
}
