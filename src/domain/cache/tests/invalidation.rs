use super::*;
use crate::domain::long_token;
use crate::domain::token::EPOCH_MS;
use crate::domain::value::Effect as _;
use proptest::prelude::*;

/// All that was ever invalidated, one by one.
#[derive(Default)]
struct History(Vec<(Vec<u8>, Invalidation, UnixMs)>);

impl History {
    fn newest(&self, concerns: impl Fn(&[u8]) -> bool, now: UnixMs) -> Option<Invalidation> {
        // All that was there at an invalidation has ended by its `until`: so has what an older one
        // concerns.
        let mut end = FOREVER;
        self.0.iter().rev().find_map(|(name, invalidation, until)| {
            end = end.min(*until);
            (concerns(name) && end >= now).then_some(*invalidation)
        })
    }
}

fn invalidation(step: usize) -> Invalidation {
    Invalidation { token: step as u64 + 1, at: EPOCH_MS + step as u64 }
}

fn names() -> impl Strategy<Value = Vec<(Vec<u8>, u64)>> {
    let name = prop::collection::vec(prop::sample::select(&b"ab\x00\xff"[..]), 0..5);
    prop::collection::vec((name, prop_oneof![0..30u64, Just(1 << 50)]), 1..60)
}

proptest! {
    #[test]
    fn nothing_invalidated_is_forgotten_before_its_time(adds in names(), most in 1..40usize) {
        let (mut tags, mut prefixes, mut history) = (InvalidationLog::default(), InvalidationLog::default(), History::default());
        for (step, (name, lasts)) in adds.iter().enumerate() {
            let invalidation = invalidation(step);
            let until = invalidation.at + lasts;
            tags.add(name, invalidation, until, most);
            prefixes.add_prefix(name, invalidation, until, most);
            history.0.push((name.clone(), invalidation, until));
            prop_assert!(tags.len() <= most && prefixes.len() <= most);
            for (key, _) in &adds {
                let key = [&key[..], b"a"].concat();
                prop_assert!(tags.newest_of(&key) >= history.newest(|name| name == key, invalidation.at));
                prop_assert!(prefixes.newest_covering(&key) >= history.newest(|name| key.starts_with(name), invalidation.at));
            }
        }
    }

    #[test]
    fn as_long_as_there_is_room_only_what_was_invalidated_is(adds in names()) {
        let (mut tags, mut prefixes, mut history) = (InvalidationLog::default(), InvalidationLog::default(), History::default());
        for (step, (name, _)) in adds.iter().enumerate() {
            tags.add(name, invalidation(step), FOREVER, 100);
            prefixes.add_prefix(name, invalidation(step), FOREVER, 100);
            history.0.push((name.clone(), invalidation(step), FOREVER));
        }
        for (key, _) in &adds {
            for key in [&key[..], &[&key[..], b"ab"].concat(), b"never"] {
                prop_assert_eq!(tags.newest_of(key), history.newest(|name| name == key, 0));
                prop_assert_eq!(prefixes.newest_covering(key), history.newest(|name| key.starts_with(name), 0));
            }
        }
    }

    #[test]
    fn the_table_and_its_effects_read_back(adds in names(), prefix in any::<bool>()) {
        let mut table = Invalidations::default();
        let mut tokens = TokenClock::new();
        let scope = if prefix { Scope::Prefix } else { Scope::Tag };
        for (step, (name, end)) in adds.iter().enumerate() {
            let name = [&b"x"[..], name].concat();
            let latest_expiry = LatestExpiry { tagged: EPOCH_MS + end, any: if step % 2 == 0 { FOREVER } else { EPOCH_MS } };
            let effect = decide_invalidate(scope, step % 3 == 0, &[&name, b"y"], latest_expiry, invalidation(step).at, &tokens);
            let effect = effect.unwrap().effect.unwrap();
            tokens.saw(effect.highest_token());
            prop_assert_eq!(InvalidationEffect::decode(&effect.encode(), None), Ok(effect.clone()));
            table.apply(effect);
        }
        let saved = table.save();
        prop_assert_eq!(Invalidations::load(Invalidations::ENCODING, &saved).map(|loaded| loaded.save()), Ok(saved.clone()));
        for end in 0..saved.len() {
            prop_assert!(Invalidations::load(Invalidations::ENCODING, &saved[..end]).is_err());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        (1..=Invalidations::ENCODING).for_each(|encoding| drop(Invalidations::load(encoding, &bytes)));
        let _ = InvalidationEffect::decode(&bytes, None);
    }
}

#[test]
fn the_oldest_of_too_many_makes_all_before_it_count() {
    let mut log = InvalidationLog::default();
    for step in 0..5 {
        log.add(&[step as u8], invalidation(step), FOREVER, 3);
    }
    assert_eq!(log.len(), 3);
    assert_eq!(log.newest_of(b"never invalidated"), Some(invalidation(1)));
    assert_eq!(log.newest_of(&[4]), Some(invalidation(4)));
}

#[test]
fn a_mark_whose_time_has_passed_goes_without_a_trace() {
    let mut log = InvalidationLog::default();
    log.add(b"a", invalidation(0), invalidation(3).at, 100);
    log.add(b"b", invalidation(3), invalidation(3).at, 100);
    assert_eq!((log.len(), log.newest_of(b"a")), (2, Some(invalidation(0))));
    log.add(b"c", invalidation(4), invalidation(9).at, 100);
    assert_eq!((log.len(), log.newest_of(b"a"), log.newest_of(b"b")), (1, None, None));
}

#[test]
fn a_shorter_prefix_takes_the_place_of_those_it_covers() {
    let mut log = InvalidationLog::default();
    for (step, name) in [&b"user:1:"[..], b"user:2:", b"usher", b"user:"].into_iter().enumerate() {
        log.add_prefix(name, invalidation(step), FOREVER, 100);
    }
    assert_eq!(log.len(), 2);
    assert_eq!(log.newest_covering(b"user:1:x"), Some(invalidation(3)));
    assert_eq!(log.newest_covering(b"use"), None);
    log.add_prefix(b"", invalidation(9), FOREVER, 100);
    assert_eq!((log.len(), log.newest_covering(b"other")), (1, Some(invalidation(9))));
}

#[test]
fn names_have_their_bounds() {
    let tokens = TokenClock::new();
    let refused = |scope, name: &[u8]| {
        decide_invalidate(scope, false, &[b"good", name], LatestExpiry::default(), EPOCH_MS, &tokens).is_err()
    };
    assert!(refused(Scope::Tag, b"") && !refused(Scope::Prefix, b""));
    assert!(refused(Scope::Tag, &[0; 129]) && !refused(Scope::Tag, &[0; 128]));
    assert!(refused(Scope::Prefix, &[0; 1_025]) && !refused(Scope::Prefix, &[0; 1_024]));
}

#[test]
fn a_mark_outlives_all_that_it_concerns() {
    let tokens = TokenClock::new();
    let until = |scope, tagged, any| {
        let latest_expiry = LatestExpiry { tagged, any };
        decide_invalidate(scope, false, &[b"x"], latest_expiry, EPOCH_MS, &tokens)
            .unwrap()
            .effect
            .unwrap()
            .until
    };
    assert_eq!(until(Scope::Tag, EPOCH_MS + 5, FOREVER), Some(EPOCH_MS + 5 + HOUR));
    assert_eq!(until(Scope::Prefix, EPOCH_MS + 5, FOREVER), None);
    assert_eq!(until(Scope::Tag, 0, 0), Some(EPOCH_MS + HOUR));
}

/// Applies an invalidation of one name, with `token` as its token.
fn invalidate(table: &mut Invalidations, scope: Scope, hard: bool, name: &[u8], token: u64) {
    let invalidation = Invalidation { token, at: EPOCH_MS };
    table.apply(InvalidationEffect { scope, hard, names: vec![Box::from(name)], invalidation, until: None });
}

#[test]
fn a_later_soft_invalidation_revives_nothing() {
    let mut table = Invalidations::default();
    let newest = |table: &Invalidations, key: &[u8]| {
        let newest = table.newest_for(key, [&b"t"[..]].into_iter());
        (newest.soft.map(|one| one.token), newest.hard.map(|one| one.token))
    };
    invalidate(&mut table, Scope::Tag, true, b"t", 10);
    invalidate(&mut table, Scope::Tag, false, b"t", 20);
    assert_eq!(newest(&table, b"k"), (Some(20), Some(10)));
    invalidate(&mut table, Scope::Tag, true, b"t", 30);
    assert_eq!(newest(&table, b"k"), (None, Some(30)), "the soft one says less, and is dropped");
    invalidate(&mut table, Scope::Prefix, true, b"user:1:", 40);
    invalidate(&mut table, Scope::Prefix, false, b"user:", 50);
    assert_eq!(newest(&table, b"user:1:x"), (Some(50), Some(40)));
    assert_eq!(newest(&table, b"user:2:x"), (Some(50), Some(30)));
    invalidate(&mut table, Scope::Prefix, true, b"us", 60);
    assert_eq!(newest(&table, b"user:1:x"), (None, Some(60)));
    assert_eq!(table.counts(), (1, 1));
}

#[test]
fn a_table_that_was_saved_before_hard_invalidations_loads() {
    let mut table = Invalidations::default();
    invalidate(&mut table, Scope::Tag, false, b"t", 64 * 9 + 1);
    let mut old = Writer::new();
    table.tags.soft.write(&mut old);
    table.prefixes.soft.write(&mut old);
    // Rounded up, as its token was a long one.
    let mut expected = Invalidations::default();
    invalidate(&mut expected, Scope::Tag, false, b"t", 10);
    assert_eq!(Invalidations::load(1, &old.finish()).map(|loaded| loaded.save()), Ok(expected.save()));
}

#[test]
fn an_invalidation_of_before_0_1_0_still_concerns_all_that_was_granted_before() {
    let invalidation = Invalidation { token: 64 * 9 + 1, at: EPOCH_MS };
    let names = vec![Box::from(*b"t"), Box::from(*b"u")];
    let effect = InvalidationEffect { scope: Scope::Tag, hard: false, names, invalidation, until: None };
    let mut head = effect.encode();
    head[0] &= !64;
    let read = InvalidationEffect::decode(&head, None).unwrap();
    assert_eq!(read.invalidation.token, 10);
    assert!(long_token::shorten(invalidation.token - 1) < read.invalidation.token);
}

#[test]
fn each_name_of_a_call_is_an_event_of_its_own() {
    let tokens = TokenClock::new();
    let names: [&[u8]; 2] = [b"a", b"b"];
    let decided = decide_invalidate(Scope::Tag, true, &names, LatestExpiry::NONE, EPOCH_MS + 1, &tokens);
    let effect = decided.unwrap().effect.unwrap();
    let (first, highest) = (effect.invalidation.token, effect.highest_token());
    assert_eq!(highest, first + 1);
    let mut table = Invalidations::default();
    table.apply(effect);
    let rows = table.events().after(first - 1, 10, EPOCH_MS, || 0);
    let rows: Vec<_> = rows.iter().map(|row| (row.seq, &row.name[..], row.scope, row.hard)).collect();
    assert_eq!(rows, [(first, &b"a"[..], Scope::Tag, true), (highest, &b"b"[..], Scope::Tag, true)]);
}
