//! The binary forms: nothing is lost, nothing is left out, nothing panics.

use crate::domain::breaker::Effect;
use crate::domain::breaker::state::breaker::{Breaker, Force, Forced, Permit, Phase};
use crate::domain::breaker::state::call_window::{Counts, SLICES, Slice, Window};
use crate::domain::breaker::state::config::Config;
use crate::domain::codec::Corrupt;
use crate::domain::time::LONGEST;
use crate::domain::token;
use crate::domain::value::{Effect as _, Value};
use proptest::prelude::*;

const TIME: std::ops::Range<u64> = 0..1 << 53;

fn slices() -> impl Strategy<Value = Slice> {
    (0..1u64 << 40, 0..1u64 << 40, 1..1u64 << 40, 0..=1u64)
        .prop_map(|(index, ok, failed, slow)| Slice { index, counts: Counts { ok, failed, slow } })
}

fn configs() -> impl Strategy<Value = Config> {
    (prop::collection::vec(any::<u64>(), 9), any::<bool>()).prop_map(|(numbers, plain)| {
        let mut config = Config::default();
        if !plain {
            for ((number, (least, most)), random) in config.fields().into_iter().zip(numbers) {
                *number = least + random % (most - least + 1);
            }
        }
        config
    })
}

fn forces() -> impl Strategy<Value = Force> {
    prop_oneof![Just(Force::Open), Just(Force::Closed), Just(Force::Disabled)]
}

fn effects() -> impl Strategy<Value = Effect> {
    let token = 1..token::BOUND;
    let span = 0..=LONGEST;
    prop_oneof![
        slices().prop_map(Effect::Count),
        (prop::option::of(slices()), TIME, span.clone(), 0..=64u32)
            .prop_map(|(counted, since, span, level)| Effect::Open { counted, since, span, level }),
        (token.clone(), TIME, span.clone(), prop::option::of(token.clone()))
            .prop_map(|(token, since, lease, instead_of)| Effect::Probe { token, since, lease, instead_of }),
        (token.clone(), TIME, TIME).prop_map(|(token, ok, slow)| Effect::Probed { token, ok, slow }),
        (token.clone(), TIME).prop_map(|(generation, since)| Effect::Close { generation, since }),
        (token.clone(), TIME).prop_map(|(generation, since)| Effect::Reset { generation, since }),
        (forces(), token, TIME, prop::option::of(span))
            .prop_map(|(what, generation, since, span)| Effect::Force { what, generation, since, span }),
        Just(Effect::Auto),
        configs().prop_map(Effect::Configure),
        TIME.prop_map(|now| Effect::Rebase { now }),
    ]
}

/// Whatever effects make of a missing key.
fn breakers() -> impl Strategy<Value = Breaker> {
    prop::collection::vec(effects(), 0..12).prop_map(|effects| {
        let mut breaker = Breaker::default();
        effects.into_iter().for_each(|effect| breaker.apply(effect));
        breaker
    })
}

fn saved(breaker: &Breaker) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    breaker.save(&mut |block| blocks.push(block.to_vec()));
    blocks
}

fn loaded(blocks: &[Vec<u8>]) -> Result<Breaker, Corrupt> {
    let mut breaker = Breaker::default();
    for block in blocks {
        breaker.load(Breaker::ENCODING, block)?;
    }
    breaker.loaded()?;
    Ok(breaker)
}

proptest! {
    #[test]
    fn an_effect_reads_back_as_it_was_written(effect in effects(), cut in any::<prop::sample::Index>()) {
        let head = effect.encode();
        prop_assert_eq!(Effect::decode(&head, None), Ok(effect));
        prop_assert_eq!(Effect::decode(&head, Some(b"")), Err(Corrupt));
        prop_assert_eq!(Effect::decode(&head[..cut.index(head.len())], None), Err(Corrupt));
        prop_assert_eq!(Effect::decode(&[&head[..], &[0]].concat(), None), Err(Corrupt));
    }

    #[test]
    fn a_breaker_loads_as_it_was_saved_after_any_effects(breaker in breakers(), now in TIME) {
        prop_assert_eq!(loaded(&saved(&breaker)), Ok(breaker.clone()));
        prop_assert_eq!(loaded(&saved(&breaker.duplicate())), Ok(breaker.duplicate()));
        let _ = (breaker.lifetime(), breaker.memory(), crate::domain::breaker::view(Some(&breaker), now));
    }

    #[test]
    fn a_rebase_leaves_nothing_ahead(mut breaker in breakers(), now in TIME) {
        if let Some(effect) = breaker.overdue(now) {
            breaker.apply(effect);
        }
        prop_assert_eq!(breaker.overdue(now), None);
        prop_assert_eq!(loaded(&saved(&breaker)), Ok(breaker.clone()));
    }

    #[test]
    fn changed_bytes_are_refused_or_give_a_breaker_that_saves_as_those_bytes(
        breaker in breakers(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let Some(mut block) = saved(&breaker).pop() else { return Ok(()) };
        let cut = at.index(block.len());
        prop_assert_eq!(loaded(&[block[..cut].to_vec()]), Err(Corrupt));
        block[cut] ^= flip;
        if let Ok(other) = loaded(std::slice::from_ref(&block)) {
            prop_assert_ne!(&other, &breaker);
            prop_assert_eq!(saved(&other), [block]);
        }
    }

    #[test]
    fn random_bytes_never_panic(kind in 0u8..12, bytes in prop::collection::vec(any::<u8>(), 0..60), now in any::<u64>()) {
        let bytes = [&[kind], &bytes[..]].concat();
        if let Ok(effect) = Effect::decode(&bytes, None) {
            Breaker::default().apply(effect);
        }
        if let Ok(breaker) = loaded(&[bytes]) {
            let _ = (breaker.lifetime(), crate::domain::breaker::view(Some(&breaker), now));
        }
    }
}

#[test]
fn every_field_reaches_the_saved_bytes() {
    let slice = Slice { index: 100, counts: Counts { ok: 5, failed: 6, slow: 1 } };
    let with = |slice: Slice| Window { slices: vec![slice] };
    let permit = Permit { token: 9, since: 3, lease: 4 };
    let half = |ok, slow, permit: Permit| Phase::HalfOpen { ok, slow, permits: vec![permit] };
    let forced = |what, since, span| Some(Forced { what, since, span });
    let base = Breaker {
        config: Config::default(),
        phase: half(2, 1, permit),
        forced: forced(Force::Closed, 5, Some(6)),
        level: 1,
        window: with(slice),
    };
    let counts = slice.counts;
    let mut all = vec![
        base.clone(),
        Breaker { phase: half(3, 1, permit), ..base.clone() },
        Breaker { phase: half(2, 2, permit), ..base.clone() },
        Breaker { phase: half(2, 1, Permit { token: 10, ..permit }), ..base.clone() },
        Breaker { phase: half(2, 1, Permit { since: 4, ..permit }), ..base.clone() },
        Breaker { phase: half(2, 1, Permit { lease: 5, ..permit }), ..base.clone() },
        Breaker { phase: Phase::Closed { generation: 1, since: 2 }, ..base.clone() },
        Breaker { phase: Phase::Closed { generation: 2, since: 2 }, ..base.clone() },
        Breaker { phase: Phase::Closed { generation: 1, since: 3 }, ..base.clone() },
        Breaker { phase: Phase::Open { since: 1, span: 2 }, ..base.clone() },
        Breaker { phase: Phase::Open { since: 2, span: 2 }, ..base.clone() },
        Breaker { phase: Phase::Open { since: 1, span: 3 }, ..base.clone() },
        Breaker { forced: None, ..base.clone() },
        Breaker { forced: forced(Force::Open, 5, Some(6)), ..base.clone() },
        Breaker { forced: forced(Force::Disabled, 5, Some(6)), ..base.clone() },
        Breaker { forced: forced(Force::Closed, 6, Some(6)), ..base.clone() },
        Breaker { forced: forced(Force::Closed, 5, Some(7)), ..base.clone() },
        Breaker { forced: forced(Force::Closed, 5, None), ..base.clone() },
        Breaker { level: 2, ..base.clone() },
        Breaker { window: Window::default(), ..base.clone() },
        Breaker { window: with(Slice { index: 101, ..slice }), ..base.clone() },
        Breaker { window: with(Slice { counts: Counts { ok: 6, ..counts }, ..slice }), ..base.clone() },
        Breaker { window: with(Slice { counts: Counts { failed: 7, ..counts }, ..slice }), ..base.clone() },
        Breaker { window: with(Slice { counts: Counts { slow: 2, ..counts }, ..slice }), ..base.clone() },
    ];
    for at in 0..Config::NAMES.len() {
        let mut config = Config::default();
        if let Some((number, (least, _))) = config.fields().into_iter().nth(at) {
            *number = if *number == least { least + 1 } else { *number - 1 };
        }
        all.push(Breaker { config, ..base.clone() });
    }
    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            assert_ne!(saved(one), saved(other), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn a_breaker_is_small_however_much_is_reported() {
    let mut breaker = Breaker::default();
    for index in 0..1_000 {
        breaker.apply(Effect::Count(Slice { index, counts: Counts { ok: 1, failed: 0, slow: 0 } }));
    }
    assert_eq!(breaker.window.slices.len() as u64, SLICES);
    for token in 1..1_000 {
        breaker.apply(Effect::Probe { token, since: 0, lease: 1, instead_of: None });
    }
    assert!(breaker.memory() < 8 * 1024, "{}", breaker.memory());
    assert!(saved(&Breaker::default()).is_empty());
}
