//! Effects and values, as a primary, a file or RESTORE brings them.

use crate::domain::breaker::Breaker;
use crate::domain::cache::CacheEntry;
use crate::domain::idemp::{Record, SeenIds};
use crate::domain::jobq::Queue;
use crate::domain::ratelimit::Subject;
use crate::domain::value::{Effect, Value};

/// The kinds of values and effects.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Breaker,
    Cache,
    Idemp,
    Jobq,
    Ratelimit,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Breaker, Kind::Cache, Kind::Idemp, Kind::Jobq, Kind::Ratelimit];
}

/// Decodes an effect, as replicas and the AOF loader do, and applies it to an empty value.
pub fn effect(kind: Kind, head: &[u8], payload: Option<&[u8]>) {
    match kind {
        Kind::Breaker => decode_and_apply::<Breaker>(head, payload),
        Kind::Cache => decode_and_apply::<CacheEntry>(head, payload),
        Kind::Idemp => decode_and_apply::<Record>(head, payload),
        Kind::Jobq => decode_and_apply::<Queue>(head, payload),
        Kind::Ratelimit => decode_and_apply::<Subject>(head, payload),
    }
}

/// Loads a value from one block of the current encoding, as RESTORE does.
pub fn value(kind: Kind, block: &[u8]) {
    match kind {
        Kind::Breaker => load_and_save::<Breaker>(block),
        Kind::Cache => load_and_save::<CacheEntry>(block),
        Kind::Idemp => {
            load_and_save::<Record>(block);
            load_and_save::<SeenIds>(block);
        }
        Kind::Jobq => load_and_save::<Queue>(block),
        Kind::Ratelimit => load_and_save::<Subject>(block),
    }
}

fn decode_and_apply<V: Value>(head: &[u8], payload: Option<&[u8]>) {
    let Ok(effect) = V::Effect::decode(head, payload) else { return };
    assert_eq!(effect.payload(), payload, "the payload is kept");
    let encoded = effect.encode();
    let again = V::Effect::decode(&encoded, payload).expect("what was encoded is decoded");
    assert_eq!(again.encode(), encoded, "an effect has one form of today");
    let mut value = V::default();
    value.apply(effect);
    let _ = (value.lifetime(), value.memory(), value.free_effort());
}

fn load_and_save<V: Value>(block: &[u8]) {
    let Some(value) = loaded::<V>(&[block]) else { return };
    let saved = saved(&value);
    let blocks: Vec<&[u8]> = saved.iter().map(Vec::as_slice).collect();
    let again = loaded::<V>(&blocks).expect("what was saved is loaded");
    assert_eq!(self::saved(&again), saved, "a value has one saved form");
}

fn loaded<V: Value>(blocks: &[&[u8]]) -> Option<V> {
    let mut value = V::default();
    blocks.iter().try_for_each(|block| value.load(V::ENCODING, block)).ok()?;
    value.loaded().ok()?;
    Some(value)
}

fn saved<V: Value>(value: &V) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    value.save(&mut |block| blocks.push(block.to_vec()));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_accepted_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            payload in prop::option::of(prop::collection::vec(any::<u8>(), 0..8)),
        ) {
            for kind in Kind::ALL {
                effect(kind, &bytes, payload.as_deref());
                value(kind, &bytes);
            }
        }
    }
}
