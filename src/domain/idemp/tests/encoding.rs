//! The binary forms: nothing is lost, nothing is left out, nothing panics.

use crate::domain::codec::Corrupt;
use crate::domain::idemp::state::completed::PackedResult;
use crate::domain::idemp::state::record::{Record, Stage, Unfinished};
use crate::domain::idemp::{Effect, Fingerprint};
use crate::domain::testing::saved_form::{self, loaded, saved};
use crate::domain::time::LONGEST;
use crate::domain::token;
use crate::domain::value::{Effect as _, Lifetime, Value};
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice)
}

fn fingerprint() -> impl Strategy<Value = Option<Fingerprint>> {
    any::<Option<[u8; 32]>>().prop_map(|digest| digest.map(Fingerprint))
}

fn effects() -> impl Strategy<Value = Effect> {
    let (token, time, span) = (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST);
    let claim = (
        (token.clone(), time.clone(), span.clone(), span.clone()),
        1..=u32::MAX,
        prop::option::of(bytes()),
        fingerprint(),
    )
        .prop_map(|((token, since, lease, ttl), attempt, owner, fingerprint)| Effect::Claim {
            token,
            since,
            lease,
            ttl,
            attempt,
            owner,
            fingerprint,
        });
    let complete = (token.clone(), time.clone(), span.clone(), prop::option::of(bytes()), bytes())
        .prop_map(|(token, at, ttl, meta, result)| Effect::Complete { token, at, ttl, meta, result });
    let extend = (token.clone(), time.clone(), span.clone(), prop::option::of(bytes()))
        .prop_map(|(token, at, lease, checkpoint)| Effect::Extend { token, at, lease, checkpoint });
    let release = (token, time, span).prop_map(|(token, at, delay)| Effect::Release { token, at, delay });
    prop_oneof![claim, complete, extend, release]
}

fn records() -> impl Strategy<Value = Record> {
    let part = || prop::option::of(bytes());
    let open = (any::<bool>(), 0..=LONGEST, part(), fingerprint(), part()).prop_map(
        |(held, span, owner, fingerprint, checkpoint)| {
            let owner = owner.filter(|_| held);
            Stage::Open(Box::new(Unfinished { held, span, owner, fingerprint, checkpoint }))
        },
    );
    let done = (fingerprint(), prop::option::of(bytes()), bytes()).prop_map(|(fingerprint, meta, result)| {
        Stage::Done(PackedResult::new(fingerprint.as_ref(), meta.as_deref(), &result))
    });
    (1..token::BOUND, 0..1u64 << 53, 0..=LONGEST, 1..=u32::MAX, prop_oneof![open, done])
        .prop_map(|(token, since, ttl, attempt, stage)| Record { token, since, ttl, attempt, stage })
}

proptest! {
    #[test]
    fn an_effect_of_before_0_1_0_has_long_tokens(effect in effects()) {
        saved_form::effect_with_long_tokens_is_read(&effect);
    }

    #[test]
    fn a_record_loads_as_it_was_saved(record in records()) {
        prop_assert_eq!(loaded(&saved(&record)), Ok(record));
    }

    #[test]
    fn a_cut_or_lengthened_form_is_corrupt(effect in effects(), record in records(), at in any::<prop::sample::Index>()) {
        saved_form::effect_reads_back(&effect, at);
        let other = if effect.payload().is_some() { None } else { Some(&b"x"[..]) };
        // An extension goes with a checkpoint and without.
        if !matches!(effect, Effect::Extend { .. }) {
            prop_assert_eq!(Effect::decode(&effect.encode(), other), Err(Corrupt));
        }
        saved_form::refuses_cut_and_lengthened(&record, at);
    }

    #[test]
    fn changed_bytes_are_refused_or_give_a_record_that_saves_as_those_bytes(
        record in records(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        saved_form::tells_changed_bytes(&record, at, flip);
    }

    #[test]
    fn any_effect_applies_to_any_record(mut record in records(), effect in effects(), now in any::<u64>()) {
        record.apply(effect.clone());
        let _ = (record.lifetime(), record.next_due(), record.view(now), record.duplicate());
        prop_assert_eq!(loaded(&saved(&record)), Ok(record));
        let mut missing = Record::default();
        missing.apply(effect.clone());
        prop_assert_eq!(missing.lifetime() == Lifetime::Over, !matches!(effect, Effect::Claim { .. }));
    }

    #[test]
    fn random_bytes_never_panic(
        kind in prop_oneof![0u8..6, 64u8..70],
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        payload in any::<bool>(),
    ) {
        let bytes = [&[kind], &bytes[..]].concat();
        let _ = Effect::decode(&bytes, payload.then_some(b"payload"));
        let _ = loaded::<Record>(&[bytes]);
    }
}

#[test]
fn every_field_reaches_the_saved_bytes() {
    let held = Unfinished {
        held: true,
        span: 5,
        owner: Some(Box::from(*b"me")),
        fingerprint: Some(Fingerprint([7; 32])),
        checkpoint: Some(Box::from(*b"half")),
    };
    let open = |open: Unfinished| Stage::Open(Box::new(open));
    let done = |fingerprint, meta: Option<&[u8]>, result: &[u8]| {
        Stage::Done(PackedResult::new(Option::as_ref(&fingerprint), meta, result))
    };
    let base = Record { token: 9, since: 3, ttl: 10, attempt: 2, stage: open(held.clone()) };
    let print = Some(Fingerprint([7; 32]));
    let all = [
        base.clone(),
        Record { token: 8, ..base.clone() },
        Record { since: 4, ..base.clone() },
        Record { ttl: 11, ..base.clone() },
        Record { attempt: 3, ..base.clone() },
        Record { stage: open(Unfinished { span: 6, ..held.clone() }), ..base.clone() },
        Record { stage: open(Unfinished { owner: None, ..held.clone() }), ..base.clone() },
        Record { stage: open(Unfinished { owner: Some(Box::from(*b"us")), ..held.clone() }), ..base.clone() },
        Record { stage: open(Unfinished { fingerprint: None, ..held.clone() }), ..base.clone() },
        Record { stage: open(Unfinished { checkpoint: None, ..held.clone() }), ..base.clone() },
        Record {
            stage: open(Unfinished { checkpoint: Some(Box::from(*b"full")), ..held.clone() }),
            ..base.clone()
        },
        Record {
            stage: open(Unfinished { fingerprint: Some(Fingerprint([8; 32])), ..held.clone() }),
            ..base.clone()
        },
        Record { stage: open(Unfinished { held: false, owner: None, ..held }), ..base.clone() },
        Record { stage: done(print, Some(b"m"), b"r"), ..base.clone() },
        Record { stage: done(None, Some(b"m"), b"r"), ..base.clone() },
        Record { stage: done(print, None, b"r"), ..base.clone() },
        Record { stage: done(print, Some(b"n"), b"r"), ..base.clone() },
        Record { stage: done(print, Some(b""), b"r"), ..base.clone() },
        Record { stage: done(print, Some(b"m"), b"s"), ..base.clone() },
    ];
    saved_form::all_differ(&all);
}

#[test]
fn fields_out_of_range_are_corrupt() {
    let release = Effect::Release { token: 1, at: 0, delay: 0 };
    for effect in [
        Effect::Release { token: 0, at: 0, delay: 0 },
        Effect::Release { token: token::BOUND, at: 0, delay: 0 },
        Effect::Release { token: 1, at: 1 << 53, delay: 0 },
        Effect::Release { token: 1, at: 0, delay: LONGEST + 1 },
    ] {
        assert_eq!(Effect::decode(&effect.encode(), None), Err(Corrupt), "{effect:?}");
    }
    assert_eq!(Effect::decode(&release.encode(), None), Ok(release));
    let mut record = Record { attempt: 1, token: 1, ..Record::default() };
    assert_eq!(loaded(&saved(&record)), Ok(record.clone()));
    record.attempt = 0;
    assert_eq!(loaded::<Record>(&saved(&record)), Err(Corrupt));
}

#[test]
fn a_record_that_holds_nothing_saves_nothing() {
    assert!(saved(&Record::default()).is_empty());
    assert_eq!(Record::default().lifetime(), Lifetime::Over);
}

/// A plain string of n bytes takes an object of 16 bytes and n + 4; a module's value takes an
/// object and its handle of 16 bytes each, and what is measured here.
#[test]
fn a_completed_record_takes_at_most_96_bytes_more_than_a_plain_string() {
    let result = [0; 100];
    let print = Fingerprint([7; 32]);
    let stage = Stage::Done(PackedResult::new(Some(&print), None, &result));
    let record = Record { token: 1, since: 1, ttl: 1, attempt: 1, stage };
    assert_eq!(size_of::<Record>(), 48);
    let plain = 16 + result.len() + 4;
    assert!(16 + 16 + record.memory() <= plain + 96, "{}", record.memory());
}
