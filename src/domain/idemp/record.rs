//! The record under an idempotency key.

use crate::domain::codec::Corrupt;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

use super::finished::Finished;
use super::{Effect, Fingerprint, encoding};

/// One idempotency key: who works on it, or what came of it. 48 bytes and one allocation.
///
/// A default record holds nothing: it is what an effect finds at a missing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of the last claim; 0 in a record that holds nothing.
    pub(super) token: u64,
    /// When the last claim, extension, release or completion was made.
    pub(super) since: UnixMs,
    /// How long the record lives from then on, ms.
    pub(super) ttl: u64,
    /// How many claims have been granted; one for a record that was completed at once.
    pub(super) attempt: u32,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Open(Box<Open>),
    Done(Finished),
}

/// An unfinished record's part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// Someone holds the lease, or held it last; else it was given back.
    pub held: bool,
    /// The lease if held, else the delay that came with the release; in ms from `since` on.
    pub span: u64,
    /// Who holds it; only while held.
    pub owner: Option<Box<[u8]>>,
    pub fingerprint: Option<Fingerprint>,
    /// How far the work has come, for the next attempt.
    pub checkpoint: Option<Box<[u8]>>,
}

impl Default for Record {
    fn default() -> Self {
        Record { token: 0, since: 0, ttl: 0, attempt: 0, stage: Stage::Open(Box::default()) }
    }
}

impl Record {
    /// How long ago the last change was, ms; none if the clock has stepped back behind it.
    pub(super) fn elapsed(&self, now: UnixMs) -> u64 {
        now.saturating_sub(self.since)
    }

    /// How long the record lives after its last change, ms. A DELAY longer than the TTL is kept.
    pub(super) fn life(&self) -> u64 {
        match &self.stage {
            Stage::Open(open) => self.ttl.max(open.span),
            Stage::Done(_) => self.ttl,
        }
    }

    /// Whether it still counts at `now`; a record past its end is as good as missing, whether or not
    /// the server has removed the key yet.
    pub(super) fn stands(&self, now: UnixMs) -> bool {
        self.token != 0 && self.elapsed(now) < self.life()
    }

    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.stage {
            Stage::Open(open) => open.fingerprint,
            Stage::Done(finished) => finished.fingerprint(),
        }
    }

    /// When a waiter should look at the record again, if nothing happens to it before: the lease runs
    /// out, the delay ends, or a completed record ends. A time that has passed means: now.
    pub fn next_due(&self) -> Option<UnixMs> {
        let span = match &self.stage {
            _ if self.token == 0 => return None,
            Stage::Open(open) => open.span,
            Stage::Done(_) => self.ttl,
        };
        Some(self.since.saturating_add(span))
    }
}

impl Value for Record {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Claim { token, since, lease, ttl, attempt, owner, fingerprint } => {
                let checkpoint = match &mut self.stage {
                    Stage::Open(open) if attempt > 1 => open.checkpoint.take(),
                    _ => None,
                };
                let open = Open { held: true, span: lease, owner, fingerprint, checkpoint };
                *self = Record { token, since, ttl, attempt, stage: Stage::Open(Box::new(open)) };
            }
            Effect::Complete { token, at, ttl, meta, result } => {
                if let Some(open) = self.held_by(token) {
                    let finished = Finished::new(open.fingerprint.as_ref(), meta.as_deref(), &result);
                    (self.since, self.ttl, self.stage) = (at, ttl, Stage::Done(finished));
                }
            }
            Effect::Extend { token, at, lease, checkpoint } => {
                if let Some(open) = self.held_by(token) {
                    open.span = lease;
                    if checkpoint.is_some() {
                        open.checkpoint = checkpoint;
                    }
                    self.since = at;
                }
            }
            Effect::Release { token, at, delay } => {
                if let Some(open) = self.held_by(token) {
                    (open.held, open.span, open.owner) = (false, delay, None);
                    self.since = at;
                }
            }
        }
    }

    fn lifetime(&self) -> Lifetime {
        if self.token == 0 { Lifetime::Over } else { Lifetime::Until(self.since.saturating_add(self.life())) }
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        if self.token != 0 {
            emit(&encoding::write(self));
        }
    }

    /// A record is a single block, whatever its size.
    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if self.token != 0 {
            return Err(Corrupt);
        }
        *self = encoding::read(block)?;
        Ok(())
    }

    fn memory(&self) -> usize {
        size_of::<Record>()
            + match &self.stage {
                Stage::Open(open) => {
                    let parts = [&open.owner, &open.checkpoint];
                    size_of::<Open>() + parts.into_iter().flatten().map(|part| part.len()).sum::<usize>()
                }
                Stage::Done(finished) => finished.heap(),
            }
    }

    fn free_effort(&self) -> usize {
        match &self.stage {
            Stage::Open(open) => {
                2 + usize::from(open.owner.is_some()) + usize::from(open.checkpoint.is_some())
            }
            Stage::Done(_) => 2,
        }
    }

    /// The copy of a record that someone holds is free to claim: the holder's token is good for the
    /// original only.
    fn duplicate(&self) -> Self {
        let mut copy = self.clone();
        if let Stage::Open(open) = &mut copy.stage
            && open.held
        {
            (open.held, open.span, open.owner) = (false, 0, None);
        }
        copy
    }

    fn highest_token(&self) -> u64 {
        self.token
    }
}

impl Record {
    /// The unfinished part, if `token` holds it.
    fn held_by(&mut self, token: u64) -> Option<&mut Open> {
        match &mut self.stage {
            Stage::Open(open) if open.held && self.token == token => Some(open),
            _ => None,
        }
    }
}
