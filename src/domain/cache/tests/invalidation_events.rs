use super::*;
use proptest::prelude::*;

fn event(seq: u64, name: &[u8]) -> InvalidationEvent {
    InvalidationEvent { seq, at: 1, scope: Scope::Tag, name: Box::from(name), hard: false }
}

fn seqs(events: &[InvalidationEvent]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

/// Whether the first event says that everything was invalidated.
fn has_gap(events: &[InvalidationEvent]) -> bool {
    events.first().is_some_and(|event| event.scope == Scope::Prefix && event.name.is_empty() && event.hard)
}

#[test]
fn a_follower_gets_each_event_once() {
    let mut log = InvalidationEvents::default();
    let first = log.after(0, 10, 1, || 100);
    assert_eq!((seqs(&first), has_gap(&first)), (vec![99], true), "a new follower drops all that it has");
    assert_eq!(log.after(99, 10, 1, || 7_000), [], "the start of the log does not move");
    for seq in [100, 105, 106] {
        log.record(event(seq, b"a"));
    }
    assert_eq!(seqs(&log.after(99, 2, 1, || 0)), [100, 105]);
    assert_eq!(seqs(&log.after(105, 2, 1, || 0)), [106]);
    assert_eq!(log.after(106, 2, 1, || 0), []);
}

#[test]
fn a_follower_of_an_earlier_run_or_another_server_is_told_to_drop_everything() {
    let mut log = InvalidationEvents::default();
    log.record(event(50, b"a"));
    for since in [0, 48, 51, 1 << 40] {
        let events = log.after(since, 10, 1, || 0);
        assert_eq!((seqs(&events), has_gap(&events)), (vec![49, 50], true), "since {since}");
    }
    assert_eq!(seqs(&log.after(49, 10, 1, || 0)), [50]);
}

#[test]
fn an_event_with_a_lower_number_begins_another_log() {
    let mut log = InvalidationEvents::default();
    log.after(0, 1, 1, || 1_000);
    log.record(event(500, b"a"));
    assert_eq!(seqs(&log.after(999, 10, 1, || 0)), [499, 500], "nobody misses it");
}

#[test]
fn after_a_load_every_follower_is_told_to_drop_everything() {
    let mut log = InvalidationEvents::default();
    log.record(event(50, b"a"));
    log.record(event(60, b"a"));
    log.forget(100);
    for since in [49, 50, 60] {
        assert_eq!(seqs(&log.after(since, 10, 1, || 0)), [99], "since {since}");
    }
    assert_eq!(log.after(99, 10, 1, || 0), []);
    log.record(event(101, b"a"));
    assert_eq!(seqs(&log.after(99, 10, 1, || 0)), [101]);
}

#[test]
fn the_oldest_events_and_the_longest_names_are_dropped() {
    let mut log = InvalidationEvents::default();
    for seq in 1..=MAX_EVENTS as u64 + 5 {
        log.record(event(seq, b"a"));
    }
    assert_eq!(log.kept.len(), MAX_EVENTS);
    assert!(has_gap(&log.after(4, 1, 1, || 0)) && !has_gap(&log.after(5, 1, 1, || 0)));
    for seq in 0..2_000 {
        log.record(event(20_000 + seq, &[0; 1_024]));
    }
    assert_eq!((log.kept.len(), log.name_bytes), (1_024, 1_024 * 1_024));
}

proptest! {
    /// A follower that takes pages of any length, and any number of events between two of them.
    #[test]
    fn a_follower_misses_nothing(steps in prop::collection::vec((0..30u64, 1..20usize), 1..60)) {
        let mut log = InvalidationEvents::default();
        let (mut seq, mut since, mut seen) = (1_000, 0, Vec::new());
        for (added, count) in steps {
            for _ in 0..added {
                seq += 1;
                log.record(event(seq, b"a"));
            }
            let page = log.after(since, count, 1, || 1_000);
            prop_assert!(page.len() <= count);
            since = page.last().map_or(since, |event| event.seq);
            seen.extend(page.into_iter().filter(|event| event.scope == Scope::Tag).map(|event| event.seq));
        }
        seen.extend(seqs(&log.after(since, usize::MAX, 1, || 0)).into_iter().filter(|seq| *seq > 1_000));
        prop_assert_eq!(seen, (1_001..=seq).collect::<Vec<u64>>());
    }
}
