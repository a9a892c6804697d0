//! CACHE.INVALIDATE: what it reaches, what it leaves alone, and where it goes.

use crate::support::{Server, Snapshot, any, cmd, eventually, list, nil, server, status, token, within};

/// The state and the token that a reader is given.
#[track_caller]
fn reads(s: &Server, key: &str) -> (String, i64) {
    let reply = s.ok(format!("CACHE.GETSET {key} LEASE 1h"));
    (reply.at(0).text(), reply.at(2).int())
}

#[test]
fn a_prefix_reaches_all_keys_that_begin_with_it_in_all_databases() {
    let s = server!();
    for key in ["user:1", "user:2:name", "usher", "other"] {
        s.ok(format!("CACHE.SET {key} v TTL 1h"));
    }
    s.ok("SELECT 7");
    s.ok("CACHE.SET user:7 v");
    s.ok("CACHE.INVALIDATE PREFIX 1 user:").is(status("OK"));
    s.ok("CACHE.GET user:7").is(nil());
    s.ok("SELECT 0");
    s.ok("CACHE.GET user:1").is(nil());
    s.ok("CACHE.GET user:2:name").is(nil());
    s.ok("CACHE.GET usher").is("v");
    s.ok("CACHE.GET other").is("v");
    assert_eq!(reads(&s, "user:1").0, "FILL");
    assert_eq!(reads(&s, "usher").0, "HIT");
    s.ok("CACHE.SET user:1 w TTL 1h").is(1);
    s.ok("CACHE.GET user:1").is("w");
    s.ok("CACHE.INVALIDATE PREFIX 2 nothing ush").is(status("OK"));
    assert_eq!(reads(&s, "usher").0, "FILL");
    s.ok(cmd!["CACHE.INVALIDATE", "PREFIX", "1", ""]).is(status("OK"));
    assert_eq!(reads(&s, "other").0, "FILL");
}

#[test]
fn a_value_with_a_grace_is_served_stale_while_one_loads_it_anew() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h GRACE 10s");
    s.ok("CACHE.INVALIDATE PREFIX 1 k");
    s.ok("CACHE.GET k").is(nil());
    s.ok("CACHE.GETSET k LEASE 1m").is(list!["REFRESH", "v", token(), 60_000]);
    s.ok("CACHE.GETSET k").is(list!["STALE", "v", 0, within(5_000..=10_000)]);
    // What was invalidated again before anyone looked is not served for longer than it would have
    // been.
    s.ok("CACHE.SET short v TTL 1h GRACE 40ms");
    s.ok("CACHE.INVALIDATE PREFIX 1 s");
    s.goes_on(45);
    assert_eq!(reads(&s, "short").0, "FILL");
}

#[test]
fn a_fill_in_flight_is_fenced() {
    let s = server!();
    let (state, before) = reads(&s, "k");
    assert_eq!(state, "FILL");
    s.ok("CACHE.INVALIDATE PREFIX 1 k");
    s.ok(format!("CACHE.SET k old TOKEN {before} TTL 1h")).is(0);
    let (state, after) = reads(&s, "k");
    assert_eq!(state, "FILL");
    s.ok(format!("CACHE.SET k new TOKEN {after} TTL 1h")).is(1);
    s.ok("CACHE.GET k").is("new");
    s.ok(format!("CACHE.SET k old TOKEN {before} TTL 1h")).is(0);
    // The next reader does not wait for a lease whose fill is fenced.
    assert_eq!(reads(&s, "other").0, "FILL");
    s.ok("CACHE.INVALIDATE PREFIX 1 o");
    assert_eq!(reads(&s, "other").0, "FILL");
}

#[test]
fn a_re_sent_invalidation_reaches_what_was_loaded_in_between() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h");
    s.ok("CACHE.INVALIDATE PREFIX 1 k").is(status("OK"));
    s.ok("CACHE.SET k w TTL 1h");
    s.ok("CACHE.INVALIDATE PREFIX 1 k").is(status("OK"));
    s.ok("CACHE.GET k").is(nil());
}

#[test]
fn plain_strings_and_other_families_are_left_alone() {
    let s = server!();
    s.ok("SET k:string v");
    s.ok("JOBQ.PUSH k:queue p");
    s.ok("CACHE.INVALIDATE PREFIX 1 k:");
    s.ok("CACHE.GET k:string").is("v");
    s.ok("JOBQ.STATS k:queue").field("ready").clone().is(1);
}

#[test]
fn a_wrong_invalidation_is_refused_and_changes_nothing() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h");
    let before = s.ok("WORKGATE.DIGEST");
    s.refuses("CACHE.INVALIDATE PREFIX", "ERR");
    s.refuses("CACHE.INVALIDATE ALL k", "ERR");
    s.refuses(cmd!["CACHE.INVALIDATE", "PREFIX", "2", "k", vec![b'k'; 1_025]], "ERR prefix of 1025 bytes");
    s.refuses(
        format!("CACHE.INVALIDATE PREFIX 1001 {}", vec!["k"; 1_001].join(" ")),
        "ERR numprefixes '1001'",
    );
    s.refuses("CACHE.INVALIDATE PREFIX 0 k", "ERR numprefixes '0'");
    s.refuses("CACHE.INVALIDATE TAG user:1 user:2", "ERR numtags 'user:1'");
    s.refuses("CACHE.INVALIDATE TAG 2 user:1", "ERR tag is missing");
    s.refuses("CACHE.INVALIDATE TAG 1 user:1 user:2", "ERR unknown option 'user:2'");
    s.refuses("CACHE.INVALIDATE TAG 1 user:1 HARD hard", "ERR option HARD is given twice");
    s.ok("WORKGATE.DIGEST").is(&before);
    s.ok("CACHE.GET k").is("v");
    s.ok(cmd!["CACHE.INVALIDATE", "PREFIX", "1", b"\0\xff"]).is(status("OK"));
}

/// Entries in every state, some invalidated and not looked at since.
fn fill(s: &Server) {
    for key in ["a:endless", "b:endless"] {
        s.ok(format!("CACHE.SET {key} v"));
    }
    s.ok("CACHE.SET a:ttl v TTL 1h");
    s.ok("CACHE.SET a:grace v TTL 1h GRACE 30m");
    s.ok("CACHE.SET b:grace v TTL 1h GRACE 30m");
    s.ok("CACHE.GETSET a:lease LEASE 1h");
    s.ok("CACHE.INVALIDATE PREFIX 2 gone a: ");
    s.ok("CACHE.SET a:later v TTL 1h");
}

#[track_caller]
fn is_filled(s: &Server) {
    s.ok("CACHE.GET a:later").is("v");
    s.ok("CACHE.GET b:endless").is("v");
    for key in ["a:endless", "a:ttl", "a:grace"] {
        s.ok(format!("CACHE.GET {key}")).is(nil());
    }
    s.ok("CACHE.GETSET a:grace").is(list!["REFRESH", "v", token(), any()]);
    assert_eq!(reads(s, "a:lease").0, "FILL");
    assert_eq!(reads(s, "a:endless").0, "FILL");
}

#[test]
fn what_was_invalidated_is_so_after_a_restart_and_on_the_replica() {
    for preamble in ["aof-use-rdb-preamble yes", "aof-use-rdb-preamble no"] {
        let mut s = server!("appendonly yes", "appendfsync always", preamble);
        let r = s.replica(&[]);
        fill(&s);
        let late = s.replica(&[]);
        let before = Snapshot::of(&s);
        for replica in [&r, &late] {
            s.in_step_with(replica);
            assert_eq!(Snapshot::of(replica), before, "{preamble}");
            replica.ok("CACHE.GET a:grace").is(nil());
        }
        s.crash_and_restart();
        assert_eq!(Snapshot::of(&s), before, "{preamble}: the replayed file");
        s.ok("DEBUG RELOAD");
        assert_eq!(Snapshot::of(&s), before, "{preamble}: the reload");
        s.ok("BGREWRITEAOF");
        eventually("the file is rewritten", || {
            s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
        });
        s.crash_and_restart();
        assert_eq!(Snapshot::of(&s), before, "{preamble}: the rewritten file");
        // Parted first: it may follow the restarted server again by now.
        late.ok("REPLICAOF NO ONE");
        is_filled(&s);
        is_filled(&late);
    }
}

#[test]
fn an_entry_that_leaves_takes_its_invalidation_along() {
    let s = server!();
    fill(&s);
    let other = server!();
    for key in ["a:endless", "a:ttl", "a:grace", "a:lease", "a:later", "b:endless"] {
        other.ok(cmd!["RESTORE", key, 0, s.ok(format!("DUMP {key}")).bytes().to_vec()]);
    }
    is_filled(&other);
    s.ok("COPY a:ttl copy");
    s.ok("CACHE.GET copy").is(nil());
    s.ok("COPY b:endless a:copy");
    s.ok("CACHE.GET a:copy").is(nil());
    is_filled(&s);
}

#[test]
fn flushall_keeps_what_was_invalidated() {
    let s = server!();
    s.ok("CACHE.SET k v");
    let dump = s.ok("DUMP k").bytes().to_vec();
    s.ok("CACHE.INVALIDATE PREFIX 1 k");
    s.ok("FLUSHALL");
    s.ok(cmd!["RESTORE", "k", 0, dump]);
    s.ok("CACHE.GET k").is(nil());
}

#[test]
fn an_invalidation_is_one_effect_and_so_is_what_a_reader_finds() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h GRACE 1h");
    let stream = s.stream();
    s.ok("CACHE.INVALIDATE PREFIX 4 a b c k");
    assert_eq!(stream.taken(&s).len(), 1);
    s.ok("CACHE.GET k");
    assert_eq!(stream.taken(&s), Vec::<String>::new());
    s.ok("CACHE.GETSET k LEASE 1h");
    stream.taken(&s);
    s.ok("CACHE.GETSET k LEASE 1h");
    assert_eq!(stream.taken(&s), Vec::<String>::new(), "written down once");
}

#[test]
fn a_tag_reaches_what_was_stored_with_it_in_all_databases() {
    let s = server!();
    s.ok("CACHE.SET one v TTL 1h TAGS 2 user:1 page").is(1);
    s.ok("CACHE.SET two v TAGS 1 user:2").is(1);
    s.ok("CACHE.SET three v").is(1);
    s.ok("CACHE.GETSET brought VALUE v TTL 1h TAGS 1 user:1").at(0).clone().is("STORED");
    s.refuses("CACHE.GETSET brought TAGS 1 user:1", "ERR TAGS needs VALUE");
    s.ok("SELECT 3");
    s.ok("CACHE.SET elsewhere v TTL 1h GRACE 1m TAGS 3 a b user:1").is(1);
    s.ok("CACHE.INVALIDATE TAG 2 user:1 nobody").is(status("OK"));
    s.ok("CACHE.GET elsewhere").is(nil());
    s.ok("CACHE.GETSET elsewhere").is(list!["REFRESH", "v", token(), any()]);
    s.ok("SELECT 0");
    assert_eq!(reads(&s, "one").0, "FILL");
    assert_eq!(reads(&s, "two").0, "HIT");
    assert_eq!(reads(&s, "brought").0, "FILL");
    assert_eq!(reads(&s, "three").0, "HIT");
    // Tags hold any byte, and a value that is stored again without tags has none.
    s.ok(cmd!["CACHE.SET", "two", "v", "TAGS", 1, b"\0\xff\r\n"]);
    s.ok("CACHE.INVALIDATE TAG 1 user:2");
    assert_eq!(reads(&s, "two").0, "HIT");
    s.ok(cmd!["CACHE.INVALIDATE", "TAG", "1", b"\0\xff\r\n"]);
    assert_eq!(reads(&s, "two").0, "FILL");
}

#[test]
fn a_fill_in_flight_is_fenced_by_a_tag_that_it_will_have() {
    let s = server!();
    let (_, before) = reads(&s, "k");
    s.ok("CACHE.INVALIDATE TAG 1 t");
    let (_, unconcerned) = reads(&s, "other");
    s.ok(format!("CACHE.SET k old TOKEN {before} TTL 1h TAGS 2 s t")).is(0);
    s.ok(format!("CACHE.SET other v TOKEN {unconcerned} TTL 1h TAGS 1 t")).is(1);
    s.ok("CACHE.GET k").is(nil());
    // Its lease has ended: the next reader does not wait for nothing.
    let (state, after) = reads(&s, "k");
    assert_eq!(state, "FILL");
    s.ok(format!("CACHE.SET k old TOKEN {before} TTL 1h TAGS 2 s t")).is(0);
    s.ok(format!("CACHE.SET k new TOKEN {after} TTL 1h TAGS 2 s t")).is(1);
    s.ok(format!("CACHE.SET k new TOKEN {after} TTL 1h TAGS 2 s t")).is(1);
    s.ok("CACHE.GET k").is("new");
    // With the token of what is stored already no tag can be added.
    s.ok(format!("CACHE.SET k new TOKEN {after} TTL 1h TAGS 1 u")).is(0);
    s.ok("CACHE.INVALIDATE TAG 1 s");
    s.ok(format!("CACHE.SET k new TOKEN {after} TTL 1h TAGS 2 s t")).is(0);
}

#[test]
fn who_waits_for_a_fenced_fill_is_sent_to_load() {
    let s = server!();
    let (_, before) = reads(&s, "k");
    let w = s.waits("CACHE.GETSET k LEASE 1h BLOCK 1m");
    s.ok("CACHE.INVALIDATE TAG 1 t");
    w.still_waits(&s);
    s.ok(format!("CACHE.SET k old TOKEN {before} TTL 1h TAGS 1 t")).is(0);
    w.reply().is(list!["FILL", nil(), token(), 3_600_000]);
}

#[test]
fn info_tells_how_much_is_remembered() {
    let s = server!();
    s.ok("CACHE.INVALIDATE TAG 3 a b c");
    s.ok("CACHE.INVALIDATE TAG 2 a d");
    s.ok("CACHE.INVALIDATE PREFIX 3 user:1 user: other");
    let info = s.ok("INFO workgate").text();
    assert!(info.contains("invalidated_tags:4") && info.contains("invalidated_prefixes:2"), "{info}");
}

#[test]
fn wrong_tags_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h TAGS 1 t");
    let before = s.ok("WORKGATE.DIGEST");
    for rest in ["TAGS", "TAGS 0", "TAGS 2 a", "TAGS 33 a", "TAGS x a", "TAGS 1 a TAGS 1 b", "TAGS 1 a b"] {
        s.refuses(format!("CACHE.SET k w TTL 1h {rest}"), "ERR");
    }
    s.refuses(cmd!["CACHE.SET", "k", "w", "TAGS", 1, ""], "ERR tag of 0 bytes");
    s.refuses(cmd!["CACHE.SET", "k", "w", "TAGS", 1, vec![b't'; 129]], "ERR tag of 129 bytes");
    s.refuses(cmd!["CACHE.INVALIDATE", "TAG", "2", "t", ""], "ERR tag of 0 bytes");
    s.ok("WORKGATE.DIGEST").is(&before);
    let many: Vec<String> = (0..32).map(|tag| format!("t{tag}")).collect();
    s.ok(format!("CACHE.SET k w TTL 1h TAGS 32 {}", many.join(" "))).is(1);
    s.ok("CACHE.INVALIDATE TAG 1 t31");
    s.ok("CACHE.GET k").is(nil());
}

#[test]
fn a_tagged_entry_takes_its_invalidation_along_and_keeps_its_tags() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok("CACHE.SET gone v TTL 1h GRACE 30m TAGS 2 a b");
    s.ok("CACHE.INVALIDATE TAG 1 b");
    s.ok("CACHE.SET kept v TTL 1h TAGS 2 a b");
    let other = server!();
    for key in ["gone", "kept"] {
        other.ok(cmd!["RESTORE", key, 0, s.ok(format!("DUMP {key}")).bytes().to_vec()]);
    }
    other.ok("CACHE.GET gone").is(nil());
    other.ok("CACHE.GET kept").is("v");
    other.ok("CACHE.INVALIDATE TAG 1 a");
    other.ok("CACHE.GET kept").is(nil());
    s.ok("COPY gone copy");
    s.ok("CACHE.GET copy").is(nil());
    s.crash_and_restart();
    s.ok("CACHE.GET gone").is(nil());
    s.ok("CACHE.GET kept").is("v");
    s.ok("CACHE.INVALIDATE TAG 1 a");
    s.ok("CACHE.GET kept").is(nil());
}

#[test]
fn clients_of_a_cluster_are_told_to_invalidate_on_every_primary() {
    let s = server!();
    let info = s.ok("COMMAND INFO CACHE.INVALIDATE").at(0).clone();
    let subcommands = info.at(9).items();
    for row in subcommands.iter().filter(|row| !row.at(0).text().ends_with("|help")) {
        let tips: Vec<_> = row.at(7).items().iter().map(crate::support::Reply::text).collect();
        assert_eq!(tips, ["request_policy:all_shards", "response_policy:all_succeeded"]);
    }
    assert_eq!(subcommands.len(), 3);
}

#[test]
fn a_hard_invalidation_leaves_nothing_to_be_served_stale() {
    let mut s = server!("appendonly yes", "appendfsync always");
    for key in ["a:soft", "a:hard", "b"] {
        s.ok(format!("CACHE.SET {key} v TTL 1h GRACE 1h TAGS 1 t:{key}"));
    }
    let lease = reads(&s, "a:lease").1;
    s.ok("CACHE.INVALIDATE TAG 1 t:a:soft").is(status("OK"));
    s.ok("CACHE.INVALIDATE TAG 1 t:a:hard HARD").is(status("OK"));
    s.ok("CACHE.GET a:hard").is(nil());
    assert_eq!(reads(&s, "a:soft").0, "REFRESH");
    assert_eq!(reads(&s, "a:hard").0, "FILL");
    assert_eq!(reads(&s, "a:hard").0, "BUSY");
    s.ok("CACHE.INVALIDATE PREFIX 2 a: nothing hard").is(status("OK"));
    s.ok(format!("CACHE.SET a:lease v TOKEN {lease}")).is(0);
    assert_eq!(reads(&s, "a:soft").0, "FILL");
    // A soft one after it revives nothing, neither here nor after a restart.
    s.ok("CACHE.SET c:old v TTL 1h GRACE 1h TAGS 1 c");
    s.ok("CACHE.INVALIDATE TAG 1 c HARD");
    s.ok("CACHE.INVALIDATE TAG 1 c");
    s.ok("CACHE.INVALIDATE PREFIX 1 c:");
    let want = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), want);
    assert_eq!(reads(&s, "c:old").0, "FILL");
    s.ok("CACHE.GET b").is("v");
}

#[test]
fn what_was_invalidated_hard_leaves_the_server_as_missing() {
    let (s, other) = (server!(), server!());
    s.ok("CACHE.SET k v TTL 1h GRACE 1h META m TAGS 1 t");
    s.ok("CACHE.INVALIDATE TAG 1 t HARD");
    let dump = s.ok("DUMP k").bytes().to_vec();
    other.ok(cmd!["RESTORE", "k", "3600000", dump]);
    other.ok("CACHE.GET k").is(nil());
    assert_eq!(reads(&other, "k").0, "FILL");
    let r = s.replica(&[]);
    s.in_step_with(&r);
    r.ok("CACHE.GET k").is(nil());
    s.ok("CACHE.GETSET k WITHMETA").is(list!["FILL", nil(), token(), 10_000, nil()]);
    s.in_step_with(&r);
    assert_eq!(Snapshot::of(&r), Snapshot::of(&s));
}
