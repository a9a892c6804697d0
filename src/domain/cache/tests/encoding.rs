//! The binary forms: nothing is lost, nothing is left out, nothing panics.

use crate::domain::cache::Effect;
use crate::domain::cache::state::compression;
use crate::domain::cache::state::entry::Entry;
use crate::domain::cache::state::lease::Lease;
use crate::domain::cache::state::tags::Tags;
use crate::domain::cache::state::value_meta::{Form, Kept, LONGEST_LOAD, NEVER};
use crate::domain::codec::Corrupt;
use crate::domain::time::LONGEST;
use crate::domain::token;
use crate::domain::value::{Effect as _, Lifetime, Value};
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice)
}

fn kept() -> impl Strategy<Value = Kept> {
    let (token, time, span) = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST);
    let form = prop_oneof![4 => Just(Form::Plain), 1 => Just(Form::Absent), 1 => Just(Form::Lz4)];
    (token, form, prop_oneof![time, Just(NEVER)], span, 0..=LONGEST_LOAD)
        .prop_map(|(grant, form, fresh_until, grace, load)| Kept { grant, form, fresh_until, grace, load })
}

/// What is known of a value, and its bytes.
fn values() -> impl Strategy<Value = (Kept, Box<[u8]>)> {
    (kept(), bytes()).prop_map(|(kept, bytes)| match kept.form {
        Form::Plain => (kept, bytes),
        Form::Absent => (kept, Box::default()),
        Form::Lz4 => (
            kept,
            compression::packed(&bytes.repeat(200), 1).unwrap_or(compression::packed(&[0; 50], 1).unwrap()),
        ),
    })
}

/// One or several.
fn some_tags() -> impl Strategy<Value = Tags> {
    prop::collection::vec("[a-z]{1,4}", 1..4).prop_map(|tags| {
        let tags: Vec<&[u8]> = tags.iter().map(|tag| tag.as_bytes()).collect();
        Tags::new(&tags).unwrap()
    })
}

fn effects() -> impl Strategy<Value = Effect> {
    let (token, time, span) = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST);
    let lease = (token.clone(), time.clone(), span);
    prop_oneof![
        lease.clone().prop_map(|(token, since, lease)| Effect::Fill { token, since, lease }),
        lease.clone().prop_map(|(token, since, lease)| Effect::Refresh { token, since, lease }),
        lease.prop_map(|(token, at, delay)| Effect::Release { token, at, delay }),
        (token, time.clone()).prop_map(|(grant, at)| Effect::Expire { grant, at }),
        time.prop_map(|fresh_until| Effect::Touch { fresh_until }),
        values().prop_map(|(kept, bytes)| Effect::Set { kept, bytes }),
        (values(), some_tags()).prop_map(|((kept, bytes), tags)| Effect::SetTagged { kept, tags, bytes }),
    ]
}

fn entries() -> impl Strategy<Value = Entry> {
    let lease = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST, any::<bool>())
        .prop_map(|(token, since, span, released)| Lease { token, since, span, released });
    prop_oneof![
        lease.clone().prop_map(Entry::leased),
        (values(), prop::option::of(lease), prop_oneof![Just(Tags::default()), some_tags()])
            .prop_map(|((kept, bytes), lease, tags)| Entry::holding(kept, bytes, lease).with(tags)),
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
        if entry.lifetime() != Lifetime::Over {
            prop_assert_eq!(loaded(&saved(&entry)), Ok(entry));
        }
        let mut missing = Entry::default();
        missing.apply(effect.clone());
        let makes_none = matches!(effect, Effect::Expire { .. } | Effect::Touch { .. });
        prop_assert_eq!(missing.lifetime() == Lifetime::Over, makes_none);
    }

    #[test]
    fn random_bytes_never_panic(
        kind in 0u8..8,
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
    let lease = Lease { token: 9, since: 3, span: 4, released: false };
    let kept = Kept { grant: 7, form: Form::Plain, fresh_until: 5, grace: 6, load: 8 };
    let entry = |kept, bytes: &[u8], lease: Option<Lease>| Entry::holding(kept, Box::from(bytes), lease);
    let of = |kept| entry(kept, b"v", Some(lease));
    let leased = |lease| entry(kept, b"v", Some(lease));
    let all = [
        of(kept),
        entry(kept, b"w", Some(lease)),
        entry(kept, b"", Some(lease)),
        entry(Kept { form: Form::Absent, ..kept }, b"", Some(lease)),
        entry(Kept { form: Form::Lz4, ..kept }, b"v", Some(lease)),
        of(Kept { fresh_until: 6, ..kept }),
        of(Kept { fresh_until: NEVER, ..kept }),
        of(Kept { grace: 7, ..kept }),
        of(Kept { grant: 8, ..kept }),
        of(Kept { load: 9, ..kept }),
        entry(kept, b"v", None),
        leased(Lease { token: 10, ..lease }),
        leased(Lease { since: 4, ..lease }),
        leased(Lease { span: 5, ..lease }),
        leased(Lease { released: true, ..lease }),
        Entry::leased(lease),
    ];
    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn fields_out_of_range_are_corrupt() {
    let kept = Kept { grant: 1, form: Form::Plain, fresh_until: NEVER, grace: 0, load: 0 };
    let set = |kept, bytes: &[u8]| Effect::Set { kept, bytes: Box::from(bytes) };
    for effect in [
        Effect::Fill { token: 0, since: 0, lease: 1 },
        Effect::Fill { token: token::BOUND, since: 0, lease: 1 },
        Effect::Refresh { token: 1, since: 1 << 53, lease: 1 },
        Effect::Refresh { token: 1, since: 0, lease: LONGEST + 1 },
        Effect::Release { token: 1, at: 0, delay: LONGEST + 1 },
        Effect::Expire { grant: 0, at: 0 },
        Effect::Expire { grant: 1, at: 1 << 53 },
        Effect::Touch { fresh_until: 1 << 53 },
        set(Kept { grant: 0, ..kept }, b""),
        set(Kept { fresh_until: 1 << 53, ..kept }, b""),
        set(Kept { grace: LONGEST + 1, ..kept }, b""),
        set(Kept { load: LONGEST_LOAD + 1, ..kept }, b""),
        set(Kept { form: Form::Absent, ..kept }, b"something"),
        set(Kept { form: Form::Lz4, ..kept }, b"something"),
        set(Kept { form: Form::Lz4, ..kept }, b"\xff\xff\xff\xff\0"),
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
    let kept = Kept { grant: 1, form: Form::Plain, fresh_until: NEVER, grace: 0, load: 0 };
    entry.apply(Effect::Set { kept, bytes: value });
    assert_eq!(saved(&entry).len(), 1);
    assert_eq!(loaded(&saved(&entry)), Ok(entry));
}

/// A plain string of n bytes takes an object of 16 bytes and n + 4; a module's value takes an object
/// and its handle of 16 bytes each, and what is measured here.
#[test]
fn a_cached_value_takes_at_most_64_bytes_more_than_a_plain_string() {
    let mut entry = Entry::default();
    let kept = Kept { grant: 1, form: Form::Plain, fresh_until: 1, grace: 1, load: 1 };
    entry.apply(Effect::Set { kept, bytes: Box::from([0; 100]) });
    assert_eq!(size_of::<Entry>(), 48);
    let plain = 16 + 100 + 4;
    assert!(16 + 16 + entry.memory() <= plain + 64, "{}", entry.memory());
}
