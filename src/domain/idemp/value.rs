//! What the server needs of the family: apply, lifetime, saved form.

use crate::domain::codec::Corrupt;
use crate::domain::idemp::state::completed::PackedResult;
use crate::domain::idemp::state::record::{Record, Stage, Unfinished};
use crate::domain::idemp::{Effect, encoding};
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

impl Value for Record {
    type Effect = Effect;

    /// 2 shortened the tokens.
    const ENCODING: u32 = 2;

    /// A new record. A later attempt takes the place of the earlier one.
    fn adds(record: Option<&Self>, _effect: &Effect) -> bool {
        record.is_none()
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Claim { token, since, lease, ttl, attempt, owner, fingerprint } => {
                let checkpoint = match &mut self.stage {
                    Stage::Open(open) if attempt > 1 => open.checkpoint.take(),
                    _ => None,
                };
                let claimed = Unfinished { held: true, span: lease, owner, fingerprint, checkpoint };
                match &mut self.stage {
                    Stage::Open(open) => **open = claimed,
                    done @ Stage::Done(_) => *done = Stage::Open(Box::new(claimed)),
                }
                (self.token, self.since, self.ttl, self.attempt) = (token, since, ttl, attempt);
            }
            Effect::Complete { token, at, ttl, meta, result } => {
                if let Some(open) = self.held_by(token) {
                    let finished = PackedResult::new(open.fingerprint.as_ref(), meta.as_deref(), &result);
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
        if self.token == 0 {
            Lifetime::Over
        } else {
            Lifetime::Until(self.since.saturating_add(self.retention_ms()))
        }
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        if self.token != 0 {
            emit(&encoding::write(self));
        }
    }

    /// A record of any size is a single block.
    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if self.token != 0 {
            return Err(Corrupt);
        }
        *self = encoding::read(encoding, block)?;
        Ok(())
    }

    fn memory(&self) -> usize {
        size_of::<Record>()
            + match &self.stage {
                Stage::Open(open) => {
                    let parts = [&open.owner, &open.checkpoint];
                    size_of::<Unfinished>()
                        + parts.into_iter().flatten().map(|part| part.len()).sum::<usize>()
                }
                Stage::Done(finished) => finished.heap_bytes(),
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

    /// Of a lease, a delay or a result that began later, the end would not come.
    fn latest_time(&self) -> UnixMs {
        self.since
    }

    fn highest_token(&self) -> u64 {
        self.token
    }
}
