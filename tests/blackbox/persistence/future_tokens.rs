//! A crafted RESTORE cannot spend the tokens that all families share.

use crate::support::{Dump, cmd, list, server, status};

/// A queue's payload with its clock in the year 2108, at the same length.
fn from_2108(payload: &[u8]) -> Vec<u8> {
    let mut dump = Dump::of(payload);
    let start = dump.own_bytes().start;
    // A string, its length, the head block's tag, then the clock in groups of seven bits, lowest first.
    assert_eq!((dump.body[start], dump.body[start + 2]), (5, 1), "the layout of a queue's dump");
    let highest = start + 3 + 5;
    assert!(dump.body[highest] < 0x7f && dump.body[highest - 1] >= 0x80, "six groups");
    dump.body[highest] = 0x7f;
    dump.sealed()
}

#[test]
fn a_queue_from_the_far_future_is_refused_and_tokens_go_on() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let payload = from_2108(s.ok("DUMP q").bytes());
    assert!(s.call(cmd!["RESTORE", "evil", 0, payload]).is_error());
    s.ok("EXISTS evil").is(0);
    s.ok("JOBQ.POP evil").is(list![]);
    let token = s.ok("IDEMP.CLAIM k").at(2).int();
    assert!(token < 1 << 52);
    s.ok(format!("IDEMP.COMPLETE k {token} r")).is(status("OK"));
}
