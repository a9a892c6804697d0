//! The binary forms: nothing is lost, nothing is left out, nothing panics.

use crate::domain::cache::Effect;
use crate::domain::cache::state::compression;
use crate::domain::cache::state::entry::CacheEntry;
use crate::domain::cache::state::lease::Lease;
use crate::domain::cache::state::tags::Tags;
use crate::domain::cache::state::value_meta::{Annotations, MAX_LOAD_MS, NEVER, ValueForm, ValueMeta};
use crate::domain::codec::Corrupt;
use crate::domain::testing::saved_form::{self, loaded, saved};
use crate::domain::time::LONGEST;
use crate::domain::token;
use crate::domain::value::{Effect as _, Lifetime, Value};
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice)
}

fn meta() -> impl Strategy<Value = ValueMeta> {
    let (token, time, span) = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST);
    let form =
        prop_oneof![4 => Just(ValueForm::Plain), 1 => Just(ValueForm::Absent), 1 => Just(ValueForm::Lz4)];
    (token, form, prop_oneof![time, Just(NEVER)], span, 0..=MAX_LOAD_MS).prop_map(
        |(token, form, fresh_until, grace, load)| ValueMeta { token, form, fresh_until, grace, load },
    )
}

/// What is known of a value, and its bytes.
fn values() -> impl Strategy<Value = (ValueMeta, Box<[u8]>)> {
    (meta(), bytes()).prop_map(|(meta, bytes)| match meta.form {
        ValueForm::Plain => (meta, bytes),
        ValueForm::Absent => (meta, Box::default()),
        ValueForm::Lz4 => (
            meta,
            compression::compress(&bytes.repeat(200), 1)
                .unwrap_or(compression::compress(&[0; 50], 1).unwrap()),
        ),
    })
}

/// Tags, META or both.
fn some_annotations() -> impl Strategy<Value = Annotations> {
    (prop::option::of(some_tags()), prop::option::of(bytes()))
        .prop_filter("something", |(tags, meta)| tags.is_some() || meta.is_some())
        .prop_map(|(tags, client_meta)| Annotations { tags: tags.unwrap_or_default(), client_meta })
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
        (token, time.clone()).prop_map(|(token, at)| Effect::Expire { token, at }),
        time.prop_map(|fresh_until| Effect::Touch { fresh_until }),
        values().prop_map(|(meta, bytes)| Effect::Set { meta, bytes }),
        (values(), some_annotations()).prop_map(|((meta, bytes), annotations)| Effect::SetAnnotated {
            meta,
            annotations,
            bytes
        }),
        (1..token::BOUND).prop_map(|token| Effect::Drop { token }),
    ]
}

fn entries() -> impl Strategy<Value = CacheEntry> {
    let lease = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST, any::<bool>())
        .prop_map(|(token, since, span, released)| Lease { token, since, span, released });
    prop_oneof![
        lease.clone().prop_map(CacheEntry::with_lease),
        (values(), prop::option::of(lease), prop_oneof![Just(Annotations::default()), some_annotations()])
            .prop_map(|((meta, bytes), lease, annotations)| CacheEntry::with_value(meta, bytes, lease)
                .annotated(annotations)),
    ]
}

proptest! {
    #[test]
    fn an_effect_of_before_0_1_0_has_long_tokens(effect in effects()) {
        saved_form::effect_with_long_tokens_is_read(&effect);
    }

    #[test]
    fn an_entry_loads_as_it_was_saved(entry in entries()) {
        prop_assert_eq!(loaded(&saved(&entry)), Ok(entry));
    }

    #[test]
    fn a_cut_or_lengthened_form_is_corrupt(effect in effects(), entry in entries(), at in any::<prop::sample::Index>()) {
        saved_form::effect_reads_back(&effect, at);
        let other = if effect.payload().is_some() { None } else { Some(&b"x"[..]) };
        prop_assert_eq!(Effect::decode(&effect.encode(), other), Err(Corrupt));
        saved_form::refuses_cut_and_lengthened(&entry, at);
    }

    #[test]
    fn changed_bytes_are_refused_or_give_an_entry_that_saves_as_those_bytes(
        entry in entries(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        saved_form::tells_changed_bytes(&entry, at, flip);
    }

    #[test]
    fn any_effect_applies_to_any_entry(mut entry in entries(), effect in effects(), now in any::<u64>()) {
        entry.apply(effect.clone());
        let _ = (entry.lifetime(), entry.next_due(), entry.view(now), entry.duplicate(), entry.memory());
        if entry.lifetime() != Lifetime::Over {
            prop_assert_eq!(loaded(&saved(&entry)), Ok(entry));
        }
        let mut missing = CacheEntry::default();
        missing.apply(effect.clone());
        let makes_none =
            matches!(effect, Effect::Expire { .. } | Effect::Touch { .. } | Effect::Drop { .. });
        prop_assert_eq!(missing.lifetime() == Lifetime::Over, makes_none);
    }

    #[test]
    fn random_bytes_never_panic(
        kind in prop_oneof![0u8..11, 64u8..75],
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        payload in any::<bool>(),
    ) {
        let bytes = [&[kind], &bytes[..]].concat();
        let _ = Effect::decode(&bytes, payload.then_some(b"payload"));
        let _ = loaded::<CacheEntry>(&[bytes]);
    }
}

#[test]
fn every_field_reaches_the_saved_bytes() {
    let lease = Lease { token: 9, since: 3, span: 4, released: false };
    let meta = ValueMeta { token: 7, form: ValueForm::Plain, fresh_until: 5, grace: 6, load: 8 };
    let entry =
        |meta, bytes: &[u8], lease: Option<Lease>| CacheEntry::with_value(meta, Box::from(bytes), lease);
    let of = |meta| entry(meta, b"v", Some(lease));
    let leased = |lease| entry(meta, b"v", Some(lease));
    let all = [
        of(meta),
        entry(meta, b"w", Some(lease)),
        entry(meta, b"", Some(lease)),
        entry(ValueMeta { form: ValueForm::Absent, ..meta }, b"", Some(lease)),
        entry(ValueMeta { form: ValueForm::Lz4, ..meta }, b"v", Some(lease)),
        of(ValueMeta { fresh_until: 6, ..meta }),
        of(ValueMeta { fresh_until: NEVER, ..meta }),
        of(ValueMeta { grace: 7, ..meta }),
        of(ValueMeta { token: 8, ..meta }),
        of(ValueMeta { load: 9, ..meta }),
        entry(meta, b"v", None),
        leased(Lease { token: 10, ..lease }),
        leased(Lease { since: 4, ..lease }),
        leased(Lease { span: 5, ..lease }),
        leased(Lease { released: true, ..lease }),
        of(meta).annotated(Annotations { client_meta: Some(Box::default()), ..Annotations::default() }),
        of(meta).annotated(Annotations { client_meta: Some(Box::from(*b"m")), ..Annotations::default() }),
        of(meta).annotated(Annotations { tags: Tags::new(&[b"t"]).unwrap(), client_meta: None }),
        CacheEntry::with_lease(lease),
    ];
    saved_form::all_differ(&all);
}

#[test]
fn fields_out_of_range_are_corrupt() {
    let meta = ValueMeta { token: 1, form: ValueForm::Plain, fresh_until: NEVER, grace: 0, load: 0 };
    let set = |meta, bytes: &[u8]| Effect::Set { meta, bytes: Box::from(bytes) };
    for effect in [
        Effect::Fill { token: 0, since: 0, lease: 1 },
        Effect::Fill { token: token::BOUND, since: 0, lease: 1 },
        Effect::Refresh { token: 1, since: 1 << 53, lease: 1 },
        Effect::Refresh { token: 1, since: 0, lease: LONGEST + 1 },
        Effect::Release { token: 1, at: 0, delay: LONGEST + 1 },
        Effect::Expire { token: 0, at: 0 },
        Effect::Expire { token: 1, at: 1 << 53 },
        Effect::Touch { fresh_until: 1 << 53 },
        set(ValueMeta { token: 0, ..meta }, b""),
        set(ValueMeta { fresh_until: 1 << 53, ..meta }, b""),
        set(ValueMeta { grace: LONGEST + 1, ..meta }, b""),
        set(ValueMeta { load: MAX_LOAD_MS + 1, ..meta }, b""),
        set(ValueMeta { form: ValueForm::Absent, ..meta }, b"something"),
        set(ValueMeta { form: ValueForm::Lz4, ..meta }, b"something"),
        set(ValueMeta { form: ValueForm::Lz4, ..meta }, b"\xff\xff\xff\xff\0"),
    ] {
        assert_eq!(Effect::decode(&effect.encode(), effect.payload()), Err(Corrupt), "{effect:?}");
    }
}

#[test]
fn an_entry_that_holds_nothing_saves_nothing() {
    assert!(saved(&CacheEntry::default()).is_empty());
    assert_eq!(CacheEntry::default().lifetime(), Lifetime::Over);
}

#[test]
fn a_value_of_a_mebibyte_is_one_block() {
    let mut entry = CacheEntry::default();
    let value = vec![7; 1 << 20].into_boxed_slice();
    let meta = ValueMeta { token: 1, form: ValueForm::Plain, fresh_until: NEVER, grace: 0, load: 0 };
    entry.apply(Effect::Set { meta, bytes: value });
    assert_eq!(saved(&entry).len(), 1);
    assert_eq!(loaded(&saved(&entry)), Ok(entry));
}

/// A plain string of n bytes takes an object of 16 bytes and n + 4; a module's value takes an
/// object and its handle of 16 bytes each, and what is measured here.
#[test]
fn a_cached_value_takes_at_most_64_bytes_more_than_a_plain_string() {
    let mut entry = CacheEntry::default();
    let meta = ValueMeta { token: 1, form: ValueForm::Plain, fresh_until: 1, grace: 1, load: 1 };
    entry.apply(Effect::Set { meta, bytes: Box::from([0; 100]) });
    assert_eq!(size_of::<CacheEntry>(), 48);
    let plain = 16 + 100 + 4;
    assert!(16 + 16 + entry.memory() <= plain + 64, "{}", entry.memory());
}
