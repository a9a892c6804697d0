//! GETSET and SET under any interleaving of readers, fillers that crash, deletions and clock steps, against a model
//! that knows only what a client was told.

use proptest::prelude::*;

use super::*;
use crate::domain::decision::Decision;
use crate::domain::time::UnixMs;
use crate::domain::token::{EPOCH_MS, TokenClock};
use crate::domain::value::{Effect as _, Lifetime, Value};

const START: UnixMs = EPOCH_MS + 1_000_000;

/// What happens next; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Get { lease: u64 },
    SetWithToken { which: usize, value: u8, ttl: Option<u64>, grace: u64 },
    SetPlain { value: u8, ttl: Option<u64>, grace: u64 },
    Release { which: usize, delay: u64 },
    Delete,
    Forward(u64),
    Back(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ttl = || prop::option::of(1u64..500);
    let step = prop_oneof![
        6 => (1u64..300).prop_map(|lease| Step::Get { lease }),
        3 => (0usize..8, any::<u8>(), ttl(), 0u64..300)
            .prop_map(|(which, value, ttl, grace)| Step::SetWithToken { which, value, ttl, grace }),
        1 => (any::<u8>(), ttl(), 0u64..300).prop_map(|(value, ttl, grace)| Step::SetPlain { value, ttl, grace }),
        1 => (0usize..8, 0u64..200).prop_map(|(which, delay)| Step::Release { which, delay }),
        1 => Just(Step::Delete),
        4 => (1u64..400).prop_map(Step::Forward),
        1 => (1u64..400).prop_map(Step::Back),
    ];
    prop::collection::vec(step, 1..80)
}

/// A primary's key, and beside it a replica's that only ever decodes effects.
#[derive(Default)]
struct Key {
    entry: Option<Entry>,
    replica: Option<Entry>,
    tokens: TokenClock,
    granted: Vec<u64>,
}

impl Key {
    fn make_happen<R>(&mut self, decision: Decision<R, Effect>) -> R {
        if let Some(effect) = decision.effect {
            self.tokens.saw(effect.highest_token());
            let (head, payload) = (effect.encode(), effect.payload().map(<[u8]>::to_vec));
            let decoded = Effect::decode(&head, payload.as_deref()).expect("our own encoding");
            assert_eq!(decoded, effect);
            apply(&mut self.entry, effect);
            apply(&mut self.replica, decoded);
        }
        assert_eq!(saved(&self.entry), saved(&self.replica));
        decision.reply
    }
}

fn apply(place: &mut Option<Entry>, effect: Effect) {
    let mut entry = place.take().unwrap_or_default();
    entry.apply(effect);
    *place = (entry.lifetime() != Lifetime::Over).then_some(entry);
}

fn saved(place: &Option<Entry>) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    if let Some(entry) = place {
        entry.save(&mut |block| blocks.push(block.to_vec()));
    }
    blocks
}

fn reloaded(entry: &Entry) -> Entry {
    let mut copy = Entry::default();
    entry.save(&mut |block| copy.load(Entry::ENCODING, block).expect("our own blocks"));
    copy.loaded().expect("a sound entry");
    copy
}

proptest! {
    #[test]
    fn one_client_fills_and_a_superseded_token_changes_nothing(steps in steps()) {
        let mut key = Key::default();
        let mut now = START;
        for step in steps {
            // The server drops a key whose time has come.
            if let Some(Lifetime::Until(at)) = key.entry.as_ref().map(Value::lifetime)
                && at <= now
            {
                (key.entry, key.replica) = (None, None);
            }
            let before = key.entry.clone();
            match step {
                Step::Get { lease } => {
                    let live = before.as_ref().is_some_and(|entry| entry.leased(now).is_some());
                    let decision = decide_getset(before.as_ref(), &GetSet { lease }, now, &key.tokens);
                    let changes = decision.effect.is_some();
                    match key.make_happen(decision) {
                        Answer::Hit { value, left } => {
                            prop_assert!(!changes);
                            prop_assert_eq!(get(before.as_ref(), now), Some(&*value));
                            prop_assert!(left.is_none_or(|left| left > 0));
                        }
                        Answer::Fill { token, lease: given } | Answer::Refresh { token, lease: given, .. } => {
                            prop_assert!(!live, "a second token while a lease lives");
                            prop_assert!(key.granted.last().is_none_or(|last| *last < token));
                            prop_assert_eq!(given, lease);
                            prop_assert_eq!(get(before.as_ref(), now), None);
                            key.granted.push(token);
                        }
                        Answer::Busy { retry } | Answer::Stale { retry, .. } => {
                            prop_assert!(live && !changes && retry > 0);
                        }
                    }
                }
                Step::SetWithToken { which, value, ttl, grace } => {
                    let Some(&token) = key.granted.iter().rev().nth(which) else { continue };
                    let holds = before.as_ref().is_some_and(|e| e.lease.as_ref().is_some_and(|l| l.token == token));
                    let set = Set { value: &[value], token: Some(token), ttl, grace };
                    let decision = decide_set(before.as_ref(), &set, now);
                    prop_assert_eq!(decision.effect.is_some(), holds);
                    if key.make_happen(decision) && holds {
                        prop_assert_eq!(get(key.entry.as_ref(), now), Some(&[value][..]));
                        // The same again, after a lost connection, is answered alike and changes nothing.
                        prop_assert_eq!(decide_set(key.entry.as_ref(), &set, now), Decision::answer(true));
                    }
                }
                Step::SetPlain { value, ttl, grace } => {
                    let set = Set { value: &[value], token: None, ttl, grace };
                    prop_assert!(key.make_happen(decide_set(before.as_ref(), &set, now)));
                    prop_assert_eq!(get(key.entry.as_ref(), now), Some(&[value][..]));
                    for token in &key.granted {
                        let late = Set { value: b"late", token: Some(*token), ttl: None, grace: 0 };
                        prop_assert_eq!(decide_set(key.entry.as_ref(), &late, now), Decision::answer(false));
                    }
                }
                Step::Release { which, delay } => {
                    let Some(&token) = key.granted.iter().rev().nth(which) else { continue };
                    let holds = before.as_ref().is_some_and(|e| e.lease.as_ref().is_some_and(|l| l.token == token));
                    let decision = decide_release(before.as_ref(), token, delay, now);
                    prop_assert_eq!(key.make_happen(decision), holds);
                }
                Step::Delete => (key.entry, key.replica) = (None, None),
                Step::Forward(ms) => now += ms,
                Step::Back(ms) => now -= ms,
            }
            if let Some(entry) = &key.entry {
                prop_assert_eq!(entry, &reloaded(entry));
            }
        }
    }

    #[test]
    fn hostile_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut entry = Entry::default();
        if entry.load(Entry::ENCODING, &bytes).is_ok() && entry.loaded().is_ok() {
            prop_assert_eq!(saved(&Some(entry)), vec![bytes.clone()]);
        }
        if let Ok(effect) = Effect::decode(&bytes, None) {
            prop_assert_eq!(effect.encode(), bytes);
        }
    }
}

/// Readers of a cold key get one FILL among them, and each filler that lets its lease lapse one more.
#[test]
fn k_crashed_fillers_make_k_plus_one_fills() {
    let mut key = Key::default();
    let mut fills = 0;
    for reader in 0..1000u64 {
        let now = START + reader;
        let decision = decide_getset(key.entry.as_ref(), &GetSet { lease: 250 }, now, &key.tokens);
        if let Answer::Fill { .. } = key.make_happen(decision) {
            fills += 1;
        }
    }
    assert_eq!(fills, 4, "granted at 0, 250, 500 and 750 ms: three crashed, one works");
}

#[test]
fn after_its_ttl_a_value_is_stale_for_its_grace_and_one_reader_reloads_it() {
    let mut key = Key::default();
    let set = Set { value: b"v", token: None, ttl: Some(100), grace: 50 };
    key.make_happen(decide_set(None, &set, START));
    let get = |key: &mut Key, now| {
        let decision = decide_getset(key.entry.as_ref(), &GetSet { lease: 20 }, now, &key.tokens);
        key.make_happen(decision)
    };
    assert_eq!(get(&mut key, START + 99), Answer::Hit { value: (*b"v").into(), left: Some(1) });
    let Answer::Refresh { token, .. } = get(&mut key, START + 100) else { panic!("nobody reloads") };
    assert_eq!(get(&mut key, START + 101), Answer::Stale { value: (*b"v").into(), retry: 19 });
    let again = get(&mut key, START + 120);
    assert!(matches!(again, Answer::Refresh { token: newer, .. } if newer > token), "{again:?}");
    assert!(matches!(get(&mut key, START + 150), Answer::Fill { .. }), "its grace is over");
}

#[test]
fn every_field_of_an_entry_is_part_of_what_is_saved() {
    let entry = Entry {
        filled: Some(super::entry::Filled { value: (*b"v").into(), fresh_until: 5, stale_until: 9, by: 3 }),
        lease: Some(super::entry::Lease { token: 4, until: 6, kept_until: 8 }),
    };
    let flips: [fn(&mut Entry); 9] = [
        |e| e.filled = None,
        |e| e.lease = None,
        |e| e.filled.as_mut().unwrap().value[0] ^= 1,
        |e| e.filled.as_mut().unwrap().fresh_until ^= 1,
        |e| e.filled.as_mut().unwrap().stale_until ^= 1,
        |e| e.filled.as_mut().unwrap().by ^= 1,
        |e| e.lease.as_mut().unwrap().token ^= 1,
        |e| e.lease.as_mut().unwrap().until ^= 1,
        |e| e.lease.as_mut().unwrap().kept_until ^= 1,
    ];
    for (number, flip) in flips.iter().enumerate() {
        let mut other = entry.clone();
        flip(&mut other);
        assert_ne!(saved(&Some(entry.clone())), saved(&Some(other)), "flip {number}");
    }
}

#[test]
fn a_copy_has_the_value_and_not_the_lease() {
    let mut key = Key::default();
    key.make_happen(decide_getset(None, &GetSet { lease: 20 }, START, &TokenClock::new()));
    let copy = key.entry.as_ref().unwrap().duplicate();
    assert_eq!(copy.lifetime(), Lifetime::Over, "a record that is only a lease copies as nothing");
}
