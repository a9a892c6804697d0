//! UNIQUE, UNTIL, FOR and ONDUP.

use crate::support::{Client, Reply, Untouched, eventually, list, nil, server};

fn pop(s: &Client) -> (String, i64) {
    let popped = s.ok("JOBQ.POP q LEASE 1h");
    (popped.at(0).at(0).text(), popped.at(0).at(1).int())
}

fn state(s: &Client, id: &str) -> Reply {
    s.ok(format!("JOBQ.GET q {id}")).field("state").clone()
}

#[test]
fn a_second_job_of_a_key_is_kept_away_until_the_first_has_ended() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k").is(list!["a", "NEW"]);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.PUSH q other UNIQUE k").is(list!["a", "DUP"]));
    untouched.during("q", || s.ok("JOBQ.PUSH q other ID b UNIQUE k ONDUP keep").is(list!["a", "DUP"]));
    s.ok("JOBQ.PUSH q p ID z UNIQUE other").is(list!["z", "NEW"]);
    let (_, t) = pop(&s);
    s.ok("JOBQ.PUSH q p UNIQUE k").is(list!["a", "DUP"]);
    s.ok(format!("JOBQ.FAIL q a {t} DELAY 1h"));
    s.ok("JOBQ.PUSH q p UNIQUE k").is(list!["a", "DUP"]);
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok("JOBQ.PUSH q p ID b UNIQUE k").is(list!["b", "NEW"]);
    s.ok("JOBQ.GET q b").field("unique").clone().is("k");
    for ends in ["JOBQ.CANCEL q b", "JOBQ.PURGE q ready"] {
        s.ok(ends);
        s.ok("JOBQ.PUSH q p ID b UNIQUE k").is(list!["b", "NEW"]);
    }
}

#[test]
fn until_start_lets_go_at_the_first_pop_for_good() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k UNTIL start");
    s.ok("JOBQ.PUSH q p ID b UNIQUE k UNTIL START").is(list!["a", "DUP"]);
    let (_, t) = pop(&s);
    s.ok("JOBQ.PUSH q p ID b UNIQUE k UNTIL start").is(list!["b", "NEW"]);
    s.ok(format!("JOBQ.RELEASE q a {t}"));
    s.ok("JOBQ.CANCEL q b");
    s.ok("JOBQ.PUSH q p ID c UNIQUE k").is(list!["c", "NEW"]);
}

#[test]
fn for_alone_holds_the_key_for_its_time_and_outlives_the_job() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k FOR 1h KEEP 0s");
    s.ok("JOBQ.PUSH q p ID b UNIQUE short FOR 40ms");
    let (_, t) = pop(&s);
    s.ok(format!("JOBQ.ACK q a {t}"));
    eventually("the job is gone", || s.ok("JOBQ.GET q a") == Reply::Nil);
    s.ok("JOBQ.PUSH q p UNIQUE k FOR 1h").is(list!["a", "DUP"]);
    eventually("the time is over", || s.ok("JOBQ.PUSH q p ID c UNIQUE short FOR 1h").at(0).text() == "c");
    state(&s, "b").is("ready");
    s.ok("DEBUG RELOAD");
    s.ok("JOBQ.PUSH q p UNIQUE k FOR 1h").is(list!["a", "DUP"]);
}

#[test]
fn with_until_the_earlier_of_the_two_lets_go() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k UNTIL done FOR 1h");
    let (_, t) = pop(&s);
    s.ok("JOBQ.PUSH q p UNIQUE k").is(list!["a", "DUP"]);
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok("JOBQ.PUSH q p ID b UNIQUE k UNTIL done FOR 20ms").is(list!["b", "NEW"]);
    eventually("its time is over", || s.ok("JOBQ.PUSH q p ID c UNIQUE k").at(1).text() == "NEW");
    state(&s, "b").is("ready");
}

#[test]
fn a_replacing_push_takes_the_place_of_a_job_that_waits() {
    let s = server!();
    s.ok("JOBQ.PUSH q old ID a UNIQUE k ONDUP replace DELAY 1h").is(list!["a", "NEW"]);
    s.ok("JOBQ.PUSH q new ID b UNIQUE k ONDUP replace DELAY 5ms").is(list!["b", "REPLACED"]);
    s.ok("JOBQ.GET q a").is(nil());
    eventually("it is due", || state(&s, "b").text() == "ready");
    let (id, t) = pop(&s);
    assert_eq!(id, "b");
    // An active one cannot be replaced.
    s.ok("JOBQ.PUSH q newer ID c UNIQUE k ONDUP replace").is(list!["c", "NEXT"]);
    s.ok("JOBQ.PUSH q newest ID d UNIQUE k ONDUP replace").is(list!["d", "NEXT"]);
    s.ok("JOBQ.GET q c").is(nil());
    state(&s, "d").is("blocked");
    s.ok("JOBQ.STATS q").field("blocked").clone().is(1);
    s.ok("JOBQ.POP q").is(list![]);
    s.ok(format!("JOBQ.ACK q b {t}"));
    assert_eq!(pop(&s).0, "d");
}

#[test]
fn the_next_job_wakes_a_worker_that_waits() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k");
    let (_, t) = pop(&s);
    s.ok("JOBQ.PUSH q p ID b UNIQUE k ONDUP next").is(list!["b", "NEXT"]);
    s.ok("JOBQ.PUSH q p UNIQUE k").is(list!["a", "DUP"]);
    let w = s.waits("JOBQ.POP q BLOCK 10s");
    s.ok(format!("JOBQ.ACK q a {t}"));
    w.reply().at(0).at(0).clone().is("b");
    // And one that waits for a FOR to be over is woken without a write.
    s.ok("JOBQ.PUSH q p ID c UNIQUE other FOR 50ms");
    let (id, _) = pop(&s);
    assert_eq!(id, "c");
    s.ok("JOBQ.PUSH q p ID d UNIQUE other FOR 50ms ONDUP next").is(list!["d", "NEXT"]);
    s.waits("JOBQ.POP q BLOCK 10s").reply().at(0).at(0).clone().is("d");
}

#[test]
fn a_known_id_is_a_duplicate_before_its_key_is_looked_at() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k ONDUP replace DELAY 1h");
    let untouched = Untouched::on(&s);
    untouched
        .during("q", || s.ok("JOBQ.PUSH q p ID a UNIQUE k ONDUP replace DELAY 1h").is(list!["a", "DUP"]));
    untouched.refuses("q", "JOBQ.PUSH q other ID a MATCH UNIQUE k ONDUP replace", "MISMATCH");
}

#[test]
fn redrive_leaves_a_job_dead_whose_key_another_one_has() {
    let s = server!();
    for id in ["a", "b"] {
        s.ok(format!("JOBQ.PUSH q p ID {id} UNIQUE k RETRIES 0"));
        let (_, t) = pop(&s);
        s.ok(format!("JOBQ.FAIL q {id} {t}"));
    }
    s.ok("JOBQ.REDRIVE q").is(list![1, 1]);
    state(&s, "a").is("ready");
    state(&s, "b").is("dead");
    s.ok("JOBQ.PUSH q p UNIQUE k").is(list!["a", "DUP"]);
    s.ok("JOBQ.REDRIVE q IDS 1 b").is(list![0, 1]);
    s.ok("JOBQ.CANCEL q a");
    s.ok("JOBQ.REDRIVE q IDS 1 b").is(list![1, 0]);
}

#[test]
fn a_batch_of_one_key_goes_as_one_push_after_the_other() {
    let s = server!();
    let rows = |reply: Reply| reply.items().iter().map(|row| row.at(1).text()).collect::<Vec<_>>();
    assert_eq!(rows(s.ok("JOBQ.MPUSH keep 3 a b c UNIQUE k")), ["NEW", "DUP", "DUP"]);
    assert_eq!(
        rows(s.ok("JOBQ.MPUSH replace 3 a b c IDS 3 a b a UNIQUE k ONDUP replace")),
        ["NEW", "REPLACED", "REPLACED"]
    );
    s.ok("JOBQ.POP replace COUNT 9").at(0).at(2).clone().is("c");
    assert_eq!(rows(s.ok("JOBQ.MPUSH next 3 a b c UNIQUE k ONDUP next")), ["NEW", "NEXT", "NEXT"]);
    let seen = s.ok("JOBQ.STATS next");
    seen.field("ready").clone().is(1);
    seen.field("blocked").clone().is(1);
}

#[test]
fn the_newest_wins_over_a_holder_that_runs() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k ONDUP cancel").is(list!["a", "NEW"]);
    s.ok("JOBQ.PUSH q p ID b UNIQUE k ONDUP cancel").is(list!["b", "REPLACED"]);
    let (_, t) = pop(&s);
    s.ok("JOBQ.PUSH q p ID after AFTER 1 b");
    s.ok("JOBQ.PUSH q p ID c UNIQUE k ONDUP cancel").is(list!["c", "NEXT"]);
    s.ok(format!("JOBQ.EXTEND q b {t}")).is(2);
    s.ok("JOBQ.PUSH q p ID d UNIQUE k ONDUP cancel").is(list!["d", "NEXT"]);
    assert_eq!(s.ok("JOBQ.GET q c"), Reply::Nil);
    s.ok("JOBQ.GET q after").field("waits_for").clone().is(list!["d"]);
    s.ok(format!("JOBQ.FAIL q b {t}")).is(list!["cancelled", 0]);
    let (id, t) = pop(&s);
    assert_eq!(id, "d");
    s.ok(format!("JOBQ.ACK q d {t}"));
    state(&s, "after").is("ready");
}

#[test]
fn a_debounce_ends_at_its_longest_wait() {
    let s = server!();
    let first = s.now();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k ONDUP replace DELAY 1h MAXWAIT 2h");
    s.ok("JOBQ.PUSH q p ID b UNIQUE k ONDUP replace DELAY 3h MAXWAIT 2h").is(list!["b", "REPLACED"]);
    let due = s.ok("JOBQ.GET q b").field("due_ms").int();
    assert!((first + 7_200_000..first + 7_260_000).contains(&due), "{due}");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", "JOBQ.PUSH q p UNIQUE k MAXWAIT 2h", "ERR");
    untouched.refuses("q", "JOBQ.PUSH q p MAXWAIT 2h", "ERR");
}
