//! JOBQ.POP ALSO: one POP of several queues. And WORKER, the name of the client that holds a job.

use crate::support::{Client, Cluster, Reply, Server, Untouched, Waiter, cmd, eventually, list, nil, server};

/// The ids and queues of a POP's answer.
fn popped(reply: &Reply) -> Vec<(String, String)> {
    reply.items().iter().map(|job| (job.at(0).text(), job.at(5).text())).collect()
}

#[track_caller]
fn is(reply: &Reply, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(id, queue)| ((*id).into(), (*queue).into())).collect();
    assert_eq!(popped(reply), expected);
}

fn push(s: &Client, jobs: &[(&str, &str)]) {
    jobs.iter().for_each(|(id, queue)| _ = s.ok(format!("JOBQ.PUSH {queue} p ID {id}")));
}

fn ready(s: &Client, queue: &str) -> i64 {
    s.ok(format!("JOBQ.STATS {queue}")).field("ready").int()
}

#[test]
fn queues_are_served_in_the_given_order_and_count_is_over_all_of_them() {
    let s = server!();
    push(&s, &[("a1", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c")]);
    is(&s.ok("JOBQ.POP c ALSO 3 missing b a COUNT 3"), &[("c1", "c"), ("b1", "b"), ("b2", "b")]);
    is(&s.ok("JOBQ.POP c COUNT 3 ALSO 2 a b"), &[("a1", "a")]);
    s.ok("JOBQ.POP c ALSO 2 a b").is(list![]);
    s.ok("EXISTS missing").is(0);
}

#[test]
fn a_key_that_is_given_twice_counts_once() {
    let s = server!();
    push(&s, &[("a1", "a"), ("a2", "a"), ("b1", "b")]);
    is(&s.ok("JOBQ.POP a ALSO 3 a b a COUNT 9"), &[("a1", "a"), ("a2", "a"), ("b1", "b")]);
    let w = s.waits("JOBQ.POP a ALSO 2 a a BLOCK 1m");
    push(&s, &[("a3", "a"), ("a4", "a")]);
    is(&w.reply(), &[("a3", "a")]);
    assert_eq!(ready(&s, "a"), 1);
}

#[test]
fn a_key_of_another_type_among_them_refuses_all() {
    let s = server!();
    push(&s, &[("a1", "a")]);
    s.ok("SET text x");
    let untouched = Untouched::on(&s);
    for options in ["ALSO 1 text", "ALSO 2 b text COUNT 5", "ALSO 2 text b BLOCK 1m"] {
        untouched.refuses("a", format!("JOBQ.POP a {options}"), "WRONGTYPE");
    }
    untouched.refuses("a", "JOBQ.POP text ALSO 1 a", "WRONGTYPE");
}

#[test]
fn malformed_lists_of_queues_are_refused() {
    let s = server!();
    push(&s, &[("a1", "a")]);
    let untouched = Untouched::on(&s);
    for options in [
        "ALSO",
        "ALSO 0",
        "ALSO 1",
        "ALSO 2 b",
        "ALSO x b",
        "ALSO -1 b",
        "ALSO 1 b c",
        "ALSO 1 b ALSO 1 c",
        "WORKER",
        "WORKER also",
        "WORKER ALSO",
        "WORKER a WORKER b",
    ] {
        untouched.refuses("a", format!("JOBQ.POP a {options}"), "ERR");
    }
    let many = (0..101).map(|i| format!("k{i}")).collect::<Vec<_>>().join(" ");
    untouched.refuses("a", format!("JOBQ.POP a ALSO 101 {many}"), "ERR");
    untouched.refuses("a", cmd!["JOBQ.POP", "a", "WORKER", ""], "ERR");
    untouched.refuses("a", cmd!["JOBQ.POP", "a", "WORKER", "w".repeat(129)], "ERR");
    let hundred = (0..100).map(|i| format!("k{i}")).collect::<Vec<_>>().join(" ");
    is(&s.ok(format!("JOBQ.POP k0 ALSO 100 a {}", &hundred[..hundred.len() - 4])), &[("a1", "a")]);
}

#[test]
fn four_mebibytes_are_over_all_queues_too() {
    let s = server!();
    for queue in ["a", "b", "c"] {
        for _ in 0..2 {
            s.ok(cmd!["JOBQ.PUSH", queue, vec![b'x'; 1 << 20]]);
        }
    }
    let jobs = s.ok("JOBQ.POP a ALSO 2 b c COUNT 100");
    let queues: Vec<String> = popped(&jobs).into_iter().map(|(_, queue)| queue).collect();
    assert_eq!(queues, ["a", "a", "b", "b"]);
    assert_eq!(ready(&s, "c"), 2);
}

#[test]
fn the_key_specs_find_all_keys() {
    let s = server!();
    for (call, keys) in [
        ("JOBQ.POP a", list!["a"]),
        ("JOBQ.POP a COUNT 2 BLOCK 1s", list!["a"]),
        ("JOBQ.POP a ALSO 2 b c BLOCK 1s", list!["a", "b", "c"]),
        ("JOBQ.POP a COUNT 2 also 1 b", list!["a", "b"]),
        ("JOBQ.POP also ALSO 1 also", list!["also", "also"]),
    ] {
        s.ok(format!("COMMAND GETKEYS {call}")).is(keys);
    }
    s.ok("ACL SETUSER limited on >secret ~mine:* +@all");
    let limited = s.client();
    limited.ok("AUTH limited secret");
    limited.ok("JOBQ.POP mine:a ALSO 1 mine:b").is(list![]);
    limited.refuses("JOBQ.POP mine:a ALSO 1 yours", "NOPERM");
}

#[test]
fn in_a_cluster_the_queues_share_a_slot() {
    let cluster = Cluster::start();
    let node = cluster.owner("{t}a");
    node.ok("JOBQ.PUSH {t}b p ID j");
    is(&node.ok("JOBQ.POP {t}a ALSO 2 {t}b {t}c"), &[("j", "{t}b")]);
    node.refuses("JOBQ.POP {t}a ALSO 1 {u}b", "CROSSSLOT");
    let w = node.waits("JOBQ.POP {t}a ALSO 1 {t}b BLOCK 1m");
    node.ok("JOBQ.PUSH {t}b p ID k");
    is(&w.reply(), &[("k", "{t}b")]);
}

#[test]
fn a_pop_that_waits_gets_what_the_first_of_its_queues_has_and_nothing_of_the_others() {
    let s = server!();
    let w = s.waits("JOBQ.POP a ALSO 2 b c BLOCK 1m COUNT 5");
    s.transaction(["JOBQ.PUSH b p ID b1", "JOBQ.PUSH a p ID a1", "JOBQ.PUSH c p ID c1"]);
    is(&w.reply(), &[("b1", "b")]);
    assert_eq!((ready(&s, "a"), ready(&s, "b"), ready(&s, "c")), (1, 0, 1));
    eventually("nobody waits", || s.info("blocked_clients") == "0");
}

#[test]
fn those_who_wait_at_a_queue_are_served_by_their_time_whatever_else_they_wait_for() {
    let s = server!();
    let one = s.waits("JOBQ.POP a ALSO 1 b BLOCK 1m");
    let two = s.waits("JOBQ.POP b BLOCK 1m");
    let three = s.waits("JOBQ.POP c ALSO 2 b a BLOCK 1m");
    push(&s, &[("b1", "b"), ("b2", "b"), ("b3", "b")]);
    is(&one.reply(), &[("b1", "b")]);
    is(&two.reply(), &[("b2", "b")]);
    is(&three.reply(), &[("b3", "b")]);
    push(&s, &[("a1", "a"), ("c1", "c")]);
    assert_eq!((ready(&s, "a"), ready(&s, "c")), (1, 1));
}

#[test]
fn one_who_was_served_elsewhere_holds_nobody_back() {
    let s = server!();
    let _one = s.waits("JOBQ.POP a ALSO 1 b BLOCK 1m");
    let two = s.waits("JOBQ.POP b BLOCK 1m");
    s.transaction(["JOBQ.PUSH a p ID a1", "JOBQ.PUSH b p ID b1"]);
    is(&two.reply(), &[("b1", "b")]);
}

#[test]
fn time_serves_a_waiter_at_whichever_queue_is_due() {
    let s = server!();
    s.ok("JOBQ.PUSH a p ID late DELAY 1h");
    s.ok("JOBQ.PUSH b p ID soon DELAY 150ms");
    is(&s.waits("JOBQ.POP a ALSO 2 b c BLOCK 1m").reply(), &[("soon", "b")]);
    push(&s, &[("held", "c")]);
    s.ok("JOBQ.POP c LEASE 150ms");
    is(&s.waits("JOBQ.POP a ALSO 2 b c BLOCK 1m").reply(), &[("held", "c")]);
}

#[test]
fn a_queue_that_is_deleted_and_made_again_still_serves_who_waits_at_several() {
    let s = server!();
    s.ok("JOBQ.PUSH b p ID late DELAY 1h");
    let w = s.waits("JOBQ.POP a ALSO 1 b BLOCK 1m");
    s.ok("DEL b");
    s.ok("FLUSHALL");
    w.still_waits(&s);
    s.ok("JOBQ.PUSH other p ID again");
    s.ok("RENAME other b");
    is(&w.reply(), &[("again", "b")]);
}

#[test]
fn a_wait_at_several_queues_ends_in_every_way_and_leaves_no_place_behind() {
    let s = server!();
    let begun = |block: &str| s.waits(format!("JOBQ.POP a ALSO 2 b c BLOCK {block}"));
    begun("100ms").reply().is(list![]);
    let unblocked = begun("1m");
    s.ok(format!("CLIENT UNBLOCK {}", unblocked.id)).is(1);
    unblocked.reply().is(list![]);
    let failed = begun("1m");
    s.ok(format!("CLIENT UNBLOCK {} ERROR", failed.id)).is(1);
    assert!(failed.reply().is_error());
    let killed = begun("1m");
    s.ok(format!("CLIENT KILL ID {}", killed.id));
    eventually("nobody waits", || s.info("blocked_clients") == "0");
    push(&s, &[("a1", "a"), ("b1", "b"), ("c1", "c")]);
    is(&s.ok("JOBQ.POP a ALSO 2 b c COUNT 9"), &[("a1", "a"), ("b1", "b"), ("c1", "c")]);
}

#[test]
fn inside_a_transaction_and_a_script_it_does_not_wait() {
    let s = server!();
    s.transaction(["JOBQ.POP a ALSO 1 b BLOCK 1m"])[0].clone().is(list![]);
    push(&s, &[("b1", "b")]);
    let script = "return redis.call('JOBQ.POP', KEYS[1], 'BLOCK', '1m', 'ALSO', 1, KEYS[2])";
    is(&s.ok(cmd!["EVAL", script, 2, "a", "b"]), &[("b1", "b")]);
    s.ok(cmd!["EVAL", script, 2, "a", "b"]).is(list![]);
}

#[test]
fn every_queue_that_is_waited_at_counts_towards_the_cap() {
    let s = server!("workgate.max-waiters 4");
    let w = s.waits("JOBQ.POP a ALSO 2 b c BLOCK 1m");
    s.ok("JOBQ.POP a ALSO 1 b BLOCK 1m").is(list![]);
    let single: Waiter = s.waits("JOBQ.POP a BLOCK 1m");
    push(&s, &[("a1", "a"), ("a2", "a")]);
    is(&w.reply(), &[("a1", "a")]);
    is(&single.reply(), &[("a2", "a")]);
}

#[test]
fn what_one_pop_takes_from_several_queues_is_one_unit_of_replication() {
    let s = server!();
    push(&s, &[("a1", "a"), ("b1", "b")]);
    let stream = s.stream();
    s.ok("JOBQ.POP a ALSO 1 b COUNT 2 WORKER w LEASE 1h");
    let sent = stream.taken(&s);
    let words: Vec<&str> = sent.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(words.first().is_some_and(|word| word.eq_ignore_ascii_case("MULTI")), "{sent:?}");
    assert!(words.last().is_some_and(|word| word.eq_ignore_ascii_case("EXEC")), "{sent:?}");
    assert_eq!(sent.len(), 4, "{sent:?}");
}

fn worker(s: &Server) -> Reply {
    s.ok("JOBQ.GET q a").field("worker").clone()
}

#[test]
fn the_worker_is_shown_as_long_as_it_holds_the_job() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID a BACKOFF fixed:1ms");
    worker(&s).is(nil());
    let pop = |options: &str| {
        let mut token = 0;
        eventually("the job is there", || {
            let jobs = s.ok(format!("JOBQ.POP q {options}"));
            token = jobs.items().first().map_or(0, |job| job.at(1).int());
            token > 0
        });
        token
    };
    for end in ["RELEASE", "FAIL", "ACK"] {
        let t = pop("LEASE 1h WORKER host:1");
        worker(&s).is("host:1");
        s.in_step_with(&r);
        r.ok("JOBQ.GET q a").field("worker").clone().is("host:1");
        s.ok(format!("JOBQ.{end} q a {t}"));
        worker(&s).is(nil());
    }
    s.ok("DEL q");
    s.ok("JOBQ.PUSH q p ID a");
    pop("LEASE 20ms WORKER w");
    s.goes_on(25);
    worker(&s).is(nil());
    pop("LEASE 1h");
    worker(&s).is(nil());
}
