//! What the server needs of the family: apply, lifetime, saved form.

use crate::domain::breaker::state::breaker::{
    ActiveForce, Breaker, BreakerPhase, FORGET_AFTER_MS, ForcedState, ProbePermit,
};
use crate::domain::breaker::state::call_window::{CallWindow, WindowSlice, slice_length};
use crate::domain::breaker::state::config::BreakerConfig;
use crate::domain::breaker::state::instances::Instances;
use crate::domain::breaker::{Effect, encoding};
use crate::domain::codec::Corrupt;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

impl Value for Breaker {
    type Effect = Effect;

    /// The settings of a new breaker. What guards against a failing service goes on.
    fn adds(breaker: Option<&Self>, effect: &Effect) -> bool {
        breaker.is_none() && matches!(effect, Effect::Configure(_))
    }

    const ENCODING: u32 = 3;

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Count { slice, instance } => self.count(slice, instance),
            Effect::Open { counted, instance, since, span, level } => {
                if let Some(slice) = counted {
                    self.count(slice, instance);
                }
                self.phase = BreakerPhase::Open { since, span };
                self.level = level;
            }
            Effect::Probe { token, since, lease, instead_of } => {
                self.probe(ProbePermit { token, since, lease }, instead_of);
            }
            Effect::ProbeSucceeded { token, ok, slow } => {
                if let BreakerPhase::HalfOpen { ok: all, slow: slow_ones, permits } = &mut self.phase {
                    permits.retain(|permit| permit.token != token);
                    (*all, *slow_ones) = (ok, slow);
                }
            }
            Effect::Close { generation, since } => self.close(generation, since),
            Effect::Reset { generation, since } => {
                self.close(generation, since);
                self.forced = None;
            }
            Effect::Force { what: ForcedState::Open, generation: _, since, span } => {
                self.forced = Some(ActiveForce { what: ForcedState::Open, since, span });
                // When the force ends, probes come first.
                self.phase = BreakerPhase::Open { since, span: span.unwrap_or(0) };
                self.level = 0;
            }
            Effect::Force { what, generation, since, span } => {
                self.close(generation, since);
                self.forced = Some(ActiveForce { what, since, span });
            }
            Effect::EndForce => {
                // The force is ended early: probes come first.
                if let (Some(ActiveForce { what: ForcedState::Open, .. }), BreakerPhase::Open { span, .. }) =
                    (self.forced.take(), &mut self.phase)
                {
                    *span = 0;
                }
            }
            Effect::Configure(config) => {
                if slice_length(config.window) != self.slice_length() {
                    self.window = CallWindow::default();
                    self.instances = Instances::default();
                }
                if config.quorum == 1 {
                    self.instances = Instances::default();
                }
                self.config = config;
            }
            Effect::Rebase { now } => self.rebase(now),
        }
    }

    fn overdue(&self, now: UnixMs) -> Option<Effect> {
        self.has_future_times(now).then_some(Effect::Rebase { now })
    }

    fn lifetime(&self) -> Lifetime {
        let forced_until = match self.forced {
            Some(ActiveForce { span: None, .. }) => return Lifetime::Endless,
            Some(ActiveForce { span: Some(span), since, .. }) => since + span,
            None => 0,
        };
        if self.config != BreakerConfig::default() {
            return Lifetime::Endless;
        }
        let phase_until = match &self.phase {
            BreakerPhase::Closed { generation: 0, .. } => 0,
            // Late reports of an earlier generation are told apart for as long as a window.
            BreakerPhase::Closed { since, .. } => since + self.config.window,
            BreakerPhase::Open { since, span } => since + span + FORGET_AFTER_MS,
            // A copy of a half-open breaker has no permits, and so nothing to count from.
            BreakerPhase::HalfOpen { permits, .. } => match permits.iter().map(|p| p.since + p.lease).max() {
                Some(end) => end + FORGET_AFTER_MS,
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

    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if *self != Breaker::default() {
            return Err(Corrupt);
        }
        *self = encoding::read(encoding, block)?;
        Ok(())
    }

    fn memory(&self) -> usize {
        let permits = match &self.phase {
            BreakerPhase::HalfOpen { permits, .. } => permits.capacity(),
            _ => 0,
        };
        size_of::<Breaker>()
            + self.window.slices.capacity() * size_of::<WindowSlice>()
            + permits * size_of::<ProbePermit>()
            + self.instances.heap_bytes()
    }

    fn free_effort(&self) -> usize {
        3 + self.instances.0.len()
    }

    /// Probes belong to the original: the copy sends its own.
    fn duplicate(&self) -> Self {
        let mut copy = self.clone();
        if let BreakerPhase::HalfOpen { permits, .. } = &mut copy.phase {
            permits.clear();
        }
        copy
    }

    fn highest_token(&self) -> u64 {
        match &self.phase {
            BreakerPhase::Closed { generation, .. } => *generation,
            BreakerPhase::Open { .. } => 0,
            BreakerPhase::HalfOpen { permits, .. } => permits.last().map_or(0, |permit| permit.token),
        }
    }
}
