//! JOBQ.CRON across replicas, restarts, clocks and permissions.

use super::cron::*;
use crate::support::{Snapshot, Untouched, any, cmd, eventually, list, server, status};

#[test]
fn what_a_primary_has_decided_its_replica_and_its_file_repeat() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "all", "0 * * * *", "p", "CATCHUP", "all", "TZ", "Europe/Berlin"]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "one", "*/7 * * * *", "p", "CATCHUP", "one", "OVERLAP", "META", "m"]);
    let bounds = ["START", "5", "END", "8000000000000", "RUNS", "3"];
    let mut every = cmd!["JOBQ.CRON", "SET", "q", "every", "@every 1000s", "p", "CATCHUP", "all"];
    every.extend(bounds.map(|word| word.as_bytes().to_vec()));
    s.ok(every);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "gone", "@daily", "p"]);
    s.ok("JOBQ.CRON RUN q gone");
    s.ok("JOBQ.CRON DEL q gone");
    clock_at(&s, next(&s, "q", "all") + 5 * HOUR + 90_000);
    eventually("the runs are there", || pushed(&s, "q") >= 3);
    work_off(&s, "q");
    s.goes_on(50);
    s.in_step_with(&r);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), want);
    let late = s.replica(&[]);
    s.in_step_with(&late);
    assert_eq!(Snapshot::of(&late), want);
    drop(late);
    s.ok("JOBQ.CRON DEL q all");
    s.ok("JOBQ.CRON DEL q one");
    s.ok("JOBQ.CRON DEL q every");
    let want = Snapshot::of(&s);
    s.ok("DEBUG RELOAD");
    assert_eq!(Snapshot::of(&s), want);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), want);
}

#[test]
fn a_replica_and_a_paused_server_make_no_runs_of_their_own() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p"]);
    s.in_step_with(&r);
    let due = next(&s, "q", "s");
    // On the replica it is past the time, on the primary not.
    clock_at(&r, due + 1_000);
    r.goes_on(200);
    assert_eq!(pushed(&r, "q"), 0);
    assert_eq!(next(&r, "q", "s"), due);
    s.ok("CLIENT PAUSE 400 WRITE");
    s.ok(format!("WORKGATE.TEST CLOCK {}", due - s.now()));
    s.goes_on(100);
    assert_eq!(pushed(&s, "q"), 0);
    eventually("it comes after the pause", || pushed(&s, "q") == 1);
    s.in_step_with(&r);
    assert_eq!(work_off(&s, "q"), [format!("s@{due}")]);
    s.lives();
}

#[test]
fn a_promoted_replica_goes_on_where_its_primary_was_and_doubles_nothing() {
    let mut s = server!();
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p", "OVERLAP"]);
    let due = next(&s, "q", "s");
    clock_at(&s, due);
    eventually("the run is there", || pushed(&s, "q") == 1);
    s.in_step_with(&r);
    clock_at(&r, due + 500);
    s.kill();
    r.ok("REPLICAOF NO ONE");
    r.goes_on(200);
    assert_eq!((pushed(&r, "q"), next(&r, "q", "s")), (1, due + HOUR));
    assert_eq!(work_off(&r, "q"), [format!("s@{due}")]);
    // The schedule goes on without any command.
    clock_at(&r, due + HOUR);
    eventually("the next run is there", || pushed(&r, "q") == 2);
    assert_eq!(work_off(&r, "q"), [format!("s@{}", due + HOUR)]);
}

#[test]
fn a_replica_promoted_after_the_time_makes_the_run_that_its_primary_did_not() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p"]);
    s.in_step_with(&r);
    let due = next(&s, "q", "s");
    clock_at(&r, due + 10_000);
    r.ok("REPLICAOF NO ONE");
    eventually("it is ten seconds late", || pushed(&r, "q") == 1);
    assert_eq!(work_off(&r, "q"), [format!("s@{due}")]);
}

#[test]
fn a_restart_around_the_time_makes_one_run() {
    for before in [true, false] {
        let mut s = server!("appendonly yes", "appendfsync always");
        s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "* * * * * *", "p", "CATCHUP", "all", "OVERLAP"]);
        let first = next(&s, "q", "s");
        if !before {
            eventually("the first run is there", || pushed(&s, "q") >= 1);
        }
        s.crash_and_restart();
        eventually("runs go on", || pushed(&s, "q") >= 4);
        let mut due: Vec<String> = work_off(&s, "q");
        due.truncate(4);
        let expected: Vec<String> = (0..4).map(|nth| format!("s@{}", first + nth * 1_000)).collect();
        assert_eq!(due, expected, "every second once, from the first on");
    }
}

#[test]
fn an_rdb_file_from_before_a_run_makes_it_again_under_the_same_id() {
    let mut s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p"]);
    let due = next(&s, "q", "s");
    s.ok("SAVE");
    clock_at(&s, due);
    eventually("the run is there", || pushed(&s, "q") == 1);
    s.crash_and_restart();
    // Its effect is lost with all that came after the file; so is nothing else.
    assert_eq!((pushed(&s, "q"), next(&s, "q", "s")), (0, due));
    clock_at(&s, due + 2_000);
    eventually("the run is there again", || pushed(&s, "q") == 1);
    assert_eq!(work_off(&s, "q"), [format!("s@{due}")]);
    // A worker that did it before is told by the id that it is the same: as a push of it is.
    s.ok(format!("JOBQ.PUSH q p ID s@{due}")).is(list![format!("s@{due}").as_str(), "DUP"]);
}

#[test]
fn a_clock_that_is_set_back_doubles_no_run() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p", "OVERLAP"]);
    let due = next(&s, "q", "s");
    clock_at(&s, due + 100);
    eventually("the run is there", || pushed(&s, "q") == 1);
    clock_at(&s, due - 500);
    s.goes_on(700);
    s.ok("JOBQ.POP q COUNT 10");
    assert_eq!((pushed(&s, "q"), next(&s, "q", "s")), (1, due + HOUR));
}

#[test]
fn a_schedule_is_written_by_writers_and_read_by_readers() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "mine:q", "s", "@daily", "p"]);
    s.ok("ACL SETUSER limited on >secret ~mine:* &* +@all");
    let c = s.client();
    c.ok("AUTH limited secret");
    for call in ["SET other s @daily p", "DEL other s", "RUN other s", "LIST other"] {
        c.refuses(format!("JOBQ.CRON {call}"), "NOPERM");
    }
    c.ok("JOBQ.CRON LIST mine:q");
    s.ok("COMMAND GETKEYS JOBQ.CRON SET k s @daily p").is(list!["k"]);
    s.ok("COMMAND GETKEYS JOBQ.CRON LIST k").is(list!["k"]);
    s.ok(cmd!["EVAL_RO", "return #redis.call('JOBQ.CRON', 'LIST', KEYS[1])", 1, "mine:q"]).is(1);
    s.ok("CONFIG SET maxmemory 1");
    s.refuses("JOBQ.CRON SET mine:q t @daily p", "OOM");
    s.refuses("JOBQ.CRON RUN mine:q s", "OOM");
    s.ok("JOBQ.CRON LIST mine:q").is(list![any()]);
    s.ok("JOBQ.CRON DEL mine:q s").is(1);
}

#[test]
fn a_schedule_is_refused_where_the_server_may_evict_the_queue() {
    let s = server!();
    let set = |name: &str| cmd!["JOBQ.CRON", "SET", "q", name, "0 * * * *", "p", "OVERLAP"];
    s.ok(set("s"));
    s.ok("CONFIG SET maxmemory-policy allkeys-lru");
    s.ok("CONFIG SET maxmemory 10gb");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", set("t"), "ERR the server may evict this queue");
    untouched.refuses("q", "JOBQ.CRON RUN q s", "ERR the server may evict this queue");
    untouched.refuses("new", cmd!["JOBQ.CRON", "SET", "new", "s", "@daily", "p"], "ERR the server may evict");
    // What changes nothing, or takes away, is not.
    untouched.during("q", || s.ok(set("s")).is(status("OK")));
    // A schedule that is there goes on.
    let due = next(&s, "q", "s");
    // Not at the very time: a run by hand then has the same id.
    clock_at(&s, due + 100);
    eventually("the run is there", || pushed(&s, "q") == 1);
    s.ok("CONFIG SET workgate.allow-eviction yes");
    s.ok(set("t")).is(status("OK"));
    s.ok("JOBQ.CRON RUN q s").at(1).clone().is("NEW");
    s.ok("CONFIG SET workgate.allow-eviction no");
    s.ok("JOBQ.CRON DEL q t").is(1);
}

#[test]
fn what_is_due_while_a_queue_is_closed_is_missed() {
    let s = server!();
    let set = |queue: &str, catch_up: &str| {
        s.ok(cmd!["JOBQ.CRON", "SET", queue, "s", "0 * * * *", "p", "CATCHUP", catch_up]);
    };
    for (queue, catch_up) in [("skip", "skip"), ("one", "one"), ("soon", "skip"), ("timed", "skip")] {
        set(queue, catch_up);
    }
    let due = next(&s, "skip", "s");
    for queue in ["skip", "one", "soon"] {
        s.ok(format!("JOBQ.PAUSE {queue} PUSHES"));
    }
    s.ok(format!("JOBQ.PAUSE timed FOR {}ms PUSHES", due - s.now() + 20_000));
    clock_at(&s, due + 10_000);
    s.goes_on(200);
    for queue in ["skip", "one", "soon", "timed"] {
        assert_eq!((pushed(&s, queue), next(&s, queue, "s")), (0, due), "{queue} takes no jobs");
        s.refuses(format!("JOBQ.CRON RUN {queue} s"), "PAUSED");
    }
    // Ten seconds late is not missed.
    s.ok("JOBQ.RESUME soon");
    eventually("it is made", || pushed(&s, "soon") == 1);
    clock_at(&s, due + 30_000);
    eventually("it comes when the pause is over, though nobody looks", || pushed(&s, "timed") == 1);
    clock_at(&s, due + 120_000);
    s.ok("JOBQ.RESUME skip");
    s.ok("JOBQ.RESUME one");
    eventually("both go on", || ["skip", "one"].iter().all(|queue| next(&s, queue, "s") == due + HOUR));
    assert_eq!(work_off(&s, "skip"), Vec::<String>::new());
    assert_eq!(work_off(&s, "one"), [format!("s@{due}")]);
}

#[test]
fn a_schedule_keeps_to_the_bounds_of_its_queue() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q max_length 2 max_payload 3");
    s.refuses(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "long"], "TOOBIG");
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "abc", "OVERLAP"]);
    s.ok("JOBQ.PUSH q p ID a");
    let due = next(&s, "q", "s");
    clock_at(&s, due + 100);
    eventually("the first run has room", || pushed(&s, "q") == 2);
    s.refuses("JOBQ.CRON RUN q s", "FULL");
    clock_at(&s, due + HOUR);
    eventually("the second has none", || next(&s, "q", "s") == due + 2 * HOUR);
    assert_eq!(pushed(&s, "q"), 2);
    assert_eq!(work_off(&s, "q"), ["a".to_owned(), format!("s@{due}")]);
    // It keeps its own payload when less is allowed.
    s.ok("JOBQ.CONFIG SET q max_payload 2");
    clock_at(&s, due + 2 * HOUR);
    eventually("the third is made", || pushed(&s, "q") == 3);
    s.ok("JOBQ.POP q").at(0).at(2).clone().is("abc");
}
