//! JOBQ.RESULT … BLOCK: waiting for what becomes of a job.

use crate::support::{Client, Reply, Server, Untouched, Waiter, eventually, list, nil, server};

/// Pushes a job and pops it; its token.
fn active(s: &Server, id: &str, options: &str) -> i64 {
    s.ok(format!("JOBQ.PUSH q p ID {id} PRIORITY -9 {options}"));
    let job = s.ok("JOBQ.POP q LEASE 1h");
    job.at(0).at(0).clone().is(id);
    job.at(0).at(1).int()
}

fn waiting(s: &Server, id: &str) -> Waiter {
    s.waits(format!("JOBQ.RESULT q {id} BLOCK 1m"))
}

#[track_caller]
fn is_gone(reply: &Reply) {
    assert!(matches!(reply, Reply::Error(text) if text.starts_with("NOJOB")), "{reply:?}");
}

#[test]
fn all_who_wait_for_a_job_get_its_result_and_those_of_others_wait_on() {
    let s = server!();
    let t = active(&s, "a", "");
    s.ok("JOBQ.PUSH q p ID other");
    let mine: Vec<_> = (0..5).map(|_| waiting(&s, "a")).collect();
    let other = waiting(&s, "other");
    s.ok(format!("JOBQ.EXTEND q a {t} PROGRESS half"));
    mine[0].still_waits(&s);
    s.ok(format!("JOBQ.ACK q a {t} RESULT fine"));
    mine.iter().for_each(|w| _ = w.reply().is(list!["done", "fine"]));
    other.still_waits(&s);
    s.ok("JOBQ.RESULT q a BLOCK 1m").is(list!["done", "fine"]);
}

#[test]
fn a_wait_goes_on_through_retries_until_the_job_is_dead() {
    let s = server!();
    let t = active(&s, "a", "RETRIES 1");
    let w = waiting(&s, "a");
    s.ok(format!("JOBQ.FAIL q a {t} ERROR once DELAY 0s"));
    w.still_waits(&s);
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok(format!("JOBQ.RELEASE q a {t}"));
    w.still_waits(&s);
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok(format!("JOBQ.FAIL q a {t} ERROR twice"));
    w.reply().is(list!["dead", "twice"]);
}

#[test]
fn many_who_wait_get_the_result_of_a_job_that_is_not_kept() {
    let s = server!();
    let t = active(&s, "a", "KEEP 0s");
    let readers: Vec<Client> = (0..3_000)
        .map(|_| {
            let client = s.client();
            client.send("JOBQ.RESULT q a BLOCK 1m");
            client
        })
        .collect();
    eventually("all wait", || s.info("blocked_clients") == "3000");
    s.ok(format!("JOBQ.ACK q a {t} RESULT fine"));
    // Writes remove the job while its waiters are still being answered.
    eventually("it is gone", || {
        s.ok("JOBQ.PUSH q p");
        s.ok("JOBQ.STATS q").field("done").int() == 0
    });
    readers.iter().for_each(|reader| _ = reader.read().is(list!["done", "fine"]));
    s.refuses("JOBQ.RESULT q a BLOCK 1m", "NOJOB");
}

#[test]
fn a_job_that_leaves_without_having_ended_is_gone() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID cancelled");
    let w = waiting(&s, "cancelled");
    s.ok("JOBQ.CANCEL q cancelled");
    is_gone(&w.reply());

    let t = active(&s, "flagged", "");
    let w = waiting(&s, "flagged");
    s.ok("JOBQ.CANCEL q flagged").is(list![2]);
    w.still_waits(&s);
    s.ok(format!("JOBQ.FAIL q flagged {t}")).at(0).clone().is("cancelled");
    is_gone(&w.reply());

    s.ok("JOBQ.PUSH q p ID purged DELAY 1h");
    let w = waiting(&s, "purged");
    s.ok("JOBQ.PURGE q delayed");
    is_gone(&w.reply());

    s.ok("JOBQ.PUSH q p ID old UNIQUE k UNTIL start");
    let w = waiting(&s, "old");
    s.ok("JOBQ.PUSH q p ID new UNIQUE k UNTIL start ONDUP replace").is(list!["new", "REPLACED"]);
    is_gone(&w.reply());
}

#[test]
fn time_alone_ends_a_wait() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q stall_max 0");
    s.ok("JOBQ.PUSH q p ID stalls");
    s.ok("JOBQ.POP q LEASE 200ms");
    // Not even their parent's end is anybody's command.
    s.ok("JOBQ.PUSH q p ID child AFTER 1 stalls ONDEAD fail");
    s.ok("JOBQ.PUSH q p ID expires EXPIRE 200ms");
    let (child, expires, stalls) = (waiting(&s, "child"), waiting(&s, "expires"), waiting(&s, "stalls"));
    let dead = stalls.reply();
    dead.at(0).clone().is("dead");
    assert!(dead.at(1).text().starts_with("stalled"), "{dead:?}");
    child.reply().is(list!["dead", "the job 'stalls' that it waited for is dead"]);
    is_gone(&expires.reply());
}

#[test]
fn time_alone_ends_a_wait_also_where_the_time_was_set_while_it_went_on() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q stall_max 0");
    let stalled = |w: Waiter| {
        let dead = w.reply();
        assert!(dead.at(1).text().starts_with("stalled"), "{dead:?}");
    };

    s.ok("JOBQ.PUSH q p ID popped");
    let w = waiting(&s, "popped");
    s.ok("JOBQ.POP q LEASE 100ms");
    stalled(w);

    let t = active(&s, "shortened", "");
    let w = waiting(&s, "shortened");
    s.ok(format!("JOBQ.EXTEND q shortened {t} LEASE 100ms"));
    stalled(w);

    s.ok("JOBQ.PUSH q p ID parent");
    s.ok("JOBQ.PUSH q p ID unblocked AFTER 1 parent EXPIRE 100ms");
    let w = waiting(&s, "unblocked");
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK q parent {t}"));
    is_gone(&w.reply());

    s.ok("JOBQ.PUSH q p ID mother");
    s.ok("JOBQ.PUSH q p ID child AFTER 1 mother ONDEAD fail");
    s.ok("JOBQ.PUSH q p ID grandchild AFTER 1 child ONDEAD fail");
    let w = waiting(&s, "grandchild");
    s.ok("JOBQ.POP q LEASE 100ms");
    w.reply().at(0).clone().is("dead");
}

#[test]
fn a_queue_that_is_gone_has_no_job_any_more_whatever_took_it() {
    let s = server!();
    for take in ["DEL q", "UNLINK q", "RENAME q elsewhere", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "MOVE q 1"] {
        s.ok("JOBQ.PUSH q p ID a");
        let w = waiting(&s, "a");
        s.ok(take);
        is_gone(&w.reply());
        s.ok("FLUSHALL");
    }
    s.ok("JOBQ.PUSH q p ID a");
    let w = waiting(&s, "a");
    s.ok("SET q string");
    assert!(matches!(w.reply(), Reply::Error(text) if text.starts_with("WRONGTYPE")));
}

#[test]
fn another_job_that_gets_the_id_is_not_the_one_that_was_waited_for() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a DELAY 1h");
    let w = waiting(&s, "a");
    s.transaction(["JOBQ.CANCEL q a", "JOBQ.PUSH q other ID a"]);
    is_gone(&w.reply());
    // A queue that is created again gives the same serials again.
    s.ok("DEL q");
    for push in ["JOBQ.PUSH q p ID a", "JOBQ.PUSH q p"] {
        let w = waiting(&s, &s.ok(push).at(0).text());
        s.transaction(["DEL q", push]);
        is_gone(&w.reply());
        s.ok("DEL q");
    }
}

#[test]
fn what_is_not_known_is_said_at_once() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", "JOBQ.RESULT q gone BLOCK 1m", "NOJOB");
    untouched.refuses("nothing", "JOBQ.RESULT nothing a BLOCK 1m", "NOJOB");
    untouched.refuses("q", "JOBQ.RESULT q a BLOCK 0s", "ERR");
    untouched.refuses("q", "JOBQ.RESULT q a BLOCK 10", "ERR");
    untouched.refuses("q", "JOBQ.RESULT q a WAIT 1m", "ERR");
    untouched.refuses("q", "JOBQ.RESULT q a BLOCK 1m BLOCK 1m", "ERR");
}

#[test]
fn when_the_time_is_up_the_job_is_shown_as_it_stands() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a DELAY 50ms");
    s.asks("JOBQ.RESULT q a BLOCK 200ms").reply().is(list!["ready", nil()]);
    let w = waiting(&s, "a");
    s.ok(format!("CLIENT UNBLOCK {} TIMEOUT", w.id)).is(1);
    w.reply().is(list!["ready", nil()]);
    let w = waiting(&s, "a");
    s.ok(format!("CLIENT UNBLOCK {} ERROR", w.id)).is(1);
    assert!(w.reply().is_error());
    let w = waiting(&s, "a");
    s.ok(format!("CLIENT KILL ID {}", w.id));
    eventually("nobody waits", || s.info("blocked_clients") == "0");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.lives();
}

#[test]
fn nobody_waits_in_a_transaction_a_script_or_on_a_replica() {
    let s = server!();
    let t = active(&s, "a", "");
    let r = s.replica(&[]);
    s.transaction(["JOBQ.RESULT q a BLOCK 1m"])[0].clone().is(list!["active", nil()]);
    let script = "return redis.call('JOBQ.RESULT', KEYS[1], 'a', 'BLOCK', '1m')";
    s.ok(crate::support::cmd!["EVAL", script, 1, "q"]).at(0).clone().is("active");
    r.ok("JOBQ.RESULT q a BLOCK 1m").is(list!["active", nil()]);
    s.ok(format!("JOBQ.ACK q a {t} RESULT fine"));
    s.in_step_with(&r);
    r.ok("JOBQ.RESULT q a BLOCK 1m").is(list!["done", "fine"]);
}

#[test]
fn waiting_changes_nothing() {
    let s = server!();
    active(&s, "a", "");
    let untouched = Untouched::on(&s);
    untouched.during("q", || {
        let w = waiting(&s, "a");
        s.ok(format!("CLIENT UNBLOCK {} TIMEOUT", w.id));
        w.reply();
    });
}
