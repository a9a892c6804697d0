//! POP … RATE: the jobs of several queues and inline calls take from the limits of one subject.

use crate::support::{Client, Cluster, Reply, Unit, Untouched, Waiter, cmd, eventually, list, nil, server};

fn ids(jobs: &Reply) -> Vec<String> {
    jobs.items().iter().map(|job| job.at(0).text()).collect()
}

fn token(jobs: &Reply) -> i64 {
    jobs.at(0).at(1).int()
}

fn push(s: &Client, jobs: &[&str], options: &str) {
    for job in jobs {
        let (queue, id) = job.split_at(1);
        s.ok(format!("JOBQ.PUSH {queue} p ID {job} {options}"));
        assert!(!id.is_empty());
    }
}

fn left(s: &Client) -> i64 {
    s.ok("RATELIMIT.PEEK s w=10/1h").at(2).int()
}

#[test]
fn a_pop_takes_what_the_limits_admit_by_the_costs_of_the_jobs() {
    let s = server!();
    push(&s, &["a1", "a2"], "COST 4");
    push(&s, &["a3", "a4"], "");
    push(&s, &["b1"], "COST 0");
    assert_eq!(ids(&s.ok("JOBQ.POP a RATE s 1 w=10/1h COUNT 9")), ["a1", "a2", "a3", "a4"]);
    assert_eq!(left(&s), 0);
    assert_eq!(ids(&s.ok("JOBQ.POP b RATE s 1 w=10/1h")), ["b1"]);
    push(&s, &["b2", "b3"], "COST 3");
    s.ok("JOBQ.POP b RATE s 1 w=10/1h COUNT 2").is(list![]);
    s.ok("RATELIMIT.REFUND s w=10/1h COST 5");
    assert_eq!(ids(&s.ok("JOBQ.POP b RATE s 1 w=10/1h COUNT 2")), ["b2"]);
    s.ok("RATELIMIT.CHECK s w=10/1h COST 3").at(0).clone().is(0);
    s.ok("RATELIMIT.CHECK s w=10/1h COST 2").at(0).clone().is(2);
    s.ok("JOBQ.GET a a1").field("cost").clone().is(4);
    s.ok("JOBQ.GET a a3").field("cost").clone().is(1);
    s.ok("JOBQ.LIST a active").at(1).at(0).field("cost").clone().is(4);
    // Without RATE nothing is taken or looked at.
    assert_eq!(ids(&s.ok("JOBQ.POP b")), ["b3"]);
}

#[test]
fn all_limits_admit_or_nothing_is_taken_and_policies_stand_for_theirs() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=3/1h");
    push(&s, &["a1", "a2", "a3", "a4", "a5"], "");
    assert_eq!(ids(&s.ok("JOBQ.POP a COUNT 9 RATE s 2 @p 4/1h")), ["a1", "a2", "a3"]);
    s.ok("RATELIMIT.PEEK s 4/1h").at(2).clone().is(1);
    let w = s.waits("JOBQ.POP a RATE s 1 @p BLOCK 1h");
    // Policies are read anew at each try.
    s.ok("RATELIMIT.POLICY SET p a=4/1h");
    assert_eq!(ids(&w.reply()), ["a4"]);
    let w = s.waits("JOBQ.POP a RATE s 1 @p BLOCK 1h");
    s.ok("RATELIMIT.POLICY DEL p");
    assert!(w.reply().text().starts_with("NOPOLICY"));
}

#[test]
fn several_queues_share_the_count_and_end_at_the_first_job_that_does_not_fit() {
    let s = server!();
    push(&s, &["a1"], "COST 4");
    push(&s, &["b1"], "COST 8");
    push(&s, &["c1"], "COST 1");
    assert_eq!(ids(&s.ok("JOBQ.POP a ALSO 2 b c RATE s 1 w=10/1h COUNT 9")), ["a1"]);
    s.ok("RATELIMIT.RESET s");
    assert_eq!(ids(&s.ok("JOBQ.POP a ALSO 2 b c RATE s 1 w=10/1h COUNT 9")), ["b1", "c1"]);
}

#[test]
fn whatever_frees_the_limit_wakes_who_waits_for_it() {
    let s = server!();
    for (begin, free) in [
        ("RATELIMIT.CHECK s w=2/1h COST 2", "RATELIMIT.REFUND s w=2/1h COST 1"),
        ("RATELIMIT.CHECK s w=2/1h COST 2 HOLD h 1h", "RATELIMIT.SETTLE s h COST 1"),
        ("RATELIMIT.CHECK s w=2/1h COST 2", "RATELIMIT.RESET s"),
        ("RATELIMIT.CHECK s w=2/1h COST 2", "RATELIMIT.RESET s w"),
        ("RATELIMIT.LOCK s 1h", "RATELIMIT.UNLOCK s"),
        ("RATELIMIT.LOCK s 300ms", "PING"),
        ("RATELIMIT.CHECK s w=2/1h COST 2", "DEL s"),
        ("RATELIMIT.CHECK s w=2/1h COST 2", "RENAME s t"),
        ("RATELIMIT.CHECK s w=2/1h COST 2", "PEXPIRE s 300"),
        ("RATELIMIT.CHECK s w=2/300ms COST 2", "PING"),
    ] {
        push(&s, &["a1"], "");
        s.ok(begin);
        let w = s.waits("JOBQ.POP a ALSO 1 b RATE s 1 w=2/1h BLOCK 1h");
        let attempts = || s.ok("WORKGATE.TEST ATTEMPTS").int();
        let before = attempts();
        s.ok(free);
        assert_eq!(ids(&w.reply()), ["a1"], "{free}");
        assert!(attempts() - before <= 12, "{free}: it is not polled");
        s.ok("FLUSHALL");
        eventually("nobody waits", || s.info("blocked_clients") == "0");
    }
}

#[test]
fn a_transaction_that_frees_the_limit_serves_who_waits_before_the_next_command() {
    for unit in Unit::ALL {
        let s = server!();
        push(&s, &["a1"], "");
        s.ok("RATELIMIT.CHECK s w=10/1h COST 10");
        let w = s.waits("JOBQ.POP a RATE s 1 w=10/1h BLOCK 1h");
        let steps = ["RATELIMIT.REFUND s w=10/1h COST 1", "SET other x"];
        let (_, next) = unit.run_then(&s, &steps, "RATELIMIT.CHECK s w=10/1h");
        next.at(0).clone().is(0);
        assert_eq!(ids(&w.reply()), ["a1"]);
    }
}

#[test]
fn who_waits_is_served_in_the_order_of_coming_among_queues_and_inline_calls() {
    let s = server!();
    s.ok("RATELIMIT.CHECK s w=10/1h COST 10");
    push(&s, &["a1"], "COST 5");
    push(&s, &["b1", "b2"], "");
    let first = s.waits("JOBQ.POP a RATE s 1 w=10/1h BLOCK 1h");
    let second = s.waits("JOBQ.POP b RATE s 1 w=10/1h BLOCK 1h");
    let third = s.waits("RATELIMIT.CHECK s w=10/1h BLOCK 1h");
    // It stands in no line: its queue is empty.
    let idle = s.waits("JOBQ.POP c RATE s 1 w=10/1h BLOCK 1h");
    // Behind the others, though there is a job for it.
    let last = s.waits("JOBQ.POP b RATE s 1 w=10/1h BLOCK 1h");
    s.ok("RATELIMIT.REFUND s w=10/1h COST 4");
    [&first, &second, &third].into_iter().for_each(|waiter| waiter.still_waits(&s));
    s.ok("RATELIMIT.REFUND s w=10/1h COST 1");
    assert_eq!(ids(&first.reply()), ["a1"]);
    second.still_waits(&s);
    s.ok("RATELIMIT.REFUND s w=10/1h COST 2");
    assert_eq!(ids(&second.reply()), ["b1"]);
    third.reply().at(0).clone().is(1);
    last.still_waits(&s);
    s.ok("RATELIMIT.REFUND s w=10/1h COST 1");
    assert_eq!(ids(&last.reply()), ["b2"]);
    s.ok("RATELIMIT.REFUND s w=10/1h COST 1");
    idle.still_waits(&s);
    push(&s, &["c1"], "");
    assert_eq!(ids(&idle.reply()), ["c1"]);
}

#[test]
fn one_who_waits_for_a_limit_holds_no_other_pop_of_its_queue_back() {
    let s = server!();
    s.ok("RATELIMIT.CHECK s w=10/1h COST 10");
    let rated = s.waits("JOBQ.POP a RATE s 1 w=10/1h BLOCK 1h");
    let other = s.waits("JOBQ.POP a RATE t 1 w=10/1h BLOCK 1h");
    let plain = s.waits("JOBQ.POP a BLOCK 1h");
    push(&s, &["a1", "a2", "a3"], "");
    assert_eq!(ids(&other.reply()), ["a1"]);
    assert_eq!(ids(&plain.reply()), ["a2"]);
    rated.still_waits(&s);
    // Where it has the budget, it is served before those that came later.
    s.ok("JOBQ.POP a");
    s.ok("RATELIMIT.RESET s");
    let plain = s.waits("JOBQ.POP a BLOCK 1h");
    push(&s, &["a4"], "");
    assert_eq!(ids(&rated.reply()), ["a4"]);
    plain.still_waits(&s);
}

#[test]
fn who_leaves_the_head_of_the_line_lets_the_next_one_pass() {
    for gone in ["its time", "a kill", "its job"] {
        let s = server!();
        s.ok("RATELIMIT.CHECK s w=10/1h COST 5");
        push(&s, &["a1"], "COST 8");
        push(&s, &["b1"], "");
        let block = if gone == "its time" { "300ms" } else { "1h" };
        let large = s.asks(format!("JOBQ.POP a RATE s 1 w=10/1h BLOCK {block}"));
        eventually("it waits", || s.info("blocked_clients") == "1");
        let small = s.asks("JOBQ.POP b RATE s 1 w=10/1h BLOCK 1h");
        match gone {
            "its time" => _ = large.reply().is(list![]),
            "a kill" => _ = s.ok(format!("CLIENT KILL ID {}", large.id)),
            _ => {
                eventually("both wait", || s.info("blocked_clients") == "2");
                small.still_waits(&s);
                s.ok("JOBQ.CANCEL a a1");
            }
        }
        assert_eq!(ids(&small.reply()), ["b1"], "{gone}");
    }
}

#[test]
fn the_next_at_the_queue_stands_in_the_place_of_one_that_leaves() {
    let s = server!();
    s.ok("RATELIMIT.CHECK s w=1/400ms");
    push(&s, &["a1"], "");
    let first = s.waits("JOBQ.POP a RATE s 1 w=1/400ms BLOCK 1h");
    let second = s.waits("JOBQ.POP a RATE s 1 w=1/400ms BLOCK 1h");
    s.ok(format!("CLIENT KILL ID {}", first.id));
    assert_eq!(ids(&second.reply()), ["a1"]);
}

#[test]
fn the_clock_alone_serves_all_queues_one_after_the_other() {
    let s = server!();
    s.ok("RATELIMIT.CHECK s w=1/50ms");
    let waiters: Vec<(&str, Waiter)> = (0..9)
        .map(|nth| ["a", "b", "c"][nth % 3])
        .map(|queue| (queue, s.waits(format!("JOBQ.POP {queue} RATE s 1 w=1/50ms BLOCK 1h LEASE 1h"))))
        .collect();
    for nth in 1..=3 {
        for queue in ["a", "b", "c"] {
            s.ok(format!("JOBQ.PUSH {queue} p ID {queue}{nth}"));
        }
    }
    let mut times: Vec<i64> = waiters
        .iter()
        .map(|(queue, waiter)| {
            let jobs = waiter.reply();
            assert_eq!(jobs.at(0).at(5).text(), *queue);
            jobs.at(0).at(4).int()
        })
        .collect();
    times.sort_unstable();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 50), "{times:?}");
}

#[test]
fn the_pause_concurrency_groups_and_lingering_of_a_queue_hold_beside_its_rate() {
    let s = server!();
    push(&s, &["a1", "a2", "a3"], "");
    s.ok("JOBQ.PAUSE a");
    s.ok("JOBQ.POP a RATE s 1 w=10/1h").is(list![]);
    let paused = s.waits("JOBQ.POP a RATE s 1 w=10/1h BLOCK 1h");
    s.ok("JOBQ.RESUME a");
    let jobs = paused.reply();
    assert_eq!((ids(&jobs), left(&s)), (vec!["a1".to_owned()], 9));
    s.ok("JOBQ.CONFIG SET a concurrency 1");
    let w = s.waits("JOBQ.POP a RATE s 1 w=10/1h BLOCK 1h");
    assert_eq!(left(&s), 9);
    s.ok(format!("JOBQ.ACK a a1 {}", token(&jobs)));
    assert_eq!(ids(&w.reply()), ["a2"]);
    push(&s, &["b1", "b2", "b3"], "GROUP g");
    assert_eq!(ids(&s.ok("JOBQ.POP b RATE s 1 w=10/1h COUNT 9")), ["b1"]);
    let batch = s.waits("JOBQ.POP c RATE s 1 w=10/1h COUNT 3 LINGER 1h GROUPED BLOCK 2h");
    push(&s, &["c1", "c2"], "GROUP g");
    push(&s, &["c9"], "GROUP h");
    batch.still_waits(&s);
    push(&s, &["c3"], "GROUP g");
    assert_eq!(ids(&batch.reply()), ["c1", "c2", "c3"]);
    assert_eq!(left(&s), 4);
}

#[test]
fn the_true_cost_replaces_the_charge_once_and_wakes_who_waits() {
    let s = server!();
    push(&s, &["a1", "a2"], "COST 5");
    push(&s, &["b1"], "COST 6");
    let jobs = s.ok("JOBQ.POP a RATE s 1 w=10/1h COUNT 2");
    let second = jobs.at(1).at(1).int();
    let w = s.waits("JOBQ.POP b RATE s 1 w=10/1h BLOCK 1h");
    let ack = format!("JOBQ.ACK a a1 {} RESULT rate RATE s COST 2", token(&jobs));
    s.ok(&*ack);
    s.ok(&*ack);
    assert_eq!(left(&s), 3);
    w.still_waits(&s);
    let fail = format!("JOBQ.FAIL a a2 {second} COST 2 ERROR RATE RATE s DELAY 1h");
    let answer = s.ok(&*fail);
    assert_eq!(ids(&w.reply()), ["b1"]);
    assert_eq!(s.ok(&*fail), answer);
    assert_eq!(left(&s), 0);
    // More than was charged is a debt.
    let jobs = s.ok("JOBQ.GET b b1").field("token").int();
    s.ok(format!("JOBQ.ACK b b1 {jobs} RATE s COST 30"));
    assert_eq!(s.ok("RATELIMIT.PEEK s w=10/1h DETAIL").at(6).at(0).at(6).int(), 34);
}

#[test]
fn a_settlement_that_does_not_match_changes_nothing() {
    let s = server!();
    push(&s, &["a1"], "COST 5");
    push(&s, &["b1"], "");
    let charged = token(&s.ok("JOBQ.POP a RATE s 1 w=10/1h LEASE 1h"));
    let plain = token(&s.ok("JOBQ.POP b LEASE 1h"));
    s.ok("SET text x");
    let untouched = Untouched::on(&s);
    for (call, word) in [
        (format!("JOBQ.ACK a a1 {charged} RATE other COST 1"), "ERR"),
        (format!("JOBQ.ACK a a1 {charged} RATE a COST 1"), "ERR"),
        (format!("JOBQ.ACK a a1 {charged} RATE s"), "ERR"),
        (format!("JOBQ.ACK a a1 {charged} COST 1"), "ERR"),
        (format!("JOBQ.ACK a a1 {charged} RATE s COST -1"), "ERR"),
        (format!("JOBQ.ACK a a1 {charged} RATE s COST w=1"), "ERR"),
        (format!("JOBQ.ACK a a1 {charged} RATE text COST 1"), "WRONGTYPE"),
        (format!("JOBQ.ACK a a1 {} RATE s COST 1", charged + 9), "FENCED"),
        (format!("JOBQ.ACK a gone {charged} RATE s COST 1"), "NOJOB"),
        (format!("JOBQ.FAIL b b1 {plain} RATE s COST 1"), "ERR"),
    ] {
        untouched.refuses("a", &*call, word);
        untouched.refuses("s", &*call, word);
    }
}

#[test]
fn malformed_rates_take_nothing() {
    let s = server!();
    push(&s, &["a1"], "");
    s.ok("SET text x");
    s.ok("RATELIMIT.CHECK full a=1/1h b=1/1h c=1/1h d=1/1h e=1/1h f=1/1h g=1/1h h=1/1h i=1/1h");
    let untouched = Untouched::on(&s);
    let many = (0..17).map(|n| format!("l{n}=1/1h")).collect::<Vec<_>>().join(" ");
    let eight = (0..8).map(|n| format!("l{n}=1/1h")).collect::<Vec<_>>().join(" ");
    for (options, word) in [
        ("RATE".to_owned(), "ERR"),
        ("RATE s".to_owned(), "ERR"),
        ("RATE s 0".to_owned(), "ERR"),
        ("RATE s 1".to_owned(), "ERR"),
        ("RATE s 1 COUNT 2".to_owned(), "ERR"),
        ("RATE s 2 1/1h".to_owned(), "ERR"),
        ("RATE s 1 1/x".to_owned(), "ERR"),
        ("RATE s 2 x=1/1h x=2/1h".to_owned(), "ERR"),
        (format!("RATE s 17 {many}"), "ERR"),
        (format!("RATE full 8 {eight}"), "ERR"),
        ("RATE s 1 @nobody".to_owned(), "NOPOLICY"),
        ("RATE a 1 1/1h".to_owned(), "ERR"),
        ("RATE text 1 1/1h".to_owned(), "WRONGTYPE"),
        ("RATE s 1 1/1h RATE s 1 1/1h".to_owned(), "ERR"),
        ("RATE also 1 1/1h".to_owned(), "ERR"),
        ("RATE rate 1 1/1h".to_owned(), "ERR"),
        ("ALSO 1 rate RATE s 1 1/1h".to_owned(), "ERR"),
        ("WORKER rate".to_owned(), "ERR"),
    ] {
        for block in ["", " BLOCK 1m"] {
            untouched.refuses("a", format!("JOBQ.POP a {options}{block}"), word);
        }
    }
    for cost in ["-1", "x", "1000000000001", ""] {
        untouched.refuses("a", cmd!["JOBQ.PUSH", "a", "p", "COST", cost], "ERR");
    }
    s.ok("EXISTS s").is(0);
}

#[test]
fn a_limit_of_none_and_a_cost_beyond_all_hold_nobody_for_ever() {
    let s = server!();
    push(&s, &["a1"], "COST 1000");
    assert_eq!(ids(&s.ok("JOBQ.POP a RATE s 1 w=10/1h")), ["a1"]);
    assert_eq!(left(&s), 0);
    push(&s, &["b1"], "");
    let w = s.waits("JOBQ.POP b RATE off 1 w=0/1h BLOCK 300ms");
    w.reply().is(list![]);
}

#[test]
fn all_keys_are_found_and_checked() {
    let s = server!();
    for (call, keys) in [
        ("JOBQ.POP a RATE s 1 x=1/1s", list!["a", "s"]),
        ("JOBQ.POP a ALSO 2 b c RATE s 1 x=1/1s BLOCK 1s", list!["a", "b", "c", "s"]),
        ("JOBQ.POP a COUNT 2 rate s 1 x=1/1s", list!["a", "s"]),
        ("JOBQ.ACK a id 7", list!["a"]),
        ("JOBQ.ACK a id 7 RESULT rate", list!["a"]),
        ("JOBQ.ACK a id 7 RESULT RATE RATE s COST 1", list!["a", "s"]),
        ("JOBQ.ACK a RATE 7 COST 1 RATE s", list!["a", "s"]),
        ("JOBQ.FAIL a id 7 DEAD RATE s COST 1", list!["a", "s"]),
        ("JOBQ.FAIL a id 7 ERROR RATE KIND rate DEAD RATE s COST 1", list!["a", "s"]),
    ] {
        s.ok(format!("COMMAND GETKEYS {call}")).is(keys);
    }
    s.ok("ACL SETUSER limited on >secret ~mine:* +@all");
    let limited = s.client();
    limited.ok("AUTH limited secret");
    limited.ok("JOBQ.PUSH mine:a p ID a1");
    limited.refuses("JOBQ.POP mine:a RATE yours 1 x=1/1s", "NOPERM");
    let jobs = limited.ok("JOBQ.POP mine:a RATE mine:s 1 x=1/1s");
    limited.refuses(format!("JOBQ.ACK mine:a a1 {} RATE yours COST 1", token(&jobs)), "NOPERM");
    limited.ok(format!("JOBQ.ACK mine:a a1 {} RESULT rate RATE mine:s COST 1", token(&jobs)));
}

#[test]
fn in_a_cluster_queues_and_subject_share_a_slot() {
    let cluster = Cluster::start();
    let node = cluster.owner("{t}a");
    node.ok("JOBQ.PUSH {t}a p ID j");
    node.refuses("JOBQ.POP {t}a RATE {u}s 1 w=1/1h", "CROSSSLOT");
    let jobs = node.ok("JOBQ.POP {t}a RATE {t}s 1 w=1/1h");
    node.refuses(format!("JOBQ.ACK {{t}}a j {} RESULT rate RATE {{u}}s COST 1", token(&jobs)), "CROSSSLOT");
    node.ok(format!("JOBQ.ACK {{t}}a j {} RESULT rate RATE {{t}}s COST 0", token(&jobs)));
    node.ok("EXISTS {t}s").is(0);
}

#[test]
fn both_changes_are_one_unit_of_replication_and_survive_a_crash() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    push(&s, &["a1", "a2"], "COST 3");
    push(&s, &["b1"], "COST 8");
    let stream = s.stream();
    let t = token(&s.ok("JOBQ.POP a RATE s 2 w=10/1h b=9/1h:burst=9 LEASE 1h"));
    let sent = stream.taken(&s);
    let words: Vec<&str> = sent.iter().filter_map(|line| line.split_whitespace().next()).collect();
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    assert_eq!(upper, ["MULTI", "RATELIMIT._APPLY", "JOBQ._APPLY", "EXEC"], "{sent:?}");
    drop(s.waits("JOBQ.POP b RATE s 1 w=10/1h BLOCK 1h LEASE 1h"));
    eventually("nobody waits", || s.info("blocked_clients") == "0");
    s.ok(format!("JOBQ.ACK a a1 {t} RATE s COST 1"));
    let waiting = s.ok("JOBQ.POP a RATE s 1 w=10/1h LEASE 1h");
    assert_eq!(ids(&waiting), ["a2"]);
    s.in_step_with(&r);
    let digest = s.ok("WORKGATE.DIGEST");
    assert_eq!(digest, r.ok("WORKGATE.DIGEST"));
    s.crash_and_restart();
    assert_eq!(digest, s.ok("WORKGATE.DIGEST"));
    s.ok("DEBUG RELOAD");
    assert_eq!(digest, s.ok("WORKGATE.DIGEST"));
    // The charge came back with the job.
    s.ok(format!("JOBQ.FAIL a a2 {} RATE s COST 0 DEAD", token(&waiting)));
    s.ok("RATELIMIT.PEEK s b=9/1h:burst=9").at(2).clone().is(8);
}

#[test]
fn jobs_and_charges_that_no_client_got_go_back() {
    let s = server!();
    s.ok("RATELIMIT.CHECK s w=10/1h COST 5");
    let w = s.waits("JOBQ.POP a RATE s 1 w=10/1h BLOCK 1h COUNT 2");
    // The job is handed over, and the client killed, in one step: it never gets it.
    s.transaction(["JOBQ.MPUSH a 2 x y IDS 2 a1 a2 COST 2".to_owned(), format!("CLIENT KILL ID {}", w.id)]);
    eventually("the jobs are ready again", || s.ok("JOBQ.STATS a").field("ready").int() == 2);
    eventually("the charge is back", || left(&s) == 5);
    s.ok("JOBQ.GET a a1").field("attempt").clone().is(1);
}

#[test]
fn a_copy_and_a_redriven_job_owe_nothing() {
    let s = server!();
    push(&s, &["a1"], "COST 3 RETRIES 0");
    let t = token(&s.ok("JOBQ.POP a RATE s 1 w=10/1h"));
    s.ok("COPY a b");
    s.refuses(format!("JOBQ.ACK b a1 {t} RATE s COST 1"), "FENCED");
    s.ok(format!("JOBQ.FAIL a a1 {t}"));
    s.ok("JOBQ.REDRIVE a");
    let t = token(&s.ok("JOBQ.POP a"));
    s.refuses(format!("JOBQ.ACK a a1 {t} RATE s COST 1"), "ERR");
    assert_eq!(left(&s), 7);
    s.ok("JOBQ.GET a a1").field("cost").clone().is(3);
    s.ok("JOBQ.GET a a1").field("worker").clone().is(nil());
}

#[test]
fn who_waits_at_several_queues_keeps_its_place_while_one_of_them_has_a_job() {
    let s = server!();
    s.ok("RATELIMIT.CHECK s w=10/1h COST 10");
    let also = (0..98).map(|n| format!("k{n}")).collect::<Vec<_>>().join(" ");
    let w = s.waits(format!("JOBQ.POP a ALSO 100 b {also} c RATE s 1 w=10/1h BLOCK 1h"));
    push(&s, &["b1"], "");
    let behind = s.waits("RATELIMIT.CHECK s w=10/1h BLOCK 1h");
    // What comes and goes at another of its queues does not cost it its place.
    push(&s, &["a1"], "");
    assert_eq!(ids(&s.ok("JOBQ.POP a")), ["a1"]);
    s.ok("RATELIMIT.REFUND s w=10/1h COST 1");
    assert_eq!(ids(&w.reply()), ["b1"]);
    behind.still_waits(&s);
    s.ok("RATELIMIT.REFUND s w=10/1h COST 1");
    behind.reply().at(0).clone().is(1);
}
