//! The saved form of a large queue: several blocks, and no more memory than there are bytes.

use super::harness::*;
use crate::domain::codec::{Corrupt, Writer};
use crate::domain::jobq::*;
use crate::domain::token::TokenClock;
use crate::domain::value::{Effect as _, Value};

#[test]
fn a_count_beyond_the_bytes_allocates_nothing() {
    let mut writer = Writer::new();
    writer.byte(3);
    writer.int(0);
    writer.int(u64::MAX >> 1);
    assert_eq!(Effect::decode(&writer.finish(), None), Err(Corrupt));
}

#[test]
fn a_large_queue_is_saved_in_several_blocks_in_the_order_of_pushing() {
    let mut queue = Queue::default();
    for serial in 0..300 {
        let push = Push { payload: &[7; 1_000], ..plain(b"") };
        queue.apply(
            decide_push(Some(&queue), &push, START, &TokenClock::new()).unwrap().effect.expect("a push"),
        );
        assert_eq!(queue.next_serial, serial + 1);
    }
    let blocks = saved(&queue);
    assert!((7..10).contains(&blocks.len()), "{}", blocks.len());
    assert_eq!(saved(&loaded(&blocks).unwrap()), blocks);
    let mut swapped = blocks;
    // Behind the head, the minutes and the events.
    swapped.swap(3, 4);
    assert!(loaded(&swapped).is_err());
}
