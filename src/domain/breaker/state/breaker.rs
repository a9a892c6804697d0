//! The state under a breaker's key.

use crate::domain::breaker::state::call_window::{CallCounts, CallWindow, WindowSlice, slice_length};
use crate::domain::breaker::state::config::{BreakerConfig, PROBES_RANGE};
use crate::domain::breaker::state::instances::{Instance, Instances};
use crate::domain::time::{DAY, UnixMs};

/// An open or half-open breaker that no client asks is removed after this time.
pub(crate) const FORGET_AFTER_MS: u64 = DAY;

/// One breaker. The default breaker is closed and empty, and represents a missing key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    pub(crate) config: BreakerConfig,
    pub(crate) phase: BreakerPhase,
    pub(crate) forced: Option<ActiveForce>,
    /// How many rounds of probes have failed in a row.
    pub(crate) level: u32,
    pub(crate) window: CallWindow,
    /// Kept while the quorum is above 1.
    pub(crate) instances: Instances,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BreakerPhase {
    /// Since its generation, 0 for a breaker that was never open.
    Closed { generation: u64, since: UnixMs },
    /// After its span it counts as half-open.
    Open { since: UnixMs, span: u64 },
    /// `ok` probes have succeeded, `slow` of them slowly; `permits` are out, by rising tokens.
    HalfOpen { ok: u64, slow: u64, permits: Vec<ProbePermit> },
}

impl Default for BreakerPhase {
    fn default() -> Self {
        BreakerPhase::Closed { generation: 0, since: 0 }
    }
}

/// The permit of a probe. It is valid until another probe replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbePermit {
    pub token: u64,
    pub since: UnixMs,
    pub lease: u64,
}

impl ProbePermit {
    pub fn left(&self, now: UnixMs) -> u64 {
        remaining(self.since, self.lease, now)
    }
}

/// Returns the rest of a span, ms.
pub(crate) fn remaining(since: UnixMs, span: u64, now: UnixMs) -> u64 {
    span.saturating_sub(now.saturating_sub(since))
}

/// The state in which an operator holds a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedState {
    Open,
    /// Allows and counts, never opens.
    Closed,
    /// Allows and counts nothing.
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActiveForce {
    pub what: ForcedState,
    pub since: UnixMs,
    /// For ever without one.
    pub span: Option<u64>,
}

/// The state as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    Open,
    HalfOpen,
    Disabled,
}

impl Breaker {
    pub(crate) fn slice_length(&self) -> u64 {
        slice_length(self.config.window)
    }

    /// Returns the forced state while it lasts.
    pub(crate) fn forced(&self, now: UnixMs) -> Option<ActiveForce> {
        self.forced.filter(|forced| forced.span.is_none_or(|span| remaining(forced.since, span, now) > 0))
    }

    pub(crate) fn state(&self, now: UnixMs) -> State {
        match self.forced(now).map(|forced| forced.what) {
            Some(ForcedState::Open) => return State::Open,
            Some(ForcedState::Closed) => return State::Closed,
            Some(ForcedState::Disabled) => return State::Disabled,
            None => {}
        }
        match self.phase {
            BreakerPhase::Closed { .. } => State::Closed,
            BreakerPhase::Open { since, span } if remaining(since, span, now) > 0 => State::Open,
            BreakerPhase::Open { .. } | BreakerPhase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// The permit of a call that is allowed without being a probe.
    pub(crate) fn generation(&self) -> u64 {
        match self.phase {
            BreakerPhase::Closed { generation, .. } => generation,
            BreakerPhase::Open { .. } | BreakerPhase::HalfOpen { .. } => 0,
        }
    }

    pub(crate) fn sum(&self, now: UnixMs) -> CallCounts {
        self.window.sum(now, self.slice_length())
    }

    pub(crate) fn close(&mut self, generation: u64, since: UnixMs) {
        self.phase = BreakerPhase::Closed { generation, since };
        self.level = 0;
        self.window = CallWindow::default();
        self.instances = Instances::default();
    }

    pub(crate) fn probe(&mut self, permit: ProbePermit, instead_of: Option<u64>) {
        if !matches!(self.phase, BreakerPhase::HalfOpen { .. }) {
            self.phase = BreakerPhase::HalfOpen { ok: 0, slow: 0, permits: Vec::new() };
        }
        let BreakerPhase::HalfOpen { permits, .. } = &mut self.phase else { return };
        permits.retain(|held| Some(held.token) != instead_of && held.token < permit.token);
        if permits.len() as u64 >= PROBES_RANGE.1 {
            permits.remove(0);
        }
        permits.push(permit);
    }

    pub(crate) fn rebase(&mut self, now: UnixMs) {
        let length = self.slice_length();
        if self.window.has_future_times(now, length) {
            self.window.rebase(now, length);
        }
        self.instances.rebase(now, length);
        match &mut self.phase {
            BreakerPhase::Closed { since, .. } | BreakerPhase::Open { since, .. } => *since = now.min(*since),
            BreakerPhase::HalfOpen { permits, .. } => {
                permits.iter_mut().for_each(|permit| permit.since = permit.since.min(now));
            }
        }
        if let Some(forced) = &mut self.forced {
            forced.since = forced.since.min(now);
        }
    }

    /// Whether a time in the breaker is later than now: the clock has stepped back.
    pub(crate) fn has_future_times(&self, now: UnixMs) -> bool {
        let phase_is = match &self.phase {
            BreakerPhase::Closed { since, .. } | BreakerPhase::Open { since, .. } => *since > now,
            BreakerPhase::HalfOpen { permits, .. } => permits.iter().any(|permit| permit.since > now),
        };
        phase_is
            || self.forced.is_some_and(|forced| forced.since > now)
            || self.window.has_future_times(now, self.slice_length())
            || self.instances.has_future_times(now, self.slice_length())
    }

    pub(crate) fn count(&mut self, slice: WindowSlice, instance: Option<Instance>) {
        self.window.put(slice);
        if let Some(instance) = instance {
            self.instances.note(instance);
        }
    }
}
