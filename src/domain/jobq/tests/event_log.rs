//! The event log: what it keeps, saves and refuses.

use super::*;

fn numbers(events: &EventLog, after: u64) -> Vec<u64> {
    events.after(after).map(|entry| entry.seq).collect()
}

fn saved(events: &EventLog) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    events.save(8, &mut |block| blocks.push(block[1..].to_vec()));
    blocks
}

fn loaded(blocks: &[Vec<u8>], most: u32, clock: UnixMs) -> Result<EventLog, Corrupt> {
    let mut events = EventLog::default();
    for block in blocks {
        events.load(&mut Reader::new(block), most, clock, 4)?;
    }
    Ok(events)
}

fn all_kinds() -> Vec<(EventSubject<'static>, EventWithDetail<'static>)> {
    let subject = [
        EventSubject::Queue,
        EventSubject::Serial(0, 0),
        EventSubject::Serial(1 << 50, 0),
        EventSubject::Id(b"a"),
        EventSubject::Id(&[b'x'; 256]),
    ];
    let detail =
        [Detail::None, Detail::Time(0), Detail::Time(1 << 50), Detail::Text(b""), Detail::Text(&[7; 256])];
    let all = Event::ALL.into_iter().flat_map(|event| subject.map(|subject| (event, subject)));
    let all = all.filter(|(event, subject)| event.is_of_queue() == (*subject == EventSubject::Queue));
    let all = all.flat_map(|(event, subject)| detail.map(|detail| (subject, (event, detail))));
    all.filter(|(_, (event, detail))| event.may_have(*detail)).collect()
}

#[test]
fn the_last_events_are_kept_and_no_more() {
    for most in [1, 5, 63, 64, 65, 1_000] {
        let mut events = EventLog::default();
        for seq in 1..=2_500u64 {
            events.add(most, 7 * seq, EventSubject::Serial(seq, 7 * seq), Event::Pushed.plain());
            let first = (seq + 1).saturating_sub(most.into()).max(1);
            if seq % 97 < 3 {
                assert_eq!(numbers(&events, 0), (first..=seq).collect::<Vec<_>>());
                assert_eq!(numbers(&events, seq - 1), [seq]);
                assert_eq!(numbers(&events, first), (first + 1..=seq).collect::<Vec<_>>());
                assert!(numbers(&events, seq).is_empty());
                assert_eq!(numbers(&events, seq + 1).len(), most.min(seq as u32) as usize);
            }
        }
        assert!(events.after(0).all(|entry| entry.at == 7 * entry.seq
            && entry.subject == EventSubject::Serial(entry.seq, 7 * entry.seq)));
        assert!(events.segments.len() as u64 <= u64::from(most) / EVENTS_PER_SEGMENT + 3);
        assert_eq!(events.bytes, events.segments.iter().map(|segment| segment.entries.len()).sum::<usize>());
    }
}

#[test]
fn an_event_takes_few_bytes() {
    let mut events = EventLog::default();
    (0..10_000).for_each(|i| {
        events.add(
            10_000,
            1_767_225_600_000 + i / 4,
            EventSubject::Serial(1_000_000 + i, 1_767_225_600_000 + i / 4),
            Event::Pushed.plain(),
        )
    });
    assert!(events.memory() < 8 * 10_000, "{}", events.memory());
}

#[test]
fn every_kind_reads_back_and_is_saved_and_loaded() {
    for most in [1, 70, 1_000] {
        let mut events = EventLog::default();
        for (i, (subject, what)) in all_kinds().into_iter().enumerate() {
            events.add(most, i as u64 * 9, subject, what);
            let last = events.after(events.last() - 1).next().expect("the last");
            assert_eq!((last.subject, last.what, last.at), (subject, what, i as u64 * 9));
        }
        let again = loaded(&saved(&events), most, events.last_at).expect("what was saved");
        assert!(again.after(0).eq(events.after(0)));
        assert_eq!(saved(&again), saved(&events));
        assert!(loaded(&saved(&events), most, events.last_at - 1).is_err(), "from the future");
        assert!(loaded(&saved(&events), events.kept, events.last_at).is_ok());
        let fewer = events.kept - 1;
        assert!(loaded(&saved(&events), fewer, events.last_at).is_err(), "more than are kept");
    }
}

#[test]
fn a_long_log_is_saved_in_several_blocks() {
    let mut events = EventLog::default();
    (0..2_000).for_each(|i| {
        events.add(10_000, i, EventSubject::Serial(i, i), Event::Failed.with_text(Some(&[1; 256])))
    });
    let blocks = saved(&events);
    assert_eq!(blocks.len(), 8);
    assert_eq!(saved(&loaded(&blocks, 10_000, 2_000).unwrap()), blocks);
    for wrong in [&[1, 0][..], &[0, 2, 1], &[0, 0]] {
        let blocks: Vec<_> = wrong.iter().map(|at| blocks[*at].clone()).collect();
        assert!(loaded(&blocks, 10_000, 2_000).is_err(), "{wrong:?}");
    }
}

#[test]
fn fewer_are_kept_when_that_is_asked_for_and_what_is_gone_stays_so() {
    let mut events = EventLog::default();
    (1..=200).for_each(|i| events.add(1_000, i, EventSubject::Serial(i, i), Event::Done.plain()));
    events.keep(3);
    assert_eq!(numbers(&events, 0), [198, 199, 200]);
    events.keep(1_000);
    assert_eq!(numbers(&events, 0), [198, 199, 200]);
    events.add(1_000, 201, EventSubject::Queue, Event::Configured.plain());
    assert_eq!(numbers(&events, 0), [198, 199, 200, 201]);
    events.keep(0);
    events.add(0, 202, EventSubject::Serial(1, 1), Event::Done.plain());
    assert_eq!((numbers(&events, 0), events.last(), events.memory()), (vec![], 202, 0));
    let again = loaded(&saved(&events), 0, 202).unwrap();
    assert_eq!((again.last(), saved(&again)), (202, saved(&events)));
    events.keep(1_000);
    events.add(1_000, 203, EventSubject::Queue, Event::Configured.plain());
    assert_eq!(numbers(&events, 0), [203]);
    assert!(saved(&EventLog::default()).is_empty());
}

#[test]
fn what_no_log_has_written_is_refused() {
    let mut good = EventLog::default();
    good.add(9, 5, EventSubject::Id(b"a"), Event::Delayed.at_time(9));
    good.add(9, 6, EventSubject::Serial(1, 1), Event::Failed.with_text(Some(b"no")));
    let [block] = saved(&good).try_into().unwrap();
    for at in 0..block.len() {
        assert!(loaded(&[block[..at].to_vec()], 9, 6).is_err() || at == 8, "cut at {at}");
        for flip in 1..=u8::MAX {
            let mut other = block.clone();
            other[at] ^= flip;
            if let Ok(events) = loaded(std::slice::from_ref(&other), 9, 6) {
                assert_eq!(saved(&events), [other]);
            }
        }
    }
    let of = |subject, what| {
        let mut writer = Writer::new();
        writer.int(1);
        writer.int(0);
        write(&mut writer, 0, 0, subject, what);
        loaded(&[writer.finish()], 9, 9)
    };
    assert!(of(EventSubject::Id(b"#1"), Event::Done.plain()).is_err());
    assert!(of(EventSubject::Id(b""), Event::Done.plain()).is_err());
    assert!(of(EventSubject::Queue, Event::Done.plain()).is_err());
    assert!(of(EventSubject::Serial(1, 1), Event::Paused.plain()).is_err());
    assert!(of(EventSubject::Serial(1 << 53, 0), Event::Done.plain()).is_err());
    assert!(of(EventSubject::Serial(1, 1), Event::Delayed.plain()).is_err());
    assert!(of(EventSubject::Serial(1, 1), Event::Done.with_text(Some(b"x"))).is_err());
    assert!(of(EventSubject::Serial(1, 1), Event::Done.plain()).is_ok());
}

#[test]
fn a_long_text_is_cut_between_characters() {
    assert_eq!(cut(&[b'x'; 256], 256).len(), 256);
    assert_eq!(cut(&[b'x'; 300], 256).len(), 256);
    assert_eq!(cut("\u{20ac}".repeat(100).as_bytes(), 256).len(), 255);
    assert_eq!(cut(&[0x80; 300], 256).len(), 253);
}
