//! The binary forms: nothing is lost, nothing is left out, nothing panics.

use proptest::prelude::*;

use super::Effect;
use super::entry::{Entry, NEVER};
use super::lease::Lease;
use crate::domain::codec::Corrupt;
use crate::domain::time::LONGEST;
use crate::domain::token;
use crate::domain::value::{Effect as _, Lifetime, Value};

fn bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice)
}

fn effects() -> impl Strategy<Value = Effect> {
    let (token, time, span) = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST);
    let lease = (token.clone(), time.clone(), span.clone());
    prop_oneof![
        lease.clone().prop_map(|(token, since, lease)| Effect::Fill { token, since, lease }),
        lease.prop_map(|(token, since, lease)| Effect::Refresh { token, since, lease }),
        Just(Effect::Release),
        (token, prop::option::of(time), span, bytes()).prop_map(|(grant, fresh_until, grace, value)| {
            Effect::Set { grant, fresh_until, grace, value }
        }),
    ]
}

fn entries() -> impl Strategy<Value = Entry> {
    let (token, time, span) = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST);
    let lease = (token.clone(), time.clone(), span.clone())
        .prop_map(|(token, since, span)| Box::new(Lease { token, since, span }));
    let value = (token, prop_oneof![time, Just(NEVER)], span, bytes()).prop_map(
        |(grant, fresh_until, grace, value)| Entry {
            value: Some(value),
            fresh_until,
            grace,
            grant,
            lease: None,
        },
    );
    prop_oneof![
        lease.clone().prop_map(|lease| Entry { lease: Some(lease), ..Entry::default() }),
        (value, prop::option::of(lease)).prop_map(|(entry, lease)| Entry { lease, ..entry }),
    ]
}

fn saved(entry: &Entry) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    entry.save(&mut |block| blocks.push(block.to_vec()));
    blocks
}

fn loaded(blocks: &[Vec<u8>]) -> Result<Entry, Corrupt> {
    let mut entry = Entry::default();
    for block in blocks {
        entry.load(Entry::ENCODING, block)?;
    }
    entry.loaded()?;
    Ok(entry)
}

proptest! {
    #[test]
    fn an_effect_reads_back_as_it_was_written(effect in effects()) {
        prop_assert_eq!(Effect::decode(&effect.encode(), effect.payload()), Ok(effect));
    }

    #[test]
    fn an_entry_loads_as_it_was_saved(entry in entries()) {
        prop_assert_eq!(loaded(&saved(&entry)), Ok(entry));
    }

    #[test]
    fn a_cut_or_lengthened_form_is_corrupt(effect in effects(), entry in entries(), cut in any::<prop::sample::Index>()) {
        let head = effect.encode();
        prop_assert_eq!(Effect::decode(&head[..cut.index(head.len())], effect.payload()), Err(Corrupt));
        prop_assert_eq!(Effect::decode(&[&head[..], &[0]].concat(), effect.payload()), Err(Corrupt));
        let other = if effect.payload().is_some() { None } else { Some(&b"x"[..]) };
        prop_assert_eq!(Effect::decode(&head, other), Err(Corrupt));
        let block = &saved(&entry)[0];
        prop_assert_eq!(loaded(&[block[..cut.index(block.len())].to_vec()]), Err(Corrupt));
        prop_assert_eq!(loaded(&[[&block[..], &[0]].concat()]), Err(Corrupt));
        prop_assert_eq!(loaded(&[block.clone(), block.clone()]), Err(Corrupt));
    }

    #[test]
    fn changed_bytes_are_refused_or_give_an_entry_that_saves_as_those_bytes(
        entry in entries(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let mut block = saved(&entry).remove(0);
        let at = at.index(block.len());
        block[at] ^= flip;
        if let Ok(other) = loaded(std::slice::from_ref(&block)) {
            prop_assert_ne!(&other, &entry);
            prop_assert_eq!(saved(&other), [block]);
        }
    }

    #[test]
    fn any_effect_applies_to_any_entry(mut entry in entries(), effect in effects(), now in any::<u64>()) {
        entry.apply(effect.clone());
        let _ = (entry.lifetime(), entry.next_due(), entry.view(now), entry.duplicate(), entry.memory());
        prop_assert_eq!(loaded(&saved(&entry)), Ok(entry));
        let mut missing = Entry::default();
        missing.apply(effect.clone());
        prop_assert_eq!(missing.lifetime() == Lifetime::Over, effect == Effect::Release);
    }

    #[test]
    fn random_bytes_never_panic(
        kind in 0u8..5,
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        payload in any::<bool>(),
    ) {
        let bytes = [&[kind], &bytes[..]].concat();
        let _ = Effect::decode(&bytes, payload.then_some(b"payload"));
        let _ = loaded(&[bytes]);
    }
}

#[test]
fn every_field_reaches_the_saved_bytes() {
    let lease = Lease { token: 9, since: 3, span: 4 };
    let leased = |lease: Lease| Some(Box::new(lease));
    let base =
        Entry { value: Some(Box::from(*b"v")), fresh_until: 5, grace: 6, grant: 7, lease: leased(lease) };
    let all = [
        base.clone(),
        Entry { value: Some(Box::from(*b"w")), ..base.clone() },
        Entry { value: Some(Box::from(*b"")), ..base.clone() },
        Entry { fresh_until: 6, ..base.clone() },
        Entry { fresh_until: NEVER, ..base.clone() },
        Entry { grace: 7, ..base.clone() },
        Entry { grant: 8, ..base.clone() },
        Entry { lease: None, ..base.clone() },
        Entry { lease: leased(Lease { token: 10, ..lease }), ..base.clone() },
        Entry { lease: leased(Lease { since: 4, ..lease }), ..base.clone() },
        Entry { lease: leased(Lease { span: 5, ..lease }), ..base },
        Entry { lease: leased(lease), ..Entry::default() },
    ];
    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn fields_out_of_range_are_corrupt() {
    for effect in [
        Effect::Fill { token: 0, since: 0, lease: 1 },
        Effect::Fill { token: token::BOUND, since: 0, lease: 1 },
        Effect::Refresh { token: 1, since: 1 << 53, lease: 1 },
        Effect::Refresh { token: 1, since: 0, lease: LONGEST + 1 },
        Effect::Set { grant: 0, fresh_until: None, grace: 0, value: Box::default() },
        Effect::Set { grant: 1, fresh_until: Some(1 << 53), grace: 0, value: Box::default() },
        Effect::Set { grant: 1, fresh_until: None, grace: LONGEST + 1, value: Box::default() },
    ] {
        assert_eq!(Effect::decode(&effect.encode(), effect.payload()), Err(Corrupt), "{effect:?}");
    }
}

#[test]
fn an_entry_that_holds_nothing_saves_nothing() {
    assert!(saved(&Entry::default()).is_empty());
    assert_eq!(Entry::default().lifetime(), Lifetime::Over);
}

#[test]
fn a_value_of_a_mebibyte_is_one_block() {
    let mut entry = Entry::default();
    let value = vec![7; 1 << 20].into_boxed_slice();
    entry.apply(Effect::Set { grant: 1, fresh_until: None, grace: 0, value });
    assert_eq!(saved(&entry).len(), 1);
    assert_eq!(loaded(&saved(&entry)), Ok(entry));
}

/// A plain string of n bytes takes an object of 16 bytes and n + 4; a module's value takes an object
/// and its handle of 16 bytes each, and what is measured here.
#[test]
fn a_cached_value_takes_at_most_64_bytes_more_than_a_plain_string() {
    let mut entry = Entry::default();
    entry.apply(Effect::Set { grant: 1, fresh_until: Some(1), grace: 1, value: Box::from([0; 100]) });
    assert_eq!(size_of::<Entry>(), 48);
    let plain = 16 + 100 + 4;
    assert!(16 + 16 + entry.memory() <= plain + 64, "{}", entry.memory());
}
