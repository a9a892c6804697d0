//! JOBQ: what is refused, and that a refusal or a read changes nothing.

use crate::support::{Untouched, any, cmd, list, server};

#[test]
fn malformed_pushes_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let untouched = Untouched::on(&s);
    for options in [
        "ID",
        "ID #1",
        "ID #",
        "ID x ID x",
        "DELAY",
        "DELAY 5",
        "DELAY -1s",
        "DELAY 3651d",
        "DELAY 1w",
        "DELAY 1s DELAY 1s",
        "DELAY 99999999999999999999d",
        "PRIORITY",
        "PRIORITY x",
        "PRIORITY +1",
        "PRIORITY -",
        "PRIORITY 1.5",
        "PRIORITY 2147483648",
        "PRIORITY -2147483649",
        "PRIORITY 1 PRIORITY 1",
        "LIFO LIFO",
        "RETRIES",
        "RETRIES -1",
        "RETRIES x",
        "RETRIES 1.5",
        "RETRIES 18446744073709551616",
        "RETRIES 1 RETRIES 1",
        "BACKOFF",
        "BACKOFF 5s",
        "BACKOFF fixed",
        "BACKOFF fixed:5",
        "BACKOFF fixed:",
        "BACKOFF exp:0s",
        "BACKOFF exp:1s:max",
        "BACKOFF exp:1s:max=5",
        "BACKOFF exp:1s:jitter=101",
        "BACKOFF exp:1s:jitter=-1",
        "BACKOFF exp:1s:nonsense=1",
        "BACKOFF list:",
        "BACKOFF list:1s,",
        "BACKOFF list:1s,5",
        "BACKOFF nonsense:1s",
        "BACKOFF fixed:1s BACKOFF fixed:1s",
        "EXPIRE",
        "EXPIRE 0s",
        "EXPIRE 5",
        "EXPIRE 3651d",
        "EXPIRE 1s EXPIRE 1s",
        "KEEP",
        "KEEP 5",
        "KEEP -1s",
        "KEEP 3651d",
        "KEEP 1s KEEP 1s",
        "AFTER",
        "AFTER 0",
        "AFTER x a",
        "AFTER 2 a",
        "AFTER 1001 a",
        "AFTER 1 a AFTER 1 a",
        "AFTER 1 a ONDEAD",
        "AFTER 1 a ONDEAD die",
        "ONDEAD fail",
        "UNIQUE",
        "UNIQUE k UNIQUE k",
        "UNIQUE k UNTIL",
        "UNIQUE k UNTIL end",
        "UNIQUE k FOR 0s",
        "UNIQUE k FOR 5",
        "UNIQUE k ONDUP",
        "UNIQUE k ONDUP drop",
        "UNTIL done",
        "FOR 1h",
        "ONDUP keep",
        "NONSENSE",
        "ID x NONSENSE",
    ] {
        untouched.refuses("q", format!("JOBQ.PUSH q p {options}"), "ERR");
        untouched.refuses("new", format!("JOBQ.PUSH new p {options}"), "ERR");
    }
    untouched.refuses("q", cmd!["JOBQ.PUSH", "q", "p", "ID", ""], "ERR");
}

#[test]
fn malformed_pops_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let untouched = Untouched::on(&s);
    for options in [
        "COUNT",
        "COUNT 0",
        "COUNT -1",
        "COUNT 1001",
        "COUNT x",
        "COUNT 1.5",
        "COUNT 18446744073709551616",
        "COUNT 1 COUNT 1",
        "BLOCK",
        "BLOCK 0s",
        "BLOCK 0",
        "BLOCK 5",
        "BLOCK -1s",
        "BLOCK 1s BLOCK 1s",
        "LEASE",
        "LEASE 0s",
        "LEASE 30",
        "LEASE 3651d",
        "LEASE 1s LEASE 1s",
        "NONSENSE",
        "COUNT 1 NONSENSE",
    ] {
        untouched.refuses("q", format!("JOBQ.POP q {options}"), "ERR");
    }
}

#[test]
fn malformed_finishes_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    let untouched = Untouched::on(&s);
    for verb in ["ACK", "FAIL", "RELEASE", "EXTEND"] {
        for token in ["x", "1.5", "18446744073709551616"] {
            untouched.refuses("q", format!("JOBQ.{verb} q a {token}"), "ERR");
        }
        untouched.refuses("q", format!("JOBQ.{verb} q a {t} NONSENSE"), "ERR");
        untouched.refuses("q", format!("JOBQ.{verb} q a {}", t + 1), "FENCED");
        untouched.refuses("q", format!("JOBQ.{verb} q unknown {t}"), "NOJOB");
        untouched.refuses("nothing", format!("JOBQ.{verb} nothing a {t}"), "NOJOB");
        // An id of the automatic form, of a slot that was never used.
        untouched.refuses("q", format!("JOBQ.{verb} q #zzzz-1 {t}"), "NOJOB");
    }
    for rest in [
        "FAIL q a {t} DELAY 5",
        "FAIL q a {t} DELAY -1s",
        "FAIL q a {t} ERROR",
        "FAIL q a {t} KIND",
        "FAIL q a {t} PROGRESS",
        "RELEASE q a {t} PROGRESS",
        "RELEASE q a {t} DELAY 5",
        "EXTEND q a {t} LEASE 0s",
        "EXTEND q a {t} LEASE 5",
        "EXTEND q a {t} PROGRESS",
        "EXTEND q a {t} PROGRESS 1 PROGRESS 2",
        "LOG q a {t}",
        "LOG q a x line",
    ] {
        untouched.refuses("q", format!("JOBQ.{}", rest.replace("{t}", &t.to_string())), "ERR");
    }
}

#[test]
fn a_payload_of_a_mebibyte_fits_and_one_byte_more_is_too_big() {
    let s = server!();
    let untouched = Untouched::on(&s);
    let limit = 1 << 20;
    untouched.refuses("q", cmd!["JOBQ.PUSH", "q", vec![b'x'; limit + 1]], "TOOBIG");
    s.ok(cmd!["JOBQ.PUSH", "q", vec![b'x'; limit], "ID", "a"]).is(list!["a", "NEW"]);
    let job = s.ok("JOBQ.POP q");
    assert_eq!(job.at(0).at(2).bytes().len(), limit);
}

#[test]
fn an_oversized_id_is_refused() {
    let s = server!();
    let untouched = Untouched::on(&s);
    untouched.refuses("q", cmd!["JOBQ.PUSH", "q", "p", "ID", vec![b'x'; 1 << 20]], "ERR");
}

#[test]
fn reads_and_repeats_change_nothing() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID b RETRIES 0");
    let ack = format!("JOBQ.ACK q a {}", s.ok("JOBQ.POP q").at(0).at(1).int());
    let fail = format!("JOBQ.FAIL q b {}", s.ok("JOBQ.POP q").at(0).at(1).int());
    s.ok(&ack);
    s.ok(&fail);
    let untouched = Untouched::on(&s);
    for command in [
        "JOBQ.GET q a",
        "JOBQ.STATS q",
        "JOBQ.RESULT q a",
        "JOBQ.LIST q done",
        "JOBQ.LIST q dead COUNT 1 NAME n ERROR e",
        "JOBQ.PUSH q p ID a",
        "JOBQ.POP q",
        "JOBQ.POP q BLOCK 5ms",
        &ack,
        &fail,
    ] {
        untouched.during("q", || s.ok(command));
    }
    for command in ["JOBQ.STATS missing", "JOBQ.LIST missing ready", "JOBQ.GET missing a", "JOBQ.POP missing"]
    {
        untouched.during("missing", || s.call(command));
    }
}

#[test]
fn an_unknown_job_is_not_there() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    for command in ["JOBQ.GET q unknown", "JOBQ.GET missing a"] {
        match s.call(command) {
            crate::support::Reply::Nil => {}
            crate::support::Reply::Error(text) => assert!(text.starts_with("NOJOB"), "{text}"),
            reply => panic!("{command}: {reply:?}"),
        }
    }
}

#[test]
fn a_payload_that_looks_like_an_option_is_a_payload() {
    let s = server!();
    s.ok("JOBQ.PUSH q DELAY ID a").is(list!["a", "NEW"]);
    s.ok("JOBQ.POP q").at(0).clone().is(list![
        "a",
        any(),
        "DELAY",
        1,
        any(),
        "q",
        any(),
        any(),
        any(),
        any()
    ]);
}
