//! The saved form of a value, written and read as the server does it, and what must hold of every
//! such form.

use crate::domain::codec::{Corrupt, Reader};
use crate::domain::long_token;
use crate::domain::value::{Effect, Value};
use std::fmt::Debug;

pub(crate) fn saved<V: Value>(value: &V) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    value.save(&mut |block| blocks.push(block.to_vec()));
    blocks
}

/// The blocks of a key, none where it is missing.
pub(crate) fn blocks<V: Value>(key: Option<&V>) -> Vec<Vec<u8>> {
    key.map(saved).unwrap_or_default()
}

pub(crate) fn loaded<V: Value>(blocks: &[Vec<u8>]) -> Result<V, Corrupt> {
    let mut value = V::default();
    for block in blocks {
        value.load(V::ENCODING, block)?;
    }
    value.loaded()?;
    Ok(value)
}

/// A value that was cut at `at`, lengthened or sent twice is refused.
pub(crate) fn refuses_cut_and_lengthened<V: Value + Debug>(value: &V, at: proptest::sample::Index) {
    let [block] = saved(value).try_into().expect("one block");
    let cut = block[..at.index(block.len())].to_vec();
    for blocks in [vec![cut], vec![[&block[..], &[0]].concat()], vec![block.clone(), block.clone()]] {
        assert!(loaded::<V>(&blocks).is_err(), "{value:?}: {blocks:?}");
    }
}

/// A value with one byte changed is refused, or is another value, whose saved form is just these
/// bytes.
pub(crate) fn tells_changed_bytes<V: Value + Debug + PartialEq>(
    value: &V,
    at: proptest::sample::Index,
    flip: u8,
) {
    let [mut block] = saved(value).try_into().expect("one block");
    let at = at.index(block.len());
    block[at] ^= flip;
    if let Ok(other) = loaded::<V>(std::slice::from_ref(&block)) {
        assert_ne!(&other, value);
        assert_eq!(saved(&other), [block]);
    }
}

/// An effect reads back as it was written; cut or lengthened, it is refused.
pub(crate) fn effect_reads_back<E: Effect + Debug + PartialEq>(effect: &E, at: proptest::sample::Index) {
    let (head, payload) = (effect.encode(), effect.payload());
    assert_eq!(E::decode(&head, payload).as_ref(), Ok(effect));
    for wrong in [&head[..at.index(head.len())], &[&head[..], &[0]].concat()] {
        assert_eq!(E::decode(wrong, payload), Err(Corrupt), "{effect:?}: {wrong:?}");
    }
}

/// An effect as it was written before 0.1.0, with its tokens as long ones.
pub(crate) fn effect_with_long_tokens_is_read<E: Effect + Debug + PartialEq>(effect: &E) {
    let mut head = effect.encode();
    head[0] &= !64;
    let mut reader = Reader::new(&head);
    let read = E::read(&mut reader, effect.payload()).expect("an effect of before 0.1.0");
    assert_eq!(read.highest_token(), long_token::shorten(effect.highest_token()), "{effect:?}");
    assert!(reader.highest_long_token().unwrap_or(0) >= effect.highest_token(), "{effect:?}");
    assert_eq!(E::decode(&read.encode(), read.payload()), Ok(read));
}

/// No two of the values have the same saved form.
pub(crate) fn all_differ<V: Value + Debug>(values: &[V]) {
    for (i, one) in values.iter().enumerate() {
        for other in &values[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}
