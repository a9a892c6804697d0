//! IDEMP.SEEN: which ids were seen within a window.
//!
//! Of an id only its SipHash-2-4 of 128 bits is kept (Aumasson and Bernstein). Each value has a
//! random key, so that no client can choose ids that collide. The hashes lie in buckets by the time
//! when they are forgotten, in steps of at most a sixteenth of the window. A bucket is forgotten as
//! a whole.

use crate::domain::codec::ranges::read_time;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::decision::Decision;
use crate::domain::time::{LONGEST, UnixMs};
use crate::domain::value;
use crate::domain::value::{Lifetime, Value};
use siphasher::sip128::SipHasher24;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// The most ids in one call.
pub const MAX_IDS_PER_CALL: usize = 1_000;

/// A bucket's step is at most the window divided by this.
const BUCKETS_PER_WINDOW: u64 = 16;

/// Ids in a run of the binary form, and bytes after which a block is full.
const IDS_PER_RUN: usize = 1_000;
const BLOCK_BYTES: usize = 48 * 1024;

/// Keys the hash; drawn when the value is created.
pub type Secret = [u8; 16];

type Bucket = HashSet<u128, BuildHasherDefault<IdentityHasher>>;

/// The ids that were seen. The default value holds none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenIds {
    secret: Option<Secret>,
    /// By the time when their ids are forgotten.
    buckets: BTreeMap<UnixMs, Bucket>,
}

/// Marks new ids, and drops the buckets that are over at `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEffect {
    /// Given with the first mark of a value.
    pub secret: Option<Secret>,
    pub now: UnixMs,
    pub until: UnixMs,
    pub hashes: Vec<u128>,
}

/// Decides an IDEMP.SEEN: answers for each id whether it was seen before, in the window or in this
/// call, and marks the new ids. `new_secret` keys a new value. An id keeps its first mark, so that
/// a re-send answers 1 for every id and changes nothing.
pub fn decide_seen<'a>(
    state: Option<&SeenIds>,
    window: u64,
    ids: impl Iterator<Item = &'a [u8]>,
    new_secret: impl FnOnce() -> Secret,
    now: UnixMs,
) -> Decision<Vec<bool>, SeenEffect> {
    let known = state.and_then(|seen| seen.secret);
    let secret = known.unwrap_or_else(new_secret);
    let hasher = SipHasher24::new_with_key(&secret);
    let mut fresh = Bucket::default();
    let mut hashes = Vec::new();
    let reply = ids
        .map(|id| {
            let hash = hasher.hash(id).as_u128();
            let met = state.is_some_and(|seen| seen.contains(hash, now)) || !fresh.insert(hash);
            if !met {
                hashes.push(hash);
            }
            met
        })
        .collect();
    if hashes.is_empty() {
        return Decision::answer(reply);
    }
    let secret = known.is_none().then_some(secret);
    Decision::change(reply, SeenEffect { secret, now, until: bucket_end(now, window), hashes })
}

/// The end of `window`, up to a power of two that is at most a sixteenth of it. Powers of two, so
/// that marks of different windows share buckets and their number stays bounded.
fn bucket_end(now: UnixMs, window: u64) -> UnixMs {
    let step = 1 << (window / BUCKETS_PER_WINDOW).max(1).ilog2();
    now.saturating_add(window).checked_next_multiple_of(step).unwrap_or(UnixMs::MAX)
}

impl SeenIds {
    fn contains(&self, hash: u128, now: UnixMs) -> bool {
        self.buckets.range(now + 1..).any(|(_, bucket)| bucket.contains(&hash))
    }
}

impl value::Effect for SeenEffect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.option(self.secret.as_ref(), |w, secret| w.raw(secret));
        w.int(self.now);
        w.int(self.until);
        for hash in &self.hashes {
            w.raw(&hash.to_be_bytes());
        }
        w.finish()
    }

    fn read(r: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let secret = r.option(Reader::array)?;
        let (now, until) = (read_time(r)?, read_time(r)?);
        let mut hashes = Vec::with_capacity(r.left() / size_of::<u128>());
        while !r.is_empty() {
            hashes.push(u128::from_be_bytes(r.array()?));
        }
        if payload.is_some() || hashes.is_empty() {
            return Err(Corrupt);
        }
        Ok(SeenEffect { secret, now, until, hashes })
    }
}

impl Value for SeenIds {
    type Effect = SeenEffect;

    const ENCODING: u32 = 1;

    /// An effect marks ids that are new.
    fn adds(_seen: Option<&Self>, _effect: &SeenEffect) -> bool {
        true
    }

    fn apply(&mut self, mark: SeenEffect) {
        if self.secret.is_none() {
            self.secret = mark.secret;
        }
        if self.secret.is_some() {
            self.buckets = self.buckets.split_off(&(mark.now + 1));
            self.buckets.entry(mark.until).or_default().extend(mark.hashes);
        }
    }

    fn lifetime(&self) -> Lifetime {
        self.buckets.last_key_value().map_or(Lifetime::Over, |(until, _)| Lifetime::Until(*until))
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        let Some(secret) = &self.secret else { return };
        let mut w = Writer::new();
        for (until, bucket) in &self.buckets {
            let mut hashes: Vec<u128> = bucket.iter().copied().collect();
            hashes.sort_unstable();
            for run in hashes.chunks(IDS_PER_RUN) {
                if w.is_empty() {
                    w.raw(secret);
                }
                w.int(*until);
                w.int(run.len() as u64);
                for hash in run {
                    w.raw(&hash.to_be_bytes());
                }
                if w.len() >= BLOCK_BYTES {
                    emit(&w.take());
                }
            }
        }
        if !w.is_empty() {
            emit(&w.finish());
        }
    }

    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        let mut r = Reader::new(block);
        let secret = r.array()?;
        if *self.secret.get_or_insert(secret) != secret || r.is_empty() {
            return Err(Corrupt);
        }
        while !r.is_empty() {
            let until = read_time(&mut r)?;
            let count: usize = r.narrow()?;
            if count == 0 || count > IDS_PER_RUN {
                return Err(Corrupt);
            }
            let bucket = self.buckets.entry(until).or_default();
            for _ in 0..count {
                if !bucket.insert(u128::from_be_bytes(r.array()?)) {
                    return Err(Corrupt);
                }
            }
        }
        Ok(())
    }

    /// An id is remembered for at most [`LONGEST`].
    fn latest_time(&self) -> UnixMs {
        self.buckets.last_key_value().map_or(0, |(until, _)| until.saturating_sub(LONGEST))
    }

    /// The tables of the standard library: 17 bytes a slot, at most seven eighths of which, a power
    /// of two, are taken.
    fn memory(&self) -> usize {
        const ENTRY: usize = size_of::<(UnixMs, Bucket)>();
        let table = |bucket: &Bucket| (bucket.capacity() * 8 / 7).next_power_of_two() * 17 + 16;
        size_of::<SeenIds>() + self.buckets.values().map(|bucket| ENTRY + table(bucket)).sum::<usize>()
    }

    fn free_effort(&self) -> usize {
        1 + self.buckets.len()
    }

    fn duplicate(&self) -> Self {
        self.clone()
    }
}

/// A keyed hash needs no further hashing.
#[derive(Debug, Clone, Copy, Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
