//! The state under a breaker's key.

use crate::domain::breaker::state::call_window::{Counts, Slice, Window, slice_length};
use crate::domain::breaker::state::config::{Config, PROBES};
use crate::domain::time::{DAY, UnixMs};

/// A breaker that is open or half-open and that nobody asks any more is forgotten after this long.
pub(crate) const FORGOTTEN_AFTER: u64 = DAY;

/// One breaker. The default one is closed and holds nothing: so is a missing key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    pub(crate) config: Config,
    pub(crate) phase: Phase,
    pub(crate) forced: Option<Forced>,
    /// How many rounds of probes have failed in a row.
    pub(crate) level: u32,
    pub(crate) window: Window,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Since its generation, 0 for a breaker that was never open.
    Closed { generation: u64, since: UnixMs },
    /// Past its span it is as good as half-open.
    Open { since: UnixMs, span: u64 },
    /// `ok` probes have succeeded, `slow` of them slowly; `permits` are out, by rising tokens.
    HalfOpen { ok: u64, slow: u64, permits: Vec<Permit> },
}

impl Default for Phase {
    fn default() -> Self {
        Phase::Closed { generation: 0, since: 0 }
    }
}

/// A probe's place. It works until another probe has taken the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permit {
    pub token: u64,
    pub since: UnixMs,
    pub lease: u64,
}

impl Permit {
    pub fn left(&self, now: UnixMs) -> u64 {
        left(self.since, self.lease, now)
    }
}

/// What is left of a span.
pub(crate) fn left(since: UnixMs, span: u64, now: UnixMs) -> u64 {
    span.saturating_sub(now.saturating_sub(since))
}

/// What an operator wants it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    Open,
    /// Allows and counts, never opens.
    Closed,
    /// Allows and counts nothing.
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forced {
    pub what: Force,
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

    /// The operator's wish while it lasts.
    pub(crate) fn forced(&self, now: UnixMs) -> Option<Forced> {
        self.forced.filter(|forced| forced.span.is_none_or(|span| left(forced.since, span, now) > 0))
    }

    pub(crate) fn state(&self, now: UnixMs) -> State {
        match self.forced(now).map(|forced| forced.what) {
            Some(Force::Open) => return State::Open,
            Some(Force::Closed) => return State::Closed,
            Some(Force::Disabled) => return State::Disabled,
            None => {}
        }
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { since, span } if left(since, span, now) > 0 => State::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// The permit of a call that is allowed without being a probe.
    pub(crate) fn generation(&self) -> u64 {
        match self.phase {
            Phase::Closed { generation, .. } => generation,
            Phase::Open { .. } | Phase::HalfOpen { .. } => 0,
        }
    }

    pub(crate) fn sum(&self, now: UnixMs) -> Counts {
        self.window.sum(now, self.slice_length())
    }

    pub(crate) fn close(&mut self, generation: u64, since: UnixMs) {
        self.phase = Phase::Closed { generation, since };
        self.level = 0;
        self.window = Window::default();
    }

    pub(crate) fn probe(&mut self, permit: Permit, instead_of: Option<u64>) {
        if !matches!(self.phase, Phase::HalfOpen { .. }) {
            self.phase = Phase::HalfOpen { ok: 0, slow: 0, permits: Vec::new() };
        }
        let Phase::HalfOpen { permits, .. } = &mut self.phase else { return };
        permits.retain(|held| Some(held.token) != instead_of && held.token < permit.token);
        if permits.len() as u64 >= PROBES.1 {
            permits.remove(0);
        }
        permits.push(permit);
    }

    pub(crate) fn rebase(&mut self, now: UnixMs) {
        let length = self.slice_length();
        if self.window.is_ahead(now, length) {
            self.window.rebase(now, length);
        }
        match &mut self.phase {
            Phase::Closed { since, .. } | Phase::Open { since, .. } => *since = now.min(*since),
            Phase::HalfOpen { permits, .. } => {
                permits.iter_mut().for_each(|permit| permit.since = permit.since.min(now));
            }
        }
        if let Some(forced) = &mut self.forced {
            forced.since = forced.since.min(now);
        }
    }

    /// Whether anything was noted later than now: the clock has stepped back.
    pub(crate) fn is_ahead(&self, now: UnixMs) -> bool {
        let phase_is = match &self.phase {
            Phase::Closed { since, .. } | Phase::Open { since, .. } => *since > now,
            Phase::HalfOpen { permits, .. } => permits.iter().any(|permit| permit.since > now),
        };
        phase_is
            || self.forced.is_some_and(|forced| forced.since > now)
            || self.window.is_ahead(now, self.slice_length())
    }

    pub(crate) fn count(&mut self, slice: Slice) {
        self.window.put(slice);
    }
}
