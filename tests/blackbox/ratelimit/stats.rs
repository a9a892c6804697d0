//! RATELIMIT.STATS: what calls were answered, and the subjects that were denied most.

use crate::support::{Reply, Server, Snapshot, list, server};

/// `[allowed, denied, locked]` of all calls, or of those with a policy.
#[track_caller]
fn counts(s: &Server, policy: &str) -> [i64; 3] {
    let stats = s.ok(format!("RATELIMIT.STATS {policy}"));
    ["allowed", "denied", "locked"].map(|field| stats.field(field).int())
}

#[track_caller]
fn subjects(s: &Server, policy: &str) -> Reply {
    s.ok(format!("RATELIMIT.STATS {policy}")).field("subjects").clone()
}

#[test]
fn calls_are_counted_in_all_and_for_the_policy_that_they_name() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=2/1h");
    assert_eq!(counts(&s, "p"), [0, 0, 0]);
    subjects(&s, "p").is(list![]);
    for _ in 0..5 {
        s.ok("RATELIMIT.CHECK one @p");
    }
    s.ok("RATELIMIT.CHECK two @p COST 2");
    s.ok("RATELIMIT.CHECK two @p 5/1h");
    s.ok("RATELIMIT.CHECK three 1/1h COST 2");
    assert_eq!(counts(&s, "p"), [3, 4, 0]);
    assert_eq!(counts(&s, "@p"), [3, 4, 0]);
    assert_eq!(counts(&s, ""), [3, 5, 0]);
    subjects(&s, "p").is(list![list!["one", 3, 0], list!["two", 1, 0]]);
    subjects(&s, "").is(list![list!["one", 3, 0], list!["three", 1, 0], list!["two", 1, 0]]);
    assert_eq!([s.info("workgate_allowed"), s.info("workgate_denied")], ["3", "5"]);
}

#[test]
fn what_a_lock_denies_is_counted_apart_and_as_denied() {
    let s = server!();
    s.ok("RATELIMIT.LOCK u 1h");
    s.ok("RATELIMIT.CHECK u 5/1h");
    s.ok("RATELIMIT.CHECK v 1/1h");
    s.ok("RATELIMIT.CHECK v 1/1h");
    assert_eq!(counts(&s, ""), [1, 2, 1]);
    assert_eq!(s.info("workgate_locked"), "1");
}

#[test]
fn several_subjects_are_one_call_and_a_throttle_counts() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=1/1h");
    for _ in 0..3 {
        s.ok("RATELIMIT.MCHECK u ALSO 1 ip 1 9/1h 1 @p");
    }
    s.ok("CL.THROTTLE t 0 1 3600");
    s.ok("CL.THROTTLE t 0 1 3600");
    assert_eq!(counts(&s, "p"), [1, 2, 0]);
    assert_eq!(counts(&s, ""), [2, 3, 0]);
    subjects(&s, "").is(list![list!["ip", 2, 0], list!["t", 1, 0]]);
}

#[test]
fn what_only_looks_or_passes_in_a_shadow_is_not_denied() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/1h");
    for call in ["PEEK u 1/1h", "CHECK u 1/1h SHADOW", "REFUND u 1/1h COST 0"] {
        s.ok(format!("RATELIMIT.{call}"));
    }
    s.refuses("RATELIMIT.CHECK u 1/1h NONSENSE", "ERR");
    assert_eq!(counts(&s, ""), [2, 0, 0]);
    subjects(&s, "").is(list![]);
}

#[test]
fn a_call_that_waits_is_counted_once_when_it_is_answered() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=1/1h");
    s.ok("RATELIMIT.CHECK u @p");
    let granted = s.waits("RATELIMIT.CHECK u @p BLOCK 1h");
    assert_eq!(counts(&s, "p"), [1, 0, 0]);
    s.ok("RATELIMIT.RESET u");
    granted.reply().at(0).clone().is(1);
    assert_eq!(counts(&s, "p"), [2, 0, 0]);
    s.asks("RATELIMIT.CHECK u @p BLOCK 30ms").reply().at(0).clone().is(0);
    assert_eq!(counts(&s, "p"), [2, 1, 0]);
    subjects(&s, "p").is(list![list!["u", 1, 0]]);
}

#[test]
fn the_most_denied_stand_out_of_many() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=0/1h");
    let calls =
        (0..500).flat_map(|n| [format!("RATELIMIT.CHECK u{n} @p"), "RATELIMIT.CHECK often @p".into()]);
    assert!(!s.pipeline(calls).iter().any(Reply::is_error));
    let found = subjects(&s, "p");
    assert_eq!(found.items().len(), 50);
    found.at(0).clone().is(list!["often", 500, 0]);
    assert_eq!(counts(&s, "p"), [0, 1_000, 0]);
}

#[test]
fn only_subjects_that_the_caller_may_read_in_its_database_are_shown() {
    let s = server!();
    for key in ["app:1", "other:1"] {
        s.ok(format!("RATELIMIT.CHECK {key} 0/1h"));
    }
    s.ok("SELECT 1");
    s.ok("RATELIMIT.CHECK app:2 0/1h");
    s.ok("SELECT 0");
    s.ok("ACL SETUSER app on >word ~app:* +@all");
    let c = s.client();
    c.ok("AUTH app word");
    c.ok("RATELIMIT.STATS").field("subjects").clone().is(list![list!["app:1", 1, 0]]);
    subjects(&s, "").is(list![list!["app:1", 1, 0], list!["other:1", 1, 0]]);
}

#[test]
fn a_policy_that_is_deleted_begins_anew_and_an_unknown_one_is_refused() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=1/1h");
    s.ok("RATELIMIT.CHECK u @p");
    s.ok("RATELIMIT.POLICY SET p a=2/1h");
    assert_eq!(counts(&s, "p"), [1, 0, 0]);
    s.ok("RATELIMIT.POLICY DEL p");
    s.refuses("RATELIMIT.STATS p", "NOPOLICY");
    s.ok("RATELIMIT.POLICY SET p a=2/1h");
    assert_eq!(counts(&s, "p"), [0, 0, 0]);
    s.refuses("RATELIMIT.STATS p q", "ERR");
}

#[test]
fn statistics_are_no_part_of_what_is_replicated() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok("RATELIMIT.CHECK u 1/1h");
    s.ok("RATELIMIT.CHECK u 1/1h");
    s.in_step_with(&r);
    r.ok("RATELIMIT.STATS").field("denied").clone().is(0);
    assert_eq!(Snapshot::of(&s), Snapshot::of(&r));
}
