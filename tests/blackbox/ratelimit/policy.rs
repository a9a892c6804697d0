//! RATELIMIT.POLICY, and what holds for everything that the module keeps beside the keys.

use crate::support::{Server, Snapshot, any, cmd, eventually, list, nil, server, status};

const GOLD: &str = "RATELIMIT.POLICY SET ai/gold ai=100/60s 10/1s:burst=20";

#[test]
fn a_policy_is_set_shown_and_deleted() {
    let s = server!();
    s.ok("RATELIMIT.POLICY GET ai/gold").is(nil());
    s.ok(GOLD).is(status("OK"));
    s.ok("RATELIMIT.POLICY SET ai ai=10/1m");
    s.ok("RATELIMIT.POLICY GET ai/gold").is(list!["ai=100/1m", "10/1s:burst=20"]);
    s.ok("RATELIMIT.POLICY LIST").is(list![
        "ai",
        list!["ai=10/1m"],
        "ai/gold",
        list!["ai=100/1m", "10/1s:burst=20"]
    ]);
    s.ok("RATELIMIT.POLICY DEL ai").is(1);
    s.ok("RATELIMIT.POLICY DEL ai").is(0);
    s.ok("RATELIMIT.POLICY LIST").is(list!["ai/gold", any()]);
}

#[test]
fn the_same_policy_sent_again_replicates_nothing() {
    let s = server!();
    let stream = s.stream();
    s.ok(GOLD);
    assert_eq!(stream.taken(&s).len(), 1);
    s.ok(GOLD).is(status("OK"));
    s.ok("RATELIMIT.POLICY DEL other").is(0);
    assert_eq!(stream.taken(&s), Vec::<String>::new());
}

#[test]
fn a_wrong_policy_is_refused_and_changes_nothing() {
    let s = server!();
    s.ok(GOLD);
    let before = s.ok("WORKGATE.DIGEST");
    for (call, text) in [
        ("RATELIMIT.POLICY SET ai/gold", "ERR"),
        ("RATELIMIT.POLICY SET ai/gold 10", "ERR invalid limit '10'"),
        ("RATELIMIT.POLICY SET ai/gold @ai/gold", "ERR '@ai/gold': a policy holds limits"),
        ("RATELIMIT.POLICY SET a#b 1/1s", "ERR policy name 'a#b'"),
        ("RATELIMIT.POLICY SET lock 1/1s", "ERR policy name 'lock'"),
        ("RATELIMIT.POLICY DEL a#b", "ERR policy name 'a#b'"),
        ("RATELIMIT.POLICY RENAME a b", "ERR"),
        ("RATELIMIT.POLICY LIST a", "ERR"),
        // Redis 8 hides it from clients, others refuse it.
        ("WORKGATE._APPLY ratelimit.policy x", "ERR"),
    ] {
        s.refuses(call, text);
    }
    s.ok("WORKGATE.DIGEST").is(&before);
}

#[test]
fn every_change_of_a_policy_moves_the_digest() {
    let s = server!();
    let mut seen = vec![s.ok("WORKGATE.DIGEST")];
    for change in [
        "RATELIMIT.POLICY SET a x=1/1s",
        "RATELIMIT.POLICY SET a x=2/1s",
        "RATELIMIT.POLICY SET a y=2/1s",
        "RATELIMIT.POLICY SET b y=2/1s",
        "RATELIMIT.POLICY DEL a",
    ] {
        s.ok(change);
        let digest = s.ok("WORKGATE.DIGEST");
        assert!(!seen.contains(&digest), "{change}");
        seen.push(digest);
    }
    s.ok("RATELIMIT.POLICY DEL b");
    s.ok("WORKGATE.DIGEST").is(&seen[0]);
}

#[test]
fn policies_survive_flushall_as_functions_do() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok(GOLD);
    s.ok("SET k v");
    s.ok("FLUSHALL");
    s.ok("RATELIMIT.POLICY GET ai/gold").is(list![any(), any()]);
    s.crash_and_restart();
    s.ok("RATELIMIT.POLICY GET ai/gold").is(list![any(), any()]);
}

#[test]
fn a_load_replaces_all_policies() {
    let s = server!();
    s.ok(GOLD);
    s.ok("DEBUG RELOAD");
    s.ok("RATELIMIT.POLICY GET ai/gold").is(list![any(), any()]);
    s.ok("SAVE");
    s.ok("RATELIMIT.POLICY SET later 1/1s");
    s.ok("DEBUG RELOAD NOSAVE");
    s.ok("RATELIMIT.POLICY LIST").is(list!["ai/gold", any()]);
    // A file that holds none leaves none.
    s.ok("RATELIMIT.POLICY DEL ai/gold");
    s.ok("SAVE");
    s.ok(GOLD);
    s.ok("DEBUG RELOAD NOSAVE");
    s.ok("RATELIMIT.POLICY LIST").is(list![]);
}

#[test]
fn a_rewritten_file_without_a_preamble_holds_the_policies() {
    let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
    s.ok("RATELIMIT.CHECK u 10/1h");
    s.ok(GOLD);
    rewrite(&s);
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s).keys(), before.keys());
    s.ok("RATELIMIT.POLICY GET ai/gold").is(list!["ai=100/1m", "10/1s:burst=20"]);
}

#[test]
fn a_rewritten_file_without_a_preamble_and_without_keys_holds_the_policies() {
    let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
    s.ok(GOLD);
    let mut r = s.replica(&["appendonly yes", "appendfsync always", "aof-use-rdb-preamble no"]);
    let stream = s.stream();
    rewrite(&s);
    rewrite(&r);
    assert_eq!(stream.taken(&s), Vec::<String>::new(), "the file is this server's own affair");
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
    s.ok("RATELIMIT.POLICY GET ai/gold").is(list!["ai=100/1m", "10/1s:burst=20"]);
    s.kill();
    r.crash_and_restart();
    assert_eq!(Snapshot::of(&r), before);
}

fn rewrite(s: &Server) {
    s.ok("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
    });
}

#[test]
fn replicas_hold_the_policies_of_their_primary() {
    let s = server!();
    s.ok(GOLD);
    s.ok("RATELIMIT.POLICY SET gone 1/1s");
    let r = s.replica(&["appendonly yes"]);
    s.ok("RATELIMIT.POLICY DEL gone");
    s.ok("RATELIMIT.POLICY SET ai ai=10/1m");
    s.in_step_with(&r);
    assert_eq!(Snapshot::of(&r), Snapshot::of(&s));
    r.ok("RATELIMIT.POLICY LIST").is(s.ok("RATELIMIT.POLICY LIST"));
    r.refuses("RATELIMIT.POLICY SET x 1/1s", "READONLY");
    // What a server had before it became a replica goes.
    let other = server!();
    other.ok("RATELIMIT.POLICY SET own 1/1s");
    other.ok(format!("REPLICAOF 127.0.0.1 {}", s.port()));
    s.in_step_with(&other);
    assert_eq!(Snapshot::of(&other), Snapshot::of(&s));
}

#[test]
fn clients_of_a_cluster_are_told_to_ask_every_primary() {
    let s = server!();
    let info = s.ok("COMMAND INFO RATELIMIT.POLICY").at(0).clone();
    let tips = |name: &str| {
        let row =
            info.at(9).items().iter().find(|row| row.at(0).text() == format!("ratelimit.policy|{name}"));
        row.expect(name).at(7).items().iter().map(crate::support::Reply::text).collect::<Vec<_>>()
    };
    let all = ["request_policy:all_shards", "response_policy:all_succeeded"];
    assert_eq!(tips("set"), all);
    assert_eq!(tips("del"), all);
    assert!(tips("get").is_empty() && tips("list").is_empty());
}

#[test]
fn names_of_any_bytes_are_answered() {
    let s = server!();
    s.ok(cmd!["RATELIMIT.POLICY", "GET", b"\0\xff"]).is(nil());
    s.refuses(cmd!["RATELIMIT.POLICY", "SET", b"\0\xff\r\n", "1/1s"], "ERR policy name");
    s.lives();
}

#[test]
fn a_call_names_a_policy_and_the_reply_names_the_limit() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET ai 10/1m");
    s.ok("RATELIMIT.CHECK u @ai COST 3").is(list![3, 10, 7, 0, 60_000, "@ai"]);
    s.ok("RATELIMIT.PEEK u @ai").is(list![1, 10, 7, 0, any(), "@ai"]);
    s.ok("RATELIMIT.CHECK u @ai BRIEF").is(6);
    s.ok("RATELIMIT.CHECK u @ai COST @ai=2").at(2).clone().is(4);
    s.ok("RATELIMIT.CHECK v 5/1m @ai b=7/1m DETAIL").at(6).clone().is(list![
        list!["5/1m", 1, 5, 4, 0, any(), 1, 60_000, "5/1m"],
        list!["@ai", 1, 10, 9, 0, any(), 1, 60_000, "10/1m"],
        list!["b", 1, 7, 6, 0, any(), 1, 60_000, "7/1m"]
    ]);
}

#[test]
fn a_changed_policy_carries_the_use_over_at_once() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET ai 10/1h 100/1d");
    s.ok("RATELIMIT.CHECK u @ai COST 8").at(2).clone().is(2);
    s.ok("RATELIMIT.POLICY SET ai 5/1h 100/1d");
    s.ok("RATELIMIT.CHECK u @ai").is(list![0, 5, 0, any(), any(), "@ai"]);
    s.ok("RATELIMIT.POLICY SET ai 20/2h 100/1d:bucket");
    s.ok("RATELIMIT.CHECK u @ai").is(list![1, 20, 11, 0, any(), "@ai"]);
    s.ok("RATELIMIT.PEEK u").is(list![
        list!["@ai", any(), 20, 11, any(), any(), 9, any(), "20/2h"],
        list!["@ai#2", any(), 100, 91, any(), any(), 9, any(), "100/1d:bucket"]
    ]);
    // Tiers that name their limit share its counter.
    s.ok("RATELIMIT.POLICY SET tier/free calls=10/1h");
    s.ok("RATELIMIT.POLICY SET tier/paid calls=100/1h");
    s.ok("RATELIMIT.CHECK w @tier/free COST 10").at(2).clone().is(0);
    s.ok("RATELIMIT.CHECK w @tier/paid").is(list![1, 100, 89, 0, any(), "calls"]);
}

#[test]
fn an_unknown_policy_and_too_many_limits_change_nothing() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET ai a=10/1h b=10/1h");
    let many: Vec<String> = (1..=15).map(|count| format!("{count}/1s")).collect();
    let untouched = crate::support::Untouched::on(&s);
    untouched.refuses("u", "RATELIMIT.CHECK u @other", "NOPOLICY unknown policy '@other'");
    untouched.refuses("u", "RATELIMIT.PEEK u 10/1m @other", "NOPOLICY");
    untouched.refuses("u", "RATELIMIT.CHECK u @", "ERR policy name ''");
    untouched.refuses("u", "RATELIMIT.CHECK u @ai @ai", "ERR limit 'a' is given twice");
    untouched.refuses("u", "RATELIMIT.CHECK u @ai b=7/1m", "ERR limit 'b' is given twice");
    untouched.refuses("u", format!("RATELIMIT.CHECK u {} @ai", many.join(" ")), "ERR too many limits");
    untouched.refuses("u", format!("RATELIMIT.CHECK u {}", "@ai ".repeat(40).trim()), "ERR");
    s.ok(format!("RATELIMIT.CHECK u {} @ai", many[..14].join(" "))).at(0).clone().is(1);
    s.ok("RATELIMIT.POLICY DEL ai");
    s.refuses("RATELIMIT.PEEK u @ai", "NOPOLICY");
}

#[test]
fn what_a_policy_counted_is_on_the_replica_and_survives() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok(
        "RATELIMIT.POLICY SET a.policy/with:a-long_name ai=10/1h 10/1h:burst=30 7/1d 30/month@Europe/Berlin",
    );
    s.ok("RATELIMIT.CHECK u @a.policy/with:a-long_name COST 2").at(0).clone().is(2);
    let r = s.replica(&[]);
    s.ok("RATELIMIT.CHECK u @a.policy/with:a-long_name COST 2").at(0).clone().is(2);
    s.in_step_with(&r);
    let before = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), before);
    r.ok("RATELIMIT.PEEK u @a.policy/with:a-long_name COST 4")
        .at(5)
        .clone()
        .is("@a.policy/with:a-long_name#2");
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
}

#[test]
fn policies_work_in_transactions_and_scripts() {
    let s = server!();
    let replies = s.transaction(["RATELIMIT.POLICY SET ai 10/1m", "RATELIMIT.CHECK u @ai"]);
    replies[1].clone().is(list![1, 10, 9, 0, 60_000, "@ai"]);
    s.ok(cmd!["EVAL", "redis.call('RATELIMIT.POLICY', 'SET', 'ai', '20/1m') return redis.call('RATELIMIT.CHECK', KEYS[1], '@ai')", 1, "u"])
        .at(2)
        .clone()
        .is(18);
}
