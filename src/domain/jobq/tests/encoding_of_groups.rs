//! The saved form of what groups have of their own.

use super::harness::*;
use crate::domain::codec::Writer;
use crate::domain::jobq::encoding::group_controls::{GROUPS, RECHECK};
use crate::domain::jobq::encoding::queue::RATE;
use crate::domain::jobq::state::group_controls::MAX_OWN_GROUPS;
use crate::domain::jobq::*;
use crate::domain::value::Value as _;
use std::sync::Arc;

pub(super) fn group_pause(until: Option<u64>, pushes: bool) -> Option<Pause> {
    Some(Pause { until, pushes })
}

/// A group takes so much of its rate.
pub(super) fn use_group_rate(queue: &mut Queue, jobs: u64) {
    queue.config.set(b"group_rate", b"2/1d").unwrap();
    let effect = queue.group_rate_effect(b"g", jobs, 20).expect("room");
    queue.change_group(&Arc::from(*b"g"), 21, |control| control.rate.apply(effect));
}

#[test]
fn a_group_that_no_history_leaves_is_corrupt() {
    type Control<'a> = (&'a [u8], Option<u64>, bool, Option<u64>, bool, Option<u64>);
    let block = |controls: &[Control<'_>]| {
        let mut writer = Writer::new();
        writer.byte(GROUPS);
        for (name, concurrency, pause, until, is_closed, opens_at) in controls {
            writer.bytes(name);
            writer.option(*concurrency, Writer::int);
            writer.bool(*pause);
            if *pause {
                writer.option(*until, Writer::int);
                writer.bool(false);
            }
            writer.int(0);
            writer.bool(*is_closed);
            writer.option(*opens_at, Writer::int);
            writer.option(None::<u64>, Writer::int);
        }
        writer.finish()
    };
    let load = |block: &[u8]| Queue::default().load(Queue::ENCODING, block).is_ok();
    assert!(load(&block(&[
        (b"a", Some(1), false, None, false, None),
        (b"b", None, true, Some(9), true, Some(9))
    ])));
    for (controls, why) in [
        (vec![(&b"a"[..], Some(0), false, None, false, None)], "no slot"),
        (vec![(b"a", Some(1_000_001), false, None, false, None)], "too many slots"),
        (vec![(b"", Some(1), false, None, false, None)], "no name"),
        (vec![(b"a", None, false, None, false, None)], "nothing of its own"),
        (vec![(b"a", None, true, None, false, None)], "paused, not closed"),
        (vec![(b"a", Some(1), false, None, false, Some(9))], "opens, not closed"),
        (vec![(b"a", None, true, Some(1 << 53), true, None)], "too far away"),
        (
            vec![(b"b", Some(1), false, None, false, None), (b"a", Some(1), false, None, false, None)],
            "unsorted",
        ),
        (vec![(b"a", Some(1), false, None, false, None); 2], "twice"),
    ] {
        assert!(!load(&block(&controls)), "{why}");
    }
    let names: Vec<_> = (0..=MAX_OWN_GROUPS as u32).map(u32::to_be_bytes).collect();
    let all: Vec<Control<'_>> =
        names.iter().map(|name| (&name[..], Some(1), false, None, false, None)).collect();
    assert!(load(&block(&all[..MAX_OWN_GROUPS])));
    assert!(!load(&block(&all)), "more than there may be");
    assert!(!load(&[&[RECHECK, 200, 1][..], &[0; 200]].concat()), "a long name");
}

#[test]
fn settings_of_an_encoding_without_group_rate_are_read() {
    let mut world = World::new();
    world.configure("lease", "7s");
    let blocks = saved(world.queue());
    let with_group_rate = {
        let mut writer = Writer::new();
        writer.bytes(b"off");
        writer.finish()
    };
    let old = blocks[0].strip_suffix(&with_group_rate[..]).expect("the settings end with it");
    let mut queue = Queue::default();
    queue.load(6, old).expect("a head of encoding 6");
    assert!(Queue::default().load(Queue::ENCODING, old).is_err());
    assert_eq!(queue.config, world.queue().config);
}

/// Nothing is saved of a rate that is not used: a block of it holds something.
#[test]
fn an_empty_block_of_a_rate_is_corrupt() {
    let mut writer = Writer::new();
    writer.byte(GROUPS);
    writer.bytes(b"a");
    writer.option(Some(1), Writer::int);
    writer.bool(false);
    writer.int(1);
    writer.bytes(b"");
    writer.bool(false);
    writer.option(None::<u64>, Writer::int);
    writer.option(None::<u64>, Writer::int);
    assert!(Queue::default().load(Queue::ENCODING, &writer.finish()).is_err());
    assert!(Queue::default().load(Queue::ENCODING, &[RATE]).is_err());
}
