use super::*;
use crate::domain::token::EPOCH_MS;
use crate::domain::value::Effect as _;
use proptest::prelude::*;

/// All that was ever invalidated, one by one.
#[derive(Default)]
struct Naive(Vec<(Vec<u8>, Mark, UnixMs)>);

impl Naive {
    fn newest(&self, concerns: impl Fn(&[u8]) -> bool, now: UnixMs) -> Option<Mark> {
        // All that was there at an invalidation has ended by its `until`: so has what an older one concerns.
        let mut end = FOREVER;
        self.0.iter().rev().find_map(|(name, mark, until)| {
            end = end.min(*until);
            (concerns(name) && end >= now).then_some(*mark)
        })
    }
}

fn mark(step: usize) -> Mark {
    Mark { token: step as u64 + 1, at: EPOCH_MS + step as u64 }
}

fn names() -> impl Strategy<Value = Vec<(Vec<u8>, u64)>> {
    let name = prop::collection::vec(prop::sample::select(&b"ab\x00\xff"[..]), 0..5);
    prop::collection::vec((name, prop_oneof![0..30u64, Just(1 << 50)]), 1..60)
}

proptest! {
    #[test]
    fn nothing_invalidated_is_forgotten_before_its_time(adds in names(), most in 1..40usize) {
        let (mut tags, mut prefixes, mut naive) = (Marks::default(), Marks::default(), Naive::default());
        for (step, (name, lasts)) in adds.iter().enumerate() {
            let mark = mark(step);
            let until = mark.at + lasts;
            tags.add(name, mark, until, most);
            prefixes.add_prefix(name, mark, until, most);
            naive.0.push((name.clone(), mark, until));
            prop_assert!(tags.len() <= most && prefixes.len() <= most);
            for (key, _) in &adds {
                let key = [&key[..], b"a"].concat();
                prop_assert!(tags.of(&key) >= naive.newest(|name| name == key, mark.at));
                prop_assert!(prefixes.of_prefix(&key) >= naive.newest(|name| key.starts_with(name), mark.at));
            }
        }
    }

    #[test]
    fn as_long_as_there_is_room_only_what_was_invalidated_is(adds in names()) {
        let (mut tags, mut prefixes, mut naive) = (Marks::default(), Marks::default(), Naive::default());
        for (step, (name, _)) in adds.iter().enumerate() {
            tags.add(name, mark(step), FOREVER, 100);
            prefixes.add_prefix(name, mark(step), FOREVER, 100);
            naive.0.push((name.clone(), mark(step), FOREVER));
        }
        for (key, _) in &adds {
            for key in [&key[..], &[&key[..], b"ab"].concat(), b"never"] {
                prop_assert_eq!(tags.of(key), naive.newest(|name| name == key, 0));
                prop_assert_eq!(prefixes.of_prefix(key), naive.newest(|name| key.starts_with(name), 0));
            }
        }
    }

    #[test]
    fn the_table_and_its_effects_read_back(adds in names(), prefix in any::<bool>()) {
        let mut table = Invalidations::default();
        let mut tokens = TokenClock::new();
        let reach = if prefix { Reach::Prefix } else { Reach::Tag };
        for (step, (name, end)) in adds.iter().enumerate() {
            let name = [&b"x"[..], name].concat();
            let horizon = Horizon { tagged: EPOCH_MS + end, any: if step % 2 == 0 { FOREVER } else { EPOCH_MS } };
            let effect = decide_invalidate(reach, &[&name, b"y"], horizon, mark(step).at, &tokens);
            let effect = effect.unwrap().effect.unwrap();
            tokens.saw(effect.highest_token());
            prop_assert_eq!(Invalidated::decode(&effect.encode(), None), Ok(effect.clone()));
            table.apply(effect);
        }
        let saved = table.save();
        prop_assert_eq!(Invalidations::load(1, &saved), Ok(table));
        for end in 0..saved.len() {
            prop_assert!(Invalidations::load(1, &saved[..end]).is_err());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Invalidations::load(1, &bytes);
        let _ = Invalidated::decode(&bytes, None);
    }
}

#[test]
fn the_oldest_of_too_many_makes_all_before_it_count() {
    let mut marks = Marks::default();
    for step in 0..5 {
        marks.add(&[step as u8], mark(step), FOREVER, 3);
    }
    assert_eq!(marks.len(), 3);
    assert_eq!(marks.of(b"never invalidated"), Some(mark(1)));
    assert_eq!(marks.of(&[4]), Some(mark(4)));
}

#[test]
fn a_mark_whose_time_has_passed_goes_without_a_trace() {
    let mut marks = Marks::default();
    marks.add(b"a", mark(0), mark(3).at, 100);
    marks.add(b"b", mark(3), mark(3).at, 100);
    assert_eq!((marks.len(), marks.of(b"a")), (2, Some(mark(0))));
    marks.add(b"c", mark(4), mark(9).at, 100);
    assert_eq!((marks.len(), marks.of(b"a"), marks.of(b"b")), (1, None, None));
}

#[test]
fn a_shorter_prefix_takes_the_place_of_those_it_covers() {
    let mut marks = Marks::default();
    for (step, name) in [&b"user:1:"[..], b"user:2:", b"usher", b"user:"].into_iter().enumerate() {
        marks.add_prefix(name, mark(step), FOREVER, 100);
    }
    assert_eq!(marks.len(), 2);
    assert_eq!(marks.of_prefix(b"user:1:x"), Some(mark(3)));
    assert_eq!(marks.of_prefix(b"use"), None);
    marks.add_prefix(b"", mark(9), FOREVER, 100);
    assert_eq!((marks.len(), marks.of_prefix(b"other")), (1, Some(mark(9))));
}

#[test]
fn names_have_their_bounds() {
    let tokens = TokenClock::new();
    let refused = |reach, name: &[u8]| {
        decide_invalidate(reach, &[b"good", name], Horizon::default(), EPOCH_MS, &tokens).is_err()
    };
    assert!(refused(Reach::Tag, b"") && !refused(Reach::Prefix, b""));
    assert!(refused(Reach::Tag, &[0; 129]) && !refused(Reach::Tag, &[0; 128]));
    assert!(refused(Reach::Prefix, &[0; 1_025]) && !refused(Reach::Prefix, &[0; 1_024]));
}

#[test]
fn a_mark_outlives_all_that_it_concerns() {
    let tokens = TokenClock::new();
    let until = |reach, tagged, any| {
        let horizon = Horizon { tagged, any };
        decide_invalidate(reach, &[b"x"], horizon, EPOCH_MS, &tokens).unwrap().effect.unwrap().until
    };
    assert_eq!(until(Reach::Tag, EPOCH_MS + 5, FOREVER), Some(EPOCH_MS + 5 + HOUR));
    assert_eq!(until(Reach::Prefix, EPOCH_MS + 5, FOREVER), None);
    assert_eq!(until(Reach::Tag, 0, 0), Some(EPOCH_MS + HOUR));
}
