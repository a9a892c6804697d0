use super::*;
use crate::domain::ratelimit::algorithm::fixed_period::FixedPeriod;
use crate::domain::ratelimit::algorithm::sliding_window::{MAX_SLOTS, RetainedPeriods, SlidingWindow};
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::tests::strategies::any_effects;
use crate::domain::testing::saved_form::{loaded, saved};
use crate::domain::time::MINUTE;
use crate::domain::value;
use crate::domain::value::{Lifetime, Value};
use proptest::prelude::*;

fn limit(text: &str) -> Limit<'_> {
    Limit::parse(text.as_bytes()).unwrap()
}

fn take(text: &str, cost: u64) -> Charge {
    let limit = limit(text);
    Charge { name: limit.name.and_then(LimitName::new), rule: limit.rule, span: None, cost }
}

fn taken(subject: &mut Subject, now: UnixMs, charges: &[(&str, u64)]) {
    let in_its_period = |mut take: Charge| {
        let fresh = || LimitUsage::unused(None, take.rule).span(&take.rule, now);
        take.span = subject.find(&take.limit(), |held| held.span(&take.rule, now)).unwrap_or_else(fresh);
        take
    };
    let charges = charges.iter().map(|&(text, cost)| in_its_period(take(text, cost))).collect();
    subject.apply(Effect::Taken { now, charges, hold: None });
}

fn bytes(subject: &Subject) -> Vec<u8> {
    saved(subject).concat()
}

fn used(subject: &Subject, text: &str, now: UnixMs) -> Option<u64> {
    let limit = limit(text);
    subject.find(&limit, |held| held.evaluate(&limit.rule, 1, now).used)
}

#[test]
fn one_unnamed_bucket_takes_32_bytes_in_all() {
    let mut subject = Subject::default();
    taken(&mut subject, 1_000, &[("10/1s:burst=20", 3)]);
    assert_eq!((size_of::<Subject>(), subject.memory()), (32, 32));
    assert_eq!(used(&subject, "10/1s:burst=20", 1_000), Some(3));
    assert_eq!(used(&subject, "10/1s:burst=21", 1_000), None);
    taken(&mut subject, 1_000, &[("10/1s:burst=20", 3), ("9/1s", 1)]);
    assert!(subject.memory() > 32);
    // When the window is unused, only the bucket is left.
    taken(&mut subject, 2_000, &[("10/1s:burst=20", 3)]);
    taken(&mut subject, 2_000, &[("11/1s:burst=20", 1), ("10/1s:burst=20", 3)]);
    taken(&mut subject, 9_000, &[("10/1s:burst=20", 3)]);
    assert_eq!((subject.memory(), subject.free_effort()), (32, 1));
    assert_eq!(used(&subject, "10/1s:burst=20", 9_000), Some(3));
}

#[test]
fn the_packed_bucket_holds_the_largest_values() {
    let mut subject = Subject::default();
    let text = "1000000000000/3650d:burst=1000000000000";
    taken(&mut subject, (1 << 63) + 5, &[(text, 999_999_999_999)]);
    assert_eq!(used(&subject, text, (1 << 63) + 5), Some(999_999_999_999));
    let slow = "1/3650d:burst=1000000000000";
    let mut subject = Subject::default();
    taken(&mut subject, 1 << 63, &[(slow, 1_000_000_000_000)]);
    assert_eq!(used(&subject, slow, 1 << 63), Some(1_000_000_000_000));
    assert_eq!(subject.lifetime(), Lifetime::Until(i64::MAX as u64));
}

#[test]
fn it_lives_until_its_last_limit_is_full() {
    let mut subject = Subject::default();
    assert_eq!(subject.lifetime(), Lifetime::Over);
    taken(&mut subject, 1_000, &[("10/1s", 1)]);
    assert_eq!(subject.lifetime(), Lifetime::Until(2_000));
    taken(&mut subject, 1_500, &[("10/1m:bucket", 2)]);
    assert_eq!(subject.lifetime(), Lifetime::Until(13_500));
    taken(&mut subject, 1_600, &[("a=10/1h", 1)]);
    taken(&mut subject, 1_700, &[("a=10/1m", 1)]);
    assert_eq!(subject.lifetime(), Lifetime::Until(1_700 + 60 * MINUTE));
}

#[test]
fn limits_are_kept_in_one_order_whatever_the_order_of_the_calls() {
    let (mut one, mut other) = (Subject::default(), Subject::default());
    let charges = [("b=1/1m", 1), ("9/1m", 1), ("a=1/1m:bucket", 1), ("10/1s:bucket", 1)];
    for call in charges {
        taken(&mut one, 1_000, &[call]);
    }
    taken(&mut other, 1_000, &[charges[2], charges[3], charges[0], charges[1]]);
    assert_eq!(bytes(&one), bytes(&other));
    let mut names = Vec::new();
    one.for_each_limit(|limit, _| names.push(limit.display_name()));
    assert_eq!(names, ["9/1m", "10/1s:bucket", "a", "b"]);
}

#[test]
fn a_changed_kind_carries_the_use_as_one_entry_at_now() {
    let mut subject = Subject::default();
    taken(&mut subject, 1_000, &[("a=10/1m", 2)]);
    taken(&mut subject, 2_000, &[("a=10/1m", 2)]);
    taken(&mut subject, 31_000, &[("a=10/10s:burst=8", 1)]);
    assert_eq!(used(&subject, "a=10/10s:burst=8", 31_000), Some(5));
    assert_eq!(used(&subject, "a=10/10s:burst=8", 32_000), Some(4));
    taken(&mut subject, 32_000, &[("a=10/1m", 1)]);
    assert_eq!(used(&subject, "a=10/1m", 91_999), Some(5));
    assert_eq!(used(&subject, "a=10/1m", 92_000), Some(0));
}

#[test]
fn a_changed_kind_carries_no_more_than_the_use_when_the_clock_has_stepped_back() {
    let mut subject = Subject::default();
    taken(&mut subject, 1_000, &[("a=3/50ms", 1)]);
    taken(&mut subject, 998, &[("a=7/90ms:burst=4", 1)]);
    assert_eq!(used(&subject, "a=7/90ms:burst=4", 998), Some(2));
}

#[test]
fn sixteen_limits_are_the_most_whatever_the_effects() {
    let mut subject = Subject::default();
    for n in 1..40 {
        taken(&mut subject, 1_000, &[(&format!("{n}/1m"), 1)]);
    }
    let mut count = 0;
    subject.for_each_limit(|_, _| count += 1);
    assert_eq!(count, crate::domain::ratelimit::MAX_LIMITS);
    assert_eq!(used(&subject, "16/1m", 1_000), Some(1));
    assert_eq!(used(&subject, "17/1m", 1_000), None);
}

#[test]
fn the_largest_subject_is_saved_in_blocks_of_about_64_kib() {
    let mut subject = Subject::default();
    for step in 0..MAX_SLOTS as u64 {
        for n in 1..=16 {
            taken(&mut subject, 1 << 60 | step << 28, &[(&format!("{n}/3650d"), 1 << 29)]);
        }
    }
    let blocks = saved(&subject);
    assert!(blocks.len() > 1);
    assert!(blocks.iter().all(|block| (1..80 * 1024).contains(&block.len())));
    assert_eq!(bytes(&loaded(&blocks).unwrap()), blocks.concat());
}

/// Every field of the state, flipped one at a time.
#[test]
fn every_flipped_field_changes_the_saved_bytes() {
    let window =
        |entries: &[(u64, u64)], retained| SlidingWindow::rebuild(entries.iter().copied(), retained).unwrap();
    let retained = Some(RetainedPeriods { before: 5, current: 6, until: 7 });
    let held = |name: Option<&[u8]>, text: &str, usage| LimitUsage {
        name: name.and_then(LimitName::new),
        rule: limit(text).rule,
        usage,
    };
    let bucket = TokenBucket { low: 9, high: 1, part: 2, at: 3 };
    let entries = &[(4, 1), (6, 2)];
    let of_window = |entries: &[(u64, u64)], retained| {
        held(Some(b"n"), "5/7ms", Usage::Window(window(entries, retained)))
    };
    let of_bucket = |bucket| held(Some(b"n"), "5/7ms:burst=8", Usage::Bucket(bucket));
    let period = FixedPeriod { span: Span { start: 1, end: 8 }, used: 3 };
    let of_period = |text, period| held(Some(b"n"), text, Usage::Period(period));
    let states = [
        vec![of_window(entries, retained)],
        vec![of_window(&[(3, 1), (6, 2)], retained)],
        vec![of_window(&[(4, 2), (6, 2)], retained)],
        vec![of_window(&[(4, 1), (7, 2)], retained)],
        vec![of_window(&[(4, 1), (6, 3)], retained)],
        vec![of_window(&[(4, 1)], retained)],
        vec![of_window(entries, None)],
        vec![of_window(entries, retained.map(|it| RetainedPeriods { before: 8, ..it }))],
        vec![of_window(entries, retained.map(|it| RetainedPeriods { current: 8, ..it }))],
        vec![of_window(entries, retained.map(|it| RetainedPeriods { until: 8, ..it }))],
        vec![held(Some(b"m"), "5/7ms", Usage::Window(window(entries, retained)))],
        vec![held(None, "5/7ms", Usage::Window(window(entries, None)))],
        vec![held(Some(b"n"), "6/7ms", Usage::Window(window(entries, retained)))],
        vec![held(Some(b"n"), "5/8ms", Usage::Window(window(entries, retained)))],
        vec![of_bucket(bucket)],
        vec![of_bucket(TokenBucket { low: 8, ..bucket })],
        vec![of_bucket(TokenBucket { high: 2, ..bucket })],
        vec![of_bucket(TokenBucket { part: 3, ..bucket })],
        vec![of_bucket(TokenBucket { at: 4, ..bucket })],
        vec![held(None, "5/7ms:burst=8", Usage::Bucket(bucket))],
        vec![held(None, "5/7ms:burst=9", Usage::Bucket(bucket))],
        vec![held(None, "6/7ms:burst=8", Usage::Bucket(bucket))],
        vec![held(None, "5/8ms:burst=8", Usage::Bucket(bucket))],
        vec![held(None, "5/7ms:burst=8", Usage::Bucket(TokenBucket { low: 8, ..bucket }))],
        vec![held(None, "5/7ms:burst=8", Usage::Bucket(TokenBucket { high: 2, ..bucket }))],
        vec![held(None, "5/7ms:burst=8", Usage::Bucket(TokenBucket { part: 3, ..bucket }))],
        vec![of_period("5/7ms:fixed", period)],
        vec![of_period("6/7ms:fixed", period)],
        vec![of_period("5/8ms:fixed", period)],
        vec![of_period("inf/8ms:fixed", period)],
        vec![of_period("5/7ms:fixed", FixedPeriod { used: 2, ..period })],
        vec![of_period("5/7ms:fixed", FixedPeriod { span: Span { start: 2, end: 8 }, ..period })],
        vec![of_period("5/7ms:fixed", FixedPeriod { span: Span { start: 1, end: 9 }, ..period })],
        vec![of_period("5/day@UTC", period)],
        vec![of_period("5/week@UTC", period)],
        vec![of_period("5/week@UTC:anchor=2", period)],
        vec![of_period("5/week@Asia/Tokyo", period)],
        vec![held(None, "5/week@Asia/Tokyo", Usage::Period(period))],
        vec![of_window(entries, retained), held(Some(b"o"), "5/7ms:bucket", Usage::Bucket(bucket))],
        vec![],
    ];
    let forms: Vec<Vec<u8>> = states
        .into_iter()
        .map(|list| {
            let mut subject = Subject::default();
            subject.set_parts(SubjectParts { list, restrictions: Restrictions::default() });
            let written = bytes(&subject);
            assert_eq!(bytes(&loaded(&saved(&subject)).unwrap()), written);
            written
        })
        .collect();
    for (at, one) in forms.iter().enumerate() {
        assert!(!forms[..at].contains(one), "state {at} is saved like an earlier one");
    }
}

#[test]
fn a_bucket_that_no_call_could_have_left_is_refused() {
    let saved_with = |bucket| {
        let (mut subject, rule) = (Subject::default(), limit("5/7ms:burst=8").rule);
        let name = LimitName::new(b"n");
        let list = vec![LimitUsage { name, rule, usage: Usage::Bucket(bucket) }];
        subject.set_parts(SubjectParts { list, restrictions: Restrictions::default() });
        saved(&subject)
    };
    let sound = TokenBucket { low: 9, high: 0, part: 4, at: 9 };
    assert!(loaded::<Subject>(&saved_with(sound)).is_ok());
    assert!(loaded::<Subject>(&saved_with(TokenBucket { part: 5, ..sound })).is_err());
    assert!(loaded::<Subject>(&saved_with(TokenBucket { at: 10, ..sound })).is_err());
    assert!(loaded::<Subject>(&saved_with(TokenBucket { at: 10, high: 1, ..sound })).is_ok());
}

#[test]
fn a_later_encoding_and_limits_out_of_order_are_refused() {
    let mut subject = Subject::default();
    taken(&mut subject, 1_000, &[("a=1/1m", 1)]);
    let (first, mut other) = (bytes(&subject), Subject::default());
    taken(&mut other, 1_000, &[("b=1/1m", 1)]);
    let second = bytes(&other);
    assert!(Subject::default().load(Subject::ENCODING + 1, &first).is_err());
    assert!(loaded::<Subject>(&[first.clone(), second.clone()]).is_ok());
    assert!(loaded::<Subject>(&[second, first.clone()]).is_err());
    assert!(loaded::<Subject>(&[first.clone(), first.clone()]).is_err());
    assert!(loaded::<Subject>(&[first[..first.len() - 1].to_vec()]).is_err());
}

proptest! {
    #[test]
    fn an_effect_reads_back_and_applies_alike(history in prop::collection::vec(any_effects(), 1..20)) {
        let (mut one, mut other) = (Subject::default(), Subject::default());
        for effect in history {
            let coded = value::Effect::encode(&effect);
            let decoded = <Effect as value::Effect>::decode(&coded, None);
            prop_assert_eq!(decoded.as_ref(), Ok(&effect));
            one.apply(effect);
            other.apply(decoded.unwrap());
            prop_assert_eq!(bytes(&one), bytes(&other));
            // A server that reloaded in between continues like the one that did not.
            other = loaded(&saved(&other)).unwrap();
            prop_assert_eq!(bytes(&one), bytes(&other));
            prop_assert_eq!(one.lifetime(), other.lifetime());
        }
    }

    #[test]
    fn no_bytes_panic_and_what_loads_is_sound(
        history in prop::collection::vec(any_effects(), 1..6),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        after in any_effects(),
    ) {
        let mut subject = Subject::default();
        let mut coded = Vec::new();
        for effect in history {
            coded = value::Effect::encode(&effect);
            subject.apply(effect);
        }
        for bytes in [&mut coded, &mut bytes(&subject)] {
            for (at, byte) in noise.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if noise.len() % 2 == 1 && !bytes.is_empty() {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(effect) = <Effect as value::Effect>::decode(bytes, None) {
                let again = <Effect as value::Effect>::decode(&value::Effect::encode(&effect), None);
                prop_assert_eq!(again.as_ref(), Ok(&effect));
                subject.apply(effect);
            }
            let mut hostile = Subject::default();
            if hostile.load(Subject::ENCODING, bytes).is_ok() && hostile.loaded().is_ok() {
                prop_assert_eq!(&saved(&hostile).concat(), &*bytes);
            }
            prop_assert!(hostile.memory() <= 16 * (9 * 1024) + 8 * 1024);
            hostile.apply(after.clone());
            let _ = hostile.lifetime();
            hostile.for_each_limit(|limit, held| {
                let _ = held.evaluate(&limit.rule, 1, 5);
                let _ = held.reset_after_taking(&limit.rule, 1, u64::MAX);
            });
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = <Effect as value::Effect>::decode(&bytes, None);
        let _ = loaded::<Subject>(&[bytes]);
    }
}
