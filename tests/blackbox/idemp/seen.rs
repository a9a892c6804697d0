//! IDEMP.SEEN: exact deduplication within a window.

use crate::support::{Untouched, cmd, eventually, list, server, status, within};

#[test]
fn an_id_is_new_once() {
    let s = server!();
    s.ok("IDEMP.SEEN k 1h a b").is(list![0, 0]);
    s.ok("IDEMP.SEEN k 1h b c b c a").is(list![1, 0, 1, 1, 1]);
    s.ok("TYPE k").is(status("workgateS"));
    s.ok("PTTL k").is(within(3_590_000..=3_600_000 + 225_000));
}

#[test]
fn a_call_sent_again_answers_1_and_changes_nothing() {
    let s = server!();
    s.ok(cmd!["IDEMP.SEEN", "k", "1h", b"\0\xff\r\n", "b"]).is(list![0, 0]);
    let untouched = Untouched::on(&s);
    untouched.during("k", || s.ok(cmd!["IDEMP.SEEN", "k", "1h", b"\0\xff\r\n", "b"]).is(list![1, 1]));
}

#[test]
fn marks_count_from_the_first_one() {
    let s = server!();
    s.ok("IDEMP.SEEN k 300ms a").is(list![0]);
    s.ok("IDEMP.SEEN k 1h a").is(list![1]);
    eventually("the first mark is over", || s.ok("IDEMP.SEEN k 1h a").at(0).int() == 0);
    s.ok("IDEMP.SEEN k 300ms a").is(list![1]);
}

#[test]
fn the_key_goes_with_its_last_mark() {
    let s = server!();
    s.ok("IDEMP.SEEN k 50ms a b c");
    eventually("the key is gone", || s.ok("EXISTS k").int() == 0);
}

#[test]
fn the_marks_of_a_copy_and_of_a_reload_are_the_same() {
    let s = server!();
    s.ok("IDEMP.SEEN k 1h a");
    s.ok("COPY k l");
    s.ok("IDEMP.SEEN l 1h a b").is(list![1, 0]);
    s.ok("IDEMP.SEEN k 1h b").is(list![0]);
    s.ok("DEBUG RELOAD");
    s.ok("IDEMP.SEEN k 1h a b c").is(list![1, 1, 0]);
}

#[test]
fn a_replica_that_takes_over_knows_the_marks() {
    let s = server!();
    s.ok("IDEMP.SEEN k 1h a");
    let r = s.replica(&[]);
    s.ok("IDEMP.SEEN k 1h b");
    s.in_step_with(&r);
    r.ok("REPLICAOF NO ONE");
    r.ok("IDEMP.SEEN k 1h a b c").is(list![1, 1, 0]);
}

#[test]
fn malformed_calls_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("IDEMP.SEEN k 1h a");
    let untouched = Untouched::on(&s);
    for window in ["3600", "0s", "-1s", "3651d", "1w", "a"] {
        untouched.refuses("k", format!("IDEMP.SEEN k {window} b"), "ERR");
    }
    untouched.refuses("k", cmd!["IDEMP.SEEN", "k", "1h", "b", ""], "ERR");
    let many = (0..1_001).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let text = untouched.refuses("k", format!("IDEMP.SEEN k 1h {many}"), "ERR");
    assert!(text.contains("at most 1000"), "{text}");
    s.refuses("IDEMP.CLAIM k", "WRONGTYPE");
}
