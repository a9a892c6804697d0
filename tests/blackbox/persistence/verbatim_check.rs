//! An allowed CHECK without options is replicated as it came, behind the time at which it happened.

use crate::support::{Server, Snapshot, nothing_is_lost_across_rewrites, server};

const LIMITS: &str = "a=1000/1h b=1000/1m:bucket 1000/1d";

#[track_caller]
fn is_tick(line: &str) {
    assert!(line.to_ascii_lowercase().starts_with("workgate._apply time "), "{line}");
}

#[test]
fn a_plain_call_travels_as_it_came_behind_its_time_and_a_denied_one_not_at_all() {
    let s = server!();
    let stream = s.stream();
    s.ok("RATELIMIT.CHECK k 3/1h COST 2 DETAIL");
    let [multi, tick, check, exec] = &stream.taken(&s)[..] else { panic!("four commands") };
    assert_eq!([&multi[..], check, exec], ["MULTI", "RATELIMIT.CHECK k 3/1h COST 2 DETAIL", "EXEC"]);
    is_tick(tick);
    s.ok("RATELIMIT.CHECK k 3/1h COST 2");
    assert_eq!(stream.taken(&s), [""; 0]);
}

#[test]
fn a_call_whose_effect_needs_a_decision_travels_as_its_effect() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p 9/1h");
    let stream = s.stream();
    for call in ["9/1h UPTO", "9/1h LOCKOUT 1m", "9/1h SHADOW", "9/1h HOLD id 1m", "9/1h:fixed", "@p"] {
        s.ok(format!("RATELIMIT.CHECK k {call}"));
        let [effect] = &stream.taken(&s)[..] else { panic!("one command") };
        assert!(effect.to_ascii_lowercase().starts_with("ratelimit._apply k "), "{call}: {effect}");
    }
}

#[test]
fn calls_of_one_millisecond_share_a_tick_and_the_replica_takes_the_time_from_it() {
    let s = server!();
    let r = s.replica(&["appendonly yes", "appendfsync always"]);
    let stream = s.stream();
    let calls = 2_000;
    for reply in s.pipeline(vec![format!("RATELIMIT.CHECK k {LIMITS} COST 1"); calls]) {
        assert!(!reply.is_error(), "{reply:?}");
    }
    let lines = stream.taken(&s);
    // Of each limit 1,000: the others were denied.
    assert_eq!(lines.iter().filter(|line| line.starts_with("RATELIMIT.CHECK")).count(), 1_000);
    assert!(lines.iter().filter(|line| line.contains("_apply time")).count() < 1_000, "{lines:?}");
    s.in_step_with(&r);
    assert_eq!(Snapshot::of(&r), Snapshot::of(&s));
}

#[test]
fn within_transactions_and_scripts_it_is_the_same() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    let check = |key: &str| format!("RATELIMIT.CHECK {key} {LIMITS} BRIEF");
    s.transaction([check("t"), check("t"), "SET x 1".into(), check("u"), "JOBQ.PUSH q p".into(), check("t")]);
    let script = "for i = 1, 5 do redis.call('RATELIMIT.CHECK', KEYS[1], '3/1h', 'COST', '1') end \
                  return redis.call('RATELIMIT.CHECK', KEYS[2], '9/1h:bucket', 'BRIEF')";
    for _ in 0..2 {
        s.ok(crate::support::cmd!["EVAL", script, "2", "one", "two"]);
    }
    s.in_step_with(&r);
    let before = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), before);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
}

/// What is left counts what was taken, and not what a second judgement would allow.
#[test]
fn a_replayed_call_takes_at_its_own_time_and_is_never_judged_again() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let mut r = s.replica(&["appendonly yes", "appendfsync always"]);
    for _ in 0..3 {
        s.ok("RATELIMIT.CHECK k 2/100ms:bucket COST 2");
        s.ok("RATELIMIT.CHECK w 1/60ms");
        s.ok("RATELIMIT.CHECK long 1000/1h");
        s.goes_on(120);
    }
    s.ok("RATELIMIT.CHECK k 2/1h:bucket COST 2").at(0).clone().is(2);
    s.in_step_with(&r);
    let before = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), before);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
    s.ok("RATELIMIT.PEEK long 1000/1h").at(2).clone().is(997);
    let before = Snapshot::of(&r);
    r.crash_and_restart();
    assert_eq!(Snapshot::of(&r), before);
}

fn keeps_its_times_across_rewrites(preamble: &str) {
    nothing_is_lost_across_rewrites(preamble, |s, round| {
        s.pipeline((0..300).map(|call| format!("RATELIMIT.CHECK k{round}:{} {LIMITS}", call % 7)));
    });
}

#[test]
fn rewrites_with_an_rdb_preamble_keep_commands_and_times_together() {
    keeps_its_times_across_rewrites("aof-use-rdb-preamble yes");
}

#[test]
fn rewrites_without_an_rdb_preamble_keep_commands_and_times_together() {
    keeps_its_times_across_rewrites("aof-use-rdb-preamble no");
}

#[test]
fn replicas_that_join_in_the_middle_and_one_that_takes_over_have_the_times() {
    let s = server!();
    let write = |s: &Server, round: usize| {
        s.pipeline((0..300).map(|call| format!("RATELIMIT.CHECK k{round}:{} {LIMITS}", call % 7)));
    };
    write(&s, 0);
    let r = s.replica(&[]);
    write(&s, 1);
    let late = r.replica(&[]);
    write(&s, 2);
    s.in_step_with(&r);
    r.in_step_with(&late);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), want);
    assert_eq!(Snapshot::of(&late), want);
    r.ok("REPLICAOF NO ONE");
    write(&r, 3);
    r.in_step_with(&late);
    assert_eq!(Snapshot::of(&late), Snapshot::of(&r));
}

#[test]
fn a_replica_that_lets_clients_write_does_not_mistake_them_for_its_primary() {
    let s = server!();
    let r = s.replica(&["replica-read-only no"]);
    s.ok("RATELIMIT.CHECK k 1000/1h");
    s.in_step_with(&r);
    r.ok("RATELIMIT.CHECK own 1/1h").at(0).clone().is(1);
    r.ok("RATELIMIT.CHECK own 1/1h").at(0).clone().is(0);
    s.pipeline(vec!["RATELIMIT.CHECK k 1000/1h"; 50]);
    s.in_step_with(&r);
    r.ok("WORKGATE.DIGEST k").is(s.ok("WORKGATE.DIGEST k"));
}
