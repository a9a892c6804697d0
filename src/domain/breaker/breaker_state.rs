//! The state under a breaker's key.

use crate::domain::codec::Corrupt;
use crate::domain::time::{DAY, UnixMs};
use crate::domain::value::{Lifetime, Value};

use super::config::{Config, PROBES};
use super::window::{Counts, Slice, Window, slice_length};
use super::{Effect, encoding};

/// A breaker that is open or half-open and that nobody asks any more is forgotten after this long.
const FORGOTTEN_AFTER: u64 = DAY;

/// One breaker. The default one is closed and holds nothing: so is a missing key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    pub(super) config: Config,
    pub(super) phase: Phase,
    pub(super) forced: Option<Forced>,
    /// How many rounds of probes have failed in a row.
    pub(super) level: u32,
    pub(super) window: Window,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
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
pub(super) struct Permit {
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
pub(super) fn left(since: UnixMs, span: u64, now: UnixMs) -> u64 {
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
pub(super) struct Forced {
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
    pub(super) fn slice_length(&self) -> u64 {
        slice_length(self.config.window)
    }

    /// The operator's wish while it lasts.
    pub(super) fn forced(&self, now: UnixMs) -> Option<Forced> {
        self.forced.filter(|forced| forced.span.is_none_or(|span| left(forced.since, span, now) > 0))
    }

    pub(super) fn state(&self, now: UnixMs) -> State {
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
    pub(super) fn generation(&self) -> u64 {
        match self.phase {
            Phase::Closed { generation, .. } => generation,
            Phase::Open { .. } | Phase::HalfOpen { .. } => 0,
        }
    }

    pub(super) fn sum(&self, now: UnixMs) -> Counts {
        self.window.sum(now, self.slice_length())
    }

    fn close(&mut self, generation: u64, since: UnixMs) {
        self.phase = Phase::Closed { generation, since };
        self.level = 0;
        self.window = Window::default();
    }

    fn probe(&mut self, permit: Permit, instead_of: Option<u64>) {
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

    fn rebase(&mut self, now: UnixMs) {
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
    fn is_ahead(&self, now: UnixMs) -> bool {
        let phase_is = match &self.phase {
            Phase::Closed { since, .. } | Phase::Open { since, .. } => *since > now,
            Phase::HalfOpen { permits, .. } => permits.iter().any(|permit| permit.since > now),
        };
        phase_is
            || self.forced.is_some_and(|forced| forced.since > now)
            || self.window.is_ahead(now, self.slice_length())
    }

    fn count(&mut self, slice: Slice) {
        self.window.put(slice);
    }
}

impl Value for Breaker {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Count(slice) => self.count(slice),
            Effect::Open { counted, since, span, level } => {
                if let Some(slice) = counted {
                    self.count(slice);
                }
                self.phase = Phase::Open { since, span };
                self.level = level;
            }
            Effect::Probe { token, since, lease, instead_of } => {
                self.probe(Permit { token, since, lease }, instead_of);
            }
            Effect::Probed { token, ok, slow } => {
                if let Phase::HalfOpen { ok: all, slow: slow_ones, permits } = &mut self.phase {
                    permits.retain(|permit| permit.token != token);
                    (*all, *slow_ones) = (ok, slow);
                }
            }
            Effect::Close { generation, since } => self.close(generation, since),
            Effect::Reset { generation, since } => {
                self.close(generation, since);
                self.forced = None;
            }
            Effect::Force { what: Force::Open, generation: _, since, span } => {
                self.forced = Some(Forced { what: Force::Open, since, span });
                // Once it is let go, probes come first.
                self.phase = Phase::Open { since, span: span.unwrap_or(0) };
                self.level = 0;
            }
            Effect::Force { what, generation, since, span } => {
                self.close(generation, since);
                self.forced = Some(Forced { what, since, span });
            }
            Effect::Auto => {
                // Let go before its time: probes come first.
                if let (Some(Forced { what: Force::Open, .. }), Phase::Open { span, .. }) =
                    (self.forced.take(), &mut self.phase)
                {
                    *span = 0;
                }
            }
            Effect::Configure(config) => {
                if slice_length(config.window) != self.slice_length() {
                    self.window = Window::default();
                }
                self.config = config;
            }
            Effect::Rebase { now } => self.rebase(now),
        }
    }

    fn overdue(&self, now: UnixMs) -> Option<Effect> {
        self.is_ahead(now).then_some(Effect::Rebase { now })
    }

    fn lifetime(&self) -> Lifetime {
        let forced_until = match self.forced {
            Some(Forced { span: None, .. }) => return Lifetime::Endless,
            Some(Forced { span: Some(span), since, .. }) => since + span,
            None => 0,
        };
        if self.config != Config::default() {
            return Lifetime::Endless;
        }
        let phase_until = match &self.phase {
            Phase::Closed { generation: 0, .. } => 0,
            // Late reports of an earlier generation are told apart for as long as a window.
            Phase::Closed { since, .. } => since + self.config.window,
            Phase::Open { since, span } => since + span + FORGOTTEN_AFTER,
            // A copy of a half-open breaker has no permits, and so nothing to count from.
            Phase::HalfOpen { permits, .. } => match permits.iter().map(|p| p.since + p.lease).max() {
                Some(end) => end + FORGOTTEN_AFTER,
                None => return Lifetime::Endless,
            },
        };
        match forced_until.max(phase_until).max(self.window.end(self.slice_length())) {
            0 => Lifetime::Over,
            end => Lifetime::Until(end),
        }
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        if *self != Breaker::default() {
            emit(&encoding::write(self));
        }
    }

    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if *self != Breaker::default() {
            return Err(Corrupt);
        }
        *self = encoding::read(block)?;
        Ok(())
    }

    fn memory(&self) -> usize {
        let permits = match &self.phase {
            Phase::HalfOpen { permits, .. } => permits.capacity(),
            _ => 0,
        };
        size_of::<Breaker>()
            + self.window.slices.capacity() * size_of::<Slice>()
            + permits * size_of::<Permit>()
    }

    fn free_effort(&self) -> usize {
        3
    }

    /// Probes belong to the original: the copy sends its own.
    fn duplicate(&self) -> Self {
        let mut copy = self.clone();
        if let Phase::HalfOpen { permits, .. } = &mut copy.phase {
            permits.clear();
        }
        copy
    }

    fn highest_token(&self) -> u64 {
        match &self.phase {
            Phase::Closed { generation, .. } => *generation,
            Phase::Open { .. } => 0,
            Phase::HalfOpen { permits, .. } => permits.last().map_or(0, |permit| permit.token),
        }
    }
}
