//! What the server needs to know of a family's value to keep it under a key.

use super::codec::{Corrupt, Reader};
use super::time::UnixMs;

/// When a key should leave the keyspace: a pure function of its value, so that a replica that
/// applied the same effects arms the same expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is deleted.
    Endless,
    /// Until this time.
    Until(UnixMs),
    /// It holds nothing any more: the key is deleted at once.
    Over,
}

/// A replicated change with a binary form: `decode(encode(e), payload(e)) == e`.
///
/// It holds only resolved, absolute values, so that applying it needs neither clock nor chance.
pub trait Effect: Sized {
    /// Everything but the payload.
    fn encode(&self) -> Vec<u8>;

    /// The part that may be large. It travels beside the encoded form instead of inside it.
    fn payload(&self) -> Option<&[u8]> {
        None
    }

    /// Reads all that there is. Refuses what no `encode` has written; never panics, whatever the
    /// bytes.
    fn read(head: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt>;

    /// Like [`Effect::read`], from bytes.
    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        Self::read(&mut Reader::new(head), payload)
    }

    /// Whether WATCH and client tracking are told: not of what no reader can see.
    fn is_visible(&self) -> bool {
        true
    }

    /// The highest fencing token that the effect carries, 0 if none: raises the token clock.
    fn highest_token(&self) -> u64 {
        0
    }

    /// The first of the fencing tokens that the effect carries, which follow one another; 0 if
    /// none.
    fn first_token(&self) -> u64 {
        self.highest_token()
    }
}

/// What an effect does to one of the server's own strings under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnString {
    /// The value takes its place.
    Replace,
    Delete,
    /// It stays until this time.
    ExpireAt(UnixMs),
}

/// A family's state under one key.
pub trait Value: Default {
    type Effect: Effect;

    /// The number of the binary form of [`Value::save`]; rises when the form changes.
    const ENCODING: u32;

    /// Whether `effect`, decided on `state`, makes the server hold more. One that is full refuses
    /// such an effect. What finishes, frees, or guards against too much is let through even where
    /// it takes a little: a full server must drain.
    fn adds(state: Option<&Self>, effect: &Self::Effect) -> bool;

    /// Changes the state. Total: an effect that does not fit (the key was deleted in between)
    /// does what still makes sense, and never panics.
    fn apply(&mut self, effect: Self::Effect);

    /// What the effect does where one of the server's own strings is under the key, which only
    /// commands do that treat strings as values of theirs.
    fn on_string(_effect: &Self::Effect) -> OnString {
        OnString::Replace
    }

    /// Whether `effect`, decided on this state, follows from the call, the time and the token
    /// alone, as a replica would find it that repeats the call. Asked only of calls that are
    /// replicated as they came.
    fn follows_from_call(&self, _effect: &Self::Effect) -> bool {
        true
    }

    /// What time has made due, as an effect of its own; every write applies it first.
    fn overdue(&self, _now: UnixMs) -> Option<Self::Effect> {
        None
    }

    fn lifetime(&self) -> Lifetime;

    /// Hands the canonical form to `emit` in blocks of about 64 KiB, each a valid state when loaded
    /// after those before it. Equal states give equal blocks: the digest is taken over them. No
    /// block is empty; a value that holds nothing emits none.
    fn save(&self, emit: &mut dyn FnMut(&[u8]));

    /// Loads one block after the others; `encoding` is that of the writer and at most
    /// [`Value::ENCODING`]. Checks every length before allocating.
    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt>;

    /// Calls `each` for every subject that changed since the last call, to wake its waiters. Not
    /// saved, not replicated.
    fn take_changed_subjects(&mut self, _each: &mut dyn FnMut(u64)) {}

    /// After the last block: rebuilds indexes and checks the invariants.
    fn loaded(&mut self) -> Result<(), Corrupt> {
        Ok(())
    }

    /// Bytes that the value takes, estimated in O(1).
    fn memory(&self) -> usize;

    /// About how many allocations freeing takes, in O(1): above 64 the server frees in a thread.
    fn free_effort(&self) -> usize;

    /// The value for COPY: live leases stay with the original.
    fn duplicate(&self) -> Self;

    /// The latest time that the value has seen, where it holds later ones back: it must not come
    /// from far in the future.
    fn latest_time(&self) -> UnixMs {
        0
    }

    /// Whether its counters are so low that no use of the value leads to a form that does not load.
    fn has_room(&self) -> bool {
        true
    }

    /// The highest fencing token in the value, 0 if none: raises the token clock after a load.
    fn highest_token(&self) -> u64 {
        0
    }
}
