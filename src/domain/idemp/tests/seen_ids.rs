//! Marks under any history, against a list of ids and the times of their marks.

use crate::domain::codec::Corrupt;
use crate::domain::decision::Decision;
use crate::domain::idemp::seen_ids::{Secret, SeenEffect, SeenIds, decide_seen};
use crate::domain::testing::saved_form::{loaded, saved};
use crate::domain::time::{LONGEST, UnixMs};
use crate::domain::value::{Effect as _, Lifetime, Value};
use proptest::prelude::*;
use std::collections::HashMap;

const SECRET: Secret = [7; 16];

fn ask(seen: &mut SeenIds, window: u64, ids: &[&[u8]], now: UnixMs) -> Vec<bool> {
    let state = Some(&*seen).filter(|seen| seen.lifetime() != Lifetime::Over);
    let Decision { reply, effect } = decide_seen(state, window, ids.iter().copied(), || SECRET, now);
    if let Some(mark) = effect {
        assert_eq!(SeenEffect::decode(&mark.encode(), None), Ok(mark.clone()));
        seen.apply(mark);
    }
    reply
}

#[test]
fn an_id_is_new_once() {
    let mut seen = SeenIds::default();
    assert_eq!(ask(&mut seen, 100, &[b"a", b"b", b"a", b""], 1_000), [false, false, true, false]);
    let before = seen.clone();
    assert_eq!(ask(&mut seen, 100, &[b"a", b"b", b"a", b""], 1_000), [true; 4]);
    assert_eq!(seen, before, "a re-send changes nothing");
    assert_eq!(ask(&mut seen, 100, &[b"c", b"a"], 1_099), [false, true]);
    assert_eq!(ask(&mut seen, 100, &[b"a", b"c"], 1_106), [false, true], "the first mark counts");
}

#[test]
fn what_is_over_takes_no_memory() {
    let mut seen = SeenIds::default();
    for now in 0..2_000u64 {
        ask(&mut seen, 160, &[&now.to_be_bytes()], now);
    }
    assert!(seen.memory() < 170 * 40 + 40 * 100, "{}", seen.memory());
    assert!(seen.free_effort() <= 34, "{}", seen.free_effort());
}

#[test]
fn an_id_takes_at_most_40_bytes() {
    let mut seen = SeenIds::default();
    for n in 0..30_000u64 {
        ask(&mut seen, 1 << 30, &[&n.to_be_bytes()], 1);
        assert!(n < 1_000 || seen.memory() as u64 <= 40 * (n + 1), "{n}: {}", seen.memory());
    }
    assert!(saved(&seen).len() > 5);
    assert_eq!(loaded::<SeenIds>(&saved(&seen)), Ok(seen));
}

#[test]
fn the_number_of_buckets_is_bounded_whatever_the_windows() {
    let mut seen = SeenIds::default();
    let mut window = 1;
    for n in 0..20_000u64 {
        ask(&mut seen, window, &[&n.to_be_bytes()], 1 << 40);
        window = if window >= LONGEST / 2 { 1 + n } else { window + 1 + window / 50 };
    }
    assert!(seen.free_effort() < 1_500, "{}", seen.free_effort());
}

#[test]
fn another_secret_gives_other_hashes() {
    let marks = |secret| decide_seen(None, 10, [&b"a"[..]].into_iter(), || secret, 1).effect.unwrap().hashes;
    assert_ne!(marks([1; 16]), marks([2; 16]));
    // SipHash-2-4-128 of the empty input under the key 00 01 … 0f, as the reference code prints it.
    let reference: Secret = std::array::from_fn(|i| i as u8);
    let mark = decide_seen(None, 10, [&b""[..]].into_iter(), || reference, 1).effect.unwrap();
    let bytes =
        [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93];
    assert_eq!(mark.hashes, [u128::from_le_bytes(bytes)]);
}

proptest! {
    #[test]
    fn an_id_is_met_for_its_window_and_at_most_a_sixteenth_longer(
        calls in prop::collection::vec((0..60u64, 1..200u64, prop::collection::vec(0..6u8, 1..5)), 1..60),
    ) {
        let mut seen = SeenIds::default();
        let mut replica = SeenIds::default();
        // The time of the mark and the window it was made with.
        let mut marks: HashMap<u8, (UnixMs, u64)> = HashMap::new();
        let mut now = 1_000_000;
        for (passed, window, ids) in calls {
            now += passed;
            let bytes: Vec<&[u8]> = ids.iter().map(std::slice::from_ref).collect();
            let decision = decide_seen(
                Some(&seen).filter(|seen| seen.lifetime() != Lifetime::Over),
                window, bytes.iter().copied(), || SECRET, now,
            );
            if let Some(mark) = decision.effect {
                replica.apply(SeenEffect::decode(&mark.encode(), None).unwrap());
                seen.apply(mark);
            }
            for (id, met) in ids.iter().zip(decision.reply) {
                if let Some((at, window)) = marks.get(id) {
                    let age = now - at;
                    prop_assert!(met || age >= *window, "forgotten early");
                    prop_assert!(!met || age <= window + window / 16, "kept too long");
                } else {
                    prop_assert!(!met, "never marked");
                }
                if !met {
                    marks.insert(*id, (now, window));
                }
            }
            prop_assert_eq!(&replica, &seen);
            prop_assert_eq!(saved(&loaded::<SeenIds>(&saved(&seen)).unwrap()), saved(&seen));
        }
    }

    #[test]
    fn cut_and_random_bytes_are_refused(
        ids in prop::collection::vec(any::<[u8; 4]>(), 1..20),
        cut in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut seen = SeenIds::default();
        let ids: Vec<&[u8]> = ids.iter().map(|id| &id[..]).collect();
        ask(&mut seen, 100, &ids, 50);
        let block = &saved(&seen)[0];
        prop_assert_eq!(loaded::<SeenIds>(&[block[..cut.index(block.len())].to_vec()]), Err(Corrupt));
        prop_assert_eq!(loaded::<SeenIds>(&[block.clone(), block.clone()]), Err(Corrupt));
        let _ = loaded::<SeenIds>(std::slice::from_ref(&bytes));
        if let Ok(mark) = SeenEffect::decode(&bytes, None) {
            seen.apply(mark.clone());
            let mut missing = SeenIds::default();
            missing.apply(mark.clone());
            prop_assert_eq!(missing.lifetime() == Lifetime::Over, mark.secret.is_none());
        }
    }
}
