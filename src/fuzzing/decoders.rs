//! Effects and values, as a primary, a file or RESTORE brings them.

use crate::domain::breaker::Breaker;
use crate::domain::cache::{CacheEntry, CachePolicies, Invalidations};
use crate::domain::global_state::Table;
use crate::domain::idemp::{Record, SeenIds};
use crate::domain::jobq::Queue;
use crate::domain::ratelimit::{LimitPolicies, Subject};
use crate::domain::value::{Effect, Value};

/// The kinds of values and effects: those of keys, then of the tables beside them.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Breaker,
    Cache,
    Idemp,
    Jobq,
    Ratelimit,
    Seen,
    LimitPolicies,
    CachePolicies,
    Invalidations,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Breaker,
        Kind::Cache,
        Kind::Idemp,
        Kind::Jobq,
        Kind::Ratelimit,
        Kind::Seen,
        Kind::LimitPolicies,
        Kind::CachePolicies,
        Kind::Invalidations,
    ];
}

/// Decodes an effect, as replicas and the AOF loader do, and applies it to an empty value.
pub fn effect(kind: Kind, head: &[u8], payload: Option<&[u8]>) {
    match kind {
        Kind::Breaker => decode_and_apply::<Breaker>(head, payload),
        Kind::Cache => decode_and_apply::<CacheEntry>(head, payload),
        Kind::Idemp => decode_and_apply::<Record>(head, payload),
        Kind::Jobq => decode_and_apply::<Queue>(head, payload),
        Kind::Ratelimit => decode_and_apply::<Subject>(head, payload),
        Kind::Seen => decode_and_apply::<SeenIds>(head, payload),
        Kind::LimitPolicies => decode_for_table::<LimitPolicies>(head, payload),
        Kind::CachePolicies => decode_for_table::<CachePolicies>(head, payload),
        Kind::Invalidations => decode_for_table::<Invalidations>(head, payload),
    }
}

/// Loads a value from one block of the current encoding, as RESTORE does.
pub fn value(kind: Kind, block: &[u8]) {
    match kind {
        Kind::Breaker => load_and_save::<Breaker>(block),
        Kind::Cache => load_and_save::<CacheEntry>(block),
        Kind::Idemp => load_and_save::<Record>(block),
        Kind::Jobq => load_and_save::<Queue>(block),
        Kind::Ratelimit => load_and_save::<Subject>(block),
        Kind::Seen => load_and_save::<SeenIds>(block),
        Kind::LimitPolicies => load_table::<LimitPolicies>(block),
        Kind::CachePolicies => load_table::<CachePolicies>(block),
        Kind::Invalidations => load_table::<Invalidations>(block),
    }
}

/// `None` where the bytes are refused.
fn decoded<E: Effect>(head: &[u8], payload: Option<&[u8]>) -> Option<E> {
    let effect = E::decode(head, payload).ok()?;
    assert_eq!(effect.payload(), payload, "the payload is kept");
    let encoded = effect.encode();
    let again = E::decode(&encoded, payload).expect("what was encoded is decoded");
    assert_eq!(again.encode(), encoded, "an effect has one form of today");
    Some(effect)
}

/// A table that has taken the effect is saved and loaded.
fn decode_for_table<T: Table>(head: &[u8], payload: Option<&[u8]>) {
    let Some(effect) = decoded::<T::Effect>(head, payload) else { return };
    let mut table = T::default();
    table.apply(effect);
    let again = T::load(T::ENCODING, &table.save()).expect("what was saved is loaded");
    assert_eq!(again.save(), table.save(), "a table has one saved form");
}

fn load_table<T: Table>(bytes: &[u8]) {
    let Ok(table) = T::load(T::ENCODING, bytes) else { return };
    let again = T::load(T::ENCODING, &table.save()).expect("what was saved is loaded");
    assert_eq!(again.save(), table.save(), "a table has one saved form");
}

fn decode_and_apply<V: Value>(head: &[u8], payload: Option<&[u8]>) {
    let Some(effect) = decoded::<V::Effect>(head, payload) else { return };
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
