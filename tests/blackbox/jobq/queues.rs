//! JOBQ.QUEUES: the list of queues follows every way in which a key comes and goes.

use crate::support::{Client, Server, Untouched, cmd, eventually, list, server};

/// All queues of the selected database, by pages of that size; none is shown twice.
#[track_caller]
fn paged(s: &Client, count: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = s.ok(format!("JOBQ.QUEUES CURSOR {cursor} COUNT {count}"));
        assert!(page.at(1).items().len() <= count, "{page:?}");
        all.extend(page.at(1).items().iter().map(|name| name.text()));
        cursor = page.at(0).text();
        if cursor == "0" {
            break;
        }
    }
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(all, sorted, "in order, and none twice");
    all
}

#[track_caller]
fn queues(s: &Client) -> Vec<String> {
    paged(s, 1_000)
}

/// Checks what is listed. On Valkey 8.1 a queue that was renamed or moved is listed only once it
/// was found.
#[track_caller]
fn lists(s: &Client, want: &[&str]) {
    lists_when(s, want, "now");
}

/// Like [`lists`]; `when` is shown where it fails.
#[track_caller]
fn lists_when(s: &Client, want: &[&str], when: &str) {
    if s.ok("INFO server").text().contains("valkey_version:8.1.") {
        eventually("moved queues are found", || queues(s) == want);
    }
    assert_eq!(queues(s), want, "{when}");
}

/// What the server's register holds, gone ones included.
fn known(s: &Server) -> String {
    s.info("workgate_queues")
}

#[test]
fn a_queue_is_listed_from_its_first_push_until_its_key_goes() {
    let s = server!();
    s.ok("JOBQ.QUEUES").is(list!["0", list![]]);
    s.ok("JOBQ.POP nothing").is(list![]);
    s.ok("SET string v");
    s.ok("CACHE.SET cache v");
    let id = s.ok("JOBQ.PUSH b p").at(0).text();
    s.ok("JOBQ.MPUSH a 2 p p");
    s.ok("JOBQ.QUEUES").is(list!["0", list!["a", "b"]]);
    s.ok(format!("JOBQ.CANCEL b {id}"));
    lists(&s, &["a", "b"]);
    s.ok("DEL a");
    lists(&s, &["b"]);
    s.ok("JOBQ.PUSH a p");
    s.ok("UNLINK b");
    lists(&s, &["a"]);
    s.ok("SET a v");
    lists(&s, &[]);
    eventually("what has gone is forgotten", || known(&s) == "0");
}

#[test]
fn the_pages_hold_every_queue_once() {
    let s = server!();
    let names: Vec<String> = (0..250).map(|i| format!("q{i:03}")).collect();
    s.pipeline(names.iter().map(|name| format!("JOBQ.PUSH {name} p")));
    for count in [1, 7, 50, 249, 250, 251] {
        assert_eq!(paged(&s, count), names, "COUNT {count}");
    }
    let first = s.ok("JOBQ.QUEUES");
    assert_eq!(first.at(1).items().len(), 100);
    first.at(0).clone().is(">q099");
}

#[test]
fn what_comes_and_goes_between_two_pages_moves_no_other() {
    let mut s = server!();
    s.pipeline((0..10).map(|i| format!("JOBQ.PUSH q{i} p")));
    s.ok("JOBQ.QUEUES COUNT 3").is(list![">q2", list!["q0", "q1", "q2"]]);
    s.ok("DEL q0 q1 q2 q3");
    s.ok("JOBQ.PUSH q11 p");
    s.ok("RENAME q5 q12");
    s.ok("JOBQ.QUEUES CURSOR >q2 COUNT 3").is(list![">q5", list!["q4"]]);
    s.ok("SAVE");
    s.crash_and_restart();
    s.ok("JOBQ.QUEUES CURSOR >q5 COUNT 1000").is(list!["0", list!["q6", "q7", "q8", "q9"]]);
}

#[test]
fn a_name_of_any_bytes_is_a_cursor_too() {
    let s = server!();
    for name in [&b"0"[..], b">", b"\0\xff\r\n", b"", b"z"] {
        s.ok(cmd!["JOBQ.PUSH", name, "p"]);
    }
    let mut found = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let page = s.ok(cmd!["JOBQ.QUEUES", "COUNT", 1, "CURSOR", cursor]);
        found.extend(page.at(1).items().iter().map(|name| name.bytes().to_vec()));
        cursor = page.at(0).bytes().to_vec();
        if cursor == b"0" {
            break;
        }
    }
    assert_eq!(found, [&b""[..], b"\0\xff\r\n", b"0", b">", b"z"]);
}

#[test]
fn a_queue_that_is_renamed_copied_restored_or_moved_is_listed_where_it_is() {
    let s = server!();
    s.ok("JOBQ.PUSH a p");
    s.ok("RENAME a b");
    lists(&s, &["b"]);
    s.ok("RENAMENX b c");
    lists(&s, &["c"]);
    s.ok("COPY c d");
    lists(&s, &["c", "d"]);
    let dump = s.ok("DUMP c").bytes().to_vec();
    s.ok(cmd!["RESTORE", "e", 0, &dump]);
    // Over another type, over a queue, and where it is refused.
    s.ok("SET f v");
    s.ok(cmd!["RESTORE", "f", 0, &dump, "REPLACE"]);
    s.ok(cmd!["RESTORE", "e", 0, &dump, "REPLACE"]);
    s.refuses(cmd!["RESTORE", "e", 0, &dump], "BUSYKEY");
    s.refuses(cmd!["RESTORE", "g", 0, &dump[..dump.len() - 1]], "ERR");
    s.ok("COPY c f REPLACE");
    s.ok("SET h v");
    s.ok("RENAME c h");
    lists(&s, &["d", "e", "f", "h"]);
    s.ok("COPY d other DB 3");
    s.ok("MOVE e 3");
    lists(&s, &["d", "f", "h"]);
    s.ok("SELECT 3");
    lists(&s, &["e", "other"]);
    s.ok("SELECT 0");
    s.transaction(["RENAME d x", "RENAME x y", "JOBQ.PUSH d p", "DEL d", "JOBQ.PUSH d p"]);
    s.ok(cmd!["EVAL", "redis.call('RENAME', KEYS[1], KEYS[2])", 2, "h", "z"]);
    lists(&s, &["d", "f", "y", "z"]);
    eventually("nothing else is remembered", || known(&s) == "6");
    // Looking into what may have gone has taken away nothing that is there.
    lists(&s, &["d", "f", "y", "z"]);
}

#[test]
fn databases_have_their_own_lists_swapped_and_flushed_with_them() {
    let s = server!();
    s.ok("JOBQ.PUSH a p");
    s.ok("JOBQ.PUSH gone p");
    s.ok("SELECT 1");
    s.ok("JOBQ.PUSH b p");
    lists(&s, &["b"]);
    // What is suspected at the time of the swap is looked for where it is then.
    s.transaction(["SELECT 0", "DEL gone", "SWAPDB 0 1", "SELECT 1"]);
    lists(&s, &["a"]);
    eventually("the one that has gone is forgotten", || known(&s) == "2");
    s.ok("SWAPDB 1 5");
    lists(&s, &[]);
    s.ok("SELECT 5");
    lists(&s, &["a"]);
    s.ok("FLUSHDB");
    lists(&s, &[]);
    s.ok("SELECT 0");
    lists(&s, &["b"]);
    for flush in ["FLUSHDB ASYNC", "FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB SYNC"] {
        s.ok(flush);
        assert_eq!((queues(&s), known(&s)), (vec![], "0".to_owned()), "{flush}");
        s.ok("JOBQ.PUSH again p");
        lists_when(&s, &["again"], flush);
    }
}

#[test]
fn an_expired_or_evicted_queue_is_listed_no_more() {
    let s = server!();
    s.ok("JOBQ.PUSH stays p");
    s.ok("JOBQ.PUSH expires p");
    s.ok("PEXPIRE expires 30");
    eventually("it has expired", || queues(&s) == ["stays"]);
    eventually("and is forgotten", || known(&s) == "1");
    s.ok("CONFIG SET maxmemory-policy allkeys-random maxmemory 1");
    // Any command that may use memory evicts first.
    let _ = s.call("SET k v");
    lists(&s, &[]);
    eventually("and is forgotten", || known(&s) == "0");
}

#[test]
fn every_load_brings_the_list_back() {
    let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
    s.ok("JOBQ.PUSH a p");
    s.ok("SELECT 2");
    s.ok("JOBQ.PUSH b p");
    s.ok("JOBQ.PUSH c p");
    s.ok("RENAME c d");
    let check = |s: &Server, how: &str| {
        s.ok("SELECT 2");
        lists_when(s, &["b", "d"], how);
        s.ok("SELECT 0");
        lists_when(s, &["a"], how);
        eventually("nothing else is remembered", || known(s) == "3");
    };
    check(&s, "before");
    s.ok("DEBUG RELOAD");
    check(&s, "the RDB file");
    s.ok("DEBUG RELOAD NOSAVE MERGE NOFLUSH");
    check(&s, "a load beside what is there");
    s.ok("DEBUG LOADAOF");
    check(&s, "the append-only file, at runtime");
    s.crash_and_restart();
    check(&s, "the append-only file");
    s.ok("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
    });
    s.crash_and_restart();
    check(&s, "the rewritten file");
}

#[test]
fn a_replica_lists_what_its_primary_has_however_it_was_synchronised() {
    let s = server!();
    s.ok("JOBQ.PUSH a p");
    for load in ["disabled", "swapdb", "on-empty-db"] {
        let r = server!(&format!("repl-diskless-load {load}"));
        r.ok("JOBQ.PUSH own p");
        r.ok("SELECT 1");
        r.ok("JOBQ.PUSH own p");
        r.ok(format!("REPLICAOF 127.0.0.1 {}", s.port()));
        s.in_step_with(&r);
        lists_when(&r, &[], load);
        r.ok("SELECT 0");
        lists_when(&r, &["a"], load);
        eventually("what it had is forgotten", || known(&r) == "1");
        s.ok("JOBQ.PUSH b p");
        s.ok("RENAME b c");
        s.in_step_with(&r);
        lists_when(&r, &["a", "c"], load);
        s.ok("DEL c");
        s.in_step_with(&r);
        lists_when(&r, &["a"], load);
        r.ok("REPLICAOF NO ONE");
        r.ok("JOBQ.PUSH d p");
        lists_when(&r, &["a", "d"], load);
    }
}

#[test]
fn a_queue_that_migrates_is_listed_on_the_other_server() {
    let (s, t) = (server!(), server!());
    s.ok("JOBQ.PUSH a p");
    s.ok(format!("MIGRATE 127.0.0.1 {} a 0 5000", t.port()));
    assert_eq!((queues(&s), queues(&t)), (vec![], vec!["a".to_owned()]));
    eventually("the first has forgotten it", || known(&s) == "0");
}

#[test]
fn listing_changes_nothing_and_what_is_malformed_is_refused() {
    let s = server!();
    s.ok("JOBQ.PUSH a p");
    let untouched = Untouched::on(&s);
    untouched.during("a", || s.ok("JOBQ.QUEUES"));
    for options in [
        "CURSOR",
        "CURSOR 1",
        "CURSOR q",
        "CURSOR 0 CURSOR 0",
        "COUNT",
        "COUNT 0",
        "COUNT 1001",
        "COUNT x",
        "COUNT 1 COUNT 1",
        "NONSENSE",
        "a",
    ] {
        untouched.refuses("a", format!("JOBQ.QUEUES {options}"), "ERR");
    }
    // It works in transactions and scripts, and for users that may only read.
    s.transaction(["JOBQ.QUEUES"])[0].clone().is(list!["0", list!["a"]]);
    s.ok(cmd!["EVAL_RO", "return redis.call('JOBQ.QUEUES')", 0]).is(list!["0", list!["a"]]);
}

#[test]
fn a_large_list_is_paged_in_little_time() {
    let s = server!();
    for part in 0..20 {
        s.pipeline((0..1_000).map(|i| format!("JOBQ.PUSH q{part:02}{i:03} p")));
    }
    s.ok("CONFIG RESETSTAT");
    assert_eq!(paged(&s, 1_000).len(), 20_000);
    let stats = s.ok("INFO commandstats").text();
    let line =
        stats.lines().find(|line| line.starts_with("cmdstat_jobq.queues:")).expect("its line").to_owned();
    let field = |name: &str| {
        line.split([':', ',']).find_map(|part| part.strip_prefix(name)).expect("a field").to_owned()
    };
    assert_eq!(field("calls="), "20");
    let mean: f64 = field("usec_per_call=").parse().expect("a number");
    assert!(mean < 20_000.0, "{mean} microseconds a page");
}
