//! The binary forms: nothing is lost, nothing is left out, nothing panics.

use crate::domain::breaker::Effect;
use crate::domain::breaker::state::breaker::{ActiveForce, Breaker, BreakerPhase, ForcedState, ProbePermit};
use crate::domain::breaker::state::call_window::{CallCounts, CallWindow, SLICES_PER_WINDOW, WindowSlice};
use crate::domain::breaker::state::config::BreakerConfig;
use crate::domain::breaker::state::instances::{Instance, Instances, MAX_INSTANCES};
use crate::domain::codec::Corrupt;
use crate::domain::testing::saved_form::{self, loaded, saved};
use crate::domain::time::LONGEST;
use crate::domain::token;
use crate::domain::value::{Effect as _, Value};
use proptest::prelude::*;

const TIME: std::ops::Range<u64> = 0..1 << 53;

fn slices() -> impl Strategy<Value = WindowSlice> {
    (0..1u64 << 40, 0..1u64 << 40, 1..1u64 << 40, 0..=1u64)
        .prop_map(|(index, ok, failed, slow)| WindowSlice { index, counts: CallCounts { ok, failed, slow } })
}

fn instances() -> impl Strategy<Value = Instance> {
    let index = || 0..1u64 << 40;
    ("[a-c]{0,2}", index(), prop::option::of(index()), any::<bool>()).prop_map(
        |(name, first, second, swap)| {
            let (failed_in, slow_in) = if swap { (second, Some(first)) } else { (Some(first), second) };
            Instance { name: name.into_bytes().into(), failed_in, slow_in }
        },
    )
}

fn configs() -> impl Strategy<Value = BreakerConfig> {
    (prop::collection::vec(any::<u64>(), 10), any::<bool>()).prop_map(|(numbers, plain)| {
        let mut config = BreakerConfig::default();
        if !plain {
            for ((number, (least, most)), random) in config.fields().into_iter().zip(numbers) {
                *number = least + random % (most - least + 1);
            }
        }
        config
    })
}

fn forces() -> impl Strategy<Value = ForcedState> {
    prop_oneof![Just(ForcedState::Open), Just(ForcedState::Closed), Just(ForcedState::Disabled)]
}

fn effects() -> impl Strategy<Value = Effect> {
    let token = 1..token::BOUND;
    let span = 0..=LONGEST;
    prop_oneof![
        (slices(), prop::option::of(instances()))
            .prop_map(|(slice, instance)| Effect::Count { slice, instance }),
        (prop::option::of((slices(), prop::option::of(instances()))), TIME, span.clone(), 0..=64u32)
            .prop_map(|(counted, since, span, level)| {
                let (counted, instance) = counted.unzip();
                Effect::Open { counted, instance: instance.flatten(), since, span, level }
            }),
        (token.clone(), TIME, span.clone(), prop::option::of(token.clone()))
            .prop_map(|(token, since, lease, instead_of)| Effect::Probe { token, since, lease, instead_of }),
        (token.clone(), TIME, TIME).prop_map(|(token, ok, slow)| Effect::ProbeSucceeded { token, ok, slow }),
        (token.clone(), TIME).prop_map(|(generation, since)| Effect::Close { generation, since }),
        (token.clone(), TIME).prop_map(|(generation, since)| Effect::Reset { generation, since }),
        (forces(), token, TIME, prop::option::of(span))
            .prop_map(|(what, generation, since, span)| Effect::Force { what, generation, since, span }),
        Just(Effect::EndForce),
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

proptest! {
    #[test]
    fn an_effect_of_before_0_1_0_has_long_tokens(effect in effects()) {
        saved_form::effect_with_long_tokens_is_read(&effect);
    }

    #[test]
    fn an_effect_reads_back_as_it_was_written(effect in effects(), at in any::<prop::sample::Index>()) {
        saved_form::effect_reads_back(&effect, at);
        prop_assert_eq!(Effect::decode(&effect.encode(), Some(b"")), Err(Corrupt));
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
        // What effects made of a missing key may hold nothing, and then saves nothing.
        if !saved(&breaker).is_empty() {
            saved_form::refuses_cut_and_lengthened(&breaker, at);
            saved_form::tells_changed_bytes(&breaker, at, flip);
        }
    }

    #[test]
    fn random_bytes_never_panic(kind in prop_oneof![0u8..14, 64u8..78], bytes in prop::collection::vec(any::<u8>(), 0..60), now in any::<u64>()) {
        let bytes = [&[kind], &bytes[..]].concat();
        if let Ok(effect) = Effect::decode(&bytes, None) {
            Breaker::default().apply(effect);
        }
        if let Ok(breaker) = loaded::<Breaker>(&[bytes]) {
            let _ = (breaker.lifetime(), crate::domain::breaker::view(Some(&breaker), now));
        }
    }
}

#[test]
fn every_field_reaches_the_saved_bytes() {
    let slice = WindowSlice { index: 100, counts: CallCounts { ok: 5, failed: 6, slow: 1 } };
    let with = |slice: WindowSlice| CallWindow { slices: vec![slice] };
    let permit = ProbePermit { token: 9, since: 3, lease: 4 };
    let half = |ok, slow, permit: ProbePermit| BreakerPhase::HalfOpen { ok, slow, permits: vec![permit] };
    let forced = |what, since, span| Some(ActiveForce { what, since, span });
    let instance = Instance { name: Box::from(*b"i"), failed_in: Some(100), slow_in: Some(99) };
    let of = |instance: Instance| Instances(vec![instance]);
    let base = Breaker {
        config: BreakerConfig::default(),
        phase: half(2, 1, permit),
        forced: forced(ForcedState::Closed, 5, Some(6)),
        level: 1,
        window: with(slice),
        instances: Instances(vec![instance.clone()]),
    };
    let counts = slice.counts;
    let mut all = vec![
        base.clone(),
        Breaker { phase: half(3, 1, permit), ..base.clone() },
        Breaker { phase: half(2, 2, permit), ..base.clone() },
        Breaker { phase: half(2, 1, ProbePermit { token: 10, ..permit }), ..base.clone() },
        Breaker { phase: half(2, 1, ProbePermit { since: 4, ..permit }), ..base.clone() },
        Breaker { phase: half(2, 1, ProbePermit { lease: 5, ..permit }), ..base.clone() },
        Breaker { phase: BreakerPhase::Closed { generation: 1, since: 2 }, ..base.clone() },
        Breaker { phase: BreakerPhase::Closed { generation: 2, since: 2 }, ..base.clone() },
        Breaker { phase: BreakerPhase::Closed { generation: 1, since: 3 }, ..base.clone() },
        Breaker { phase: BreakerPhase::Open { since: 1, span: 2 }, ..base.clone() },
        Breaker { phase: BreakerPhase::Open { since: 2, span: 2 }, ..base.clone() },
        Breaker { phase: BreakerPhase::Open { since: 1, span: 3 }, ..base.clone() },
        Breaker { forced: None, ..base.clone() },
        Breaker { forced: forced(ForcedState::Open, 5, Some(6)), ..base.clone() },
        Breaker { forced: forced(ForcedState::Disabled, 5, Some(6)), ..base.clone() },
        Breaker { forced: forced(ForcedState::Closed, 6, Some(6)), ..base.clone() },
        Breaker { forced: forced(ForcedState::Closed, 5, Some(7)), ..base.clone() },
        Breaker { forced: forced(ForcedState::Closed, 5, None), ..base.clone() },
        Breaker { level: 2, ..base.clone() },
        Breaker { instances: Instances::default(), ..base.clone() },
        Breaker { instances: of(Instance { name: Box::from(*b"j"), ..instance.clone() }), ..base.clone() },
        Breaker { instances: of(Instance { failed_in: None, ..instance.clone() }), ..base.clone() },
        Breaker { instances: of(Instance { slow_in: Some(98), ..instance.clone() }), ..base.clone() },
        Breaker { window: CallWindow::default(), ..base.clone() },
        Breaker { window: with(WindowSlice { index: 101, ..slice }), ..base.clone() },
        Breaker {
            window: with(WindowSlice { counts: CallCounts { ok: 6, ..counts }, ..slice }),
            ..base.clone()
        },
        Breaker {
            window: with(WindowSlice { counts: CallCounts { failed: 7, ..counts }, ..slice }),
            ..base.clone()
        },
        Breaker {
            window: with(WindowSlice { counts: CallCounts { slow: 2, ..counts }, ..slice }),
            ..base.clone()
        },
    ];
    for at in 0..BreakerConfig::NAMES.len() {
        let mut config = BreakerConfig::default();
        if let Some((number, (least, _))) = config.fields().into_iter().nth(at) {
            *number = if *number == least { least + 1 } else { *number - 1 };
        }
        all.push(Breaker { config, ..base.clone() });
    }
    saved_form::all_differ(&all);
}

#[test]
fn a_breaker_is_small_however_much_is_reported() {
    let mut breaker = Breaker::default();
    for index in 0..1_000 {
        breaker.apply(Effect::Count {
            slice: WindowSlice { index, counts: CallCounts { ok: 1, failed: 0, slow: 0 } },
            instance: None,
        });
    }
    assert_eq!(breaker.window.slices.len() as u64, SLICES_PER_WINDOW);
    for token in 1..1_000 {
        breaker.apply(Effect::Probe { token, since: 0, lease: 1, instead_of: None });
    }
    assert!(breaker.memory() < 8 * 1024, "{}", breaker.memory());
    assert!(saved(&Breaker::default()).is_empty());
}

#[test]
fn of_too_many_instances_the_one_that_was_silent_longest_goes() {
    let mut instances = Instances::default();
    for index in 0..200u64 {
        let name = Box::from(index.to_be_bytes());
        instances.note(Instance { name, failed_in: Some(1_000 + index / 100), slow_in: None });
    }
    assert_eq!(instances.0.len(), MAX_INSTANCES);
    assert_eq!(instances.counts(1_001, 1), (MAX_INSTANCES as u64, 0));
    let first = instances.0.first().map(|instance| instance.name.clone());
    assert_eq!(first.as_deref(), Some(&72u64.to_be_bytes()[..]));
    instances.note(Instance { name: Box::default(), failed_in: None, slow_in: Some(1_021) });
    assert_eq!(
        (instances.0.len(), instances.counts(1_021, 1)),
        (1, (0, 1)),
        "the window has left the others"
    );
}

#[test]
fn a_breaker_that_was_saved_before_quorums_loads() {
    let config = BreakerConfig { fail_pct: 20, ..BreakerConfig::default() };
    let breaker = Breaker { config, ..Breaker::default() };
    let mut block = saved(&breaker).remove(0);
    assert_eq!(block.pop(), Some(0), "no instances");
    // The quorum is the last of the configuration's fields, in front of the phase.
    let mut unset =
        saved(&Breaker { config: BreakerConfig { quorum: 2, ..config }, ..breaker.clone() }).remove(0);
    unset.pop();
    let quorum = block.iter().zip(&unset).position(|(one, other)| one != other).unwrap();
    block.remove(quorum);
    let mut loaded = Breaker::default();
    assert_eq!(loaded.load(1, &block), Ok(()));
    assert_eq!(loaded, breaker);
}
