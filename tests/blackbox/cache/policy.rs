//! CACHE.POLICY, and values that are kept packed.

use crate::support::{Snapshot, Untouched, cmd, eventually, list, nil, server, status, within};

const RULES: &str = "CACHE.POLICY SET user: TTL 2h GRACE 1h ABSENTTL 3h LEASE 4m MAXVALUE 10 COMPRESS 0";

#[test]
fn a_policy_is_set_shown_and_deleted() {
    let s = server!();
    s.ok("CACHE.POLICY GET user:").is(nil());
    s.ok("CACHE.POLICY SET user: ttl 3600s jitter 10 EARLY 1.50").is(status("OK"));
    let shown = list!["TTL", "1h", "JITTER", 10, "EARLY", "1.5"];
    s.ok("CACHE.POLICY GET user:").is(shown);
    s.ok("CACHE.POLICY SET user: GRACE 0s").is(status("OK"));
    s.ok(cmd!["CACHE.POLICY", "SET", ""]).is(status("OK"));
    s.ok("CACHE.POLICY LIST").is(list!["", list![], "user:", list!["GRACE", "0s"]]);
    s.ok("CACHE.POLICY DEL user:").is(1);
    s.ok("CACHE.POLICY DEL user:").is(0);
}

#[test]
fn the_longest_prefix_rules_what_a_call_does_not_say() {
    let s = server!();
    s.ok(RULES);
    s.ok("CACHE.POLICY SET user:short: TTL 1h");
    s.ok("CACHE.GETSET user:1").at(3).clone().is(240_000);
    s.ok("CACHE.GETSET user:2 LEASE 1m").at(3).clone().is(60_000);
    s.ok("CACHE.GETSET user:short:1").at(3).clone().is(10_000);
    s.ok("CACHE.SET user:1 v").is(1);
    s.ok("CACHE.GETSET user:1").at(3).clone().is(within(7_190_000..=7_200_000));
    s.ok("PTTL user:1").is(within(10_790_000..=10_800_000));
    s.ok("CACHE.SET user:1 v TTL 1h GRACE 0s").is(1);
    s.ok("PTTL user:1").is(within(3_590_000..=3_600_000));
    s.ok("CACHE.ABSENT user:1").is(1);
    s.ok("PTTL user:1").is(within(10_790_000..=10_800_000));
    s.ok("CACHE.GETSET user:short:2 VALUE v").at(3).clone().is(3_600_000);
    s.refuses("CACHE.SET user:1 01234567890", "TOOBIG value of 11 bytes: at most 10 are stored");
    s.refuses("CACHE.GETSET user:3 VALUE 01234567890", "TOOBIG");
    s.ok("CACHE.SET other 01234567890").is(1);
    s.ok("PTTL other").is(-1);
}

#[test]
fn ttls_are_spread() {
    let s = server!();
    s.ok("CACHE.POLICY SET j: TTL 1h JITTER 50");
    let left: Vec<i64> = (0..40)
        .map(|i| {
            s.ok(format!("CACHE.SET j:{i} v"));
            s.ok(format!("PTTL j:{i}")).int()
        })
        .collect();
    assert!(left.iter().all(|left| (1_790_000..=3_600_000).contains(left)), "{left:?}");
    let (least, most) = (left.iter().min().unwrap(), left.iter().max().unwrap());
    assert!(most - least > 600_000, "{left:?}");
}

#[test]
fn a_slow_load_is_repeated_before_its_value_is_stale() {
    let s = server!();
    s.ok("CACHE.POLICY SET e: EARLY 100 TTL 1m");
    let t = s.ok("CACHE.GETSET e:k").at(2).int();
    s.goes_on(2_000);
    s.ok(format!("CACHE.SET e:k v TOKEN {t}")).is(1);
    let mut token = 0;
    eventually("somebody is elected", || {
        let reply = s.ok("CACHE.GETSET e:k");
        token = reply.at(2).int();
        reply.at(1).clone().is("v");
        reply.at(0).text() == "REFRESH"
    });
    s.ok("CACHE.GETSET e:k").at(0).clone().is("HIT");
    s.ok("CACHE.GET e:k").is("v");
    s.ok(format!("CACHE.SET e:k w TOKEN {token}")).is(1);
}

#[test]
fn a_large_value_takes_less_memory_and_reads_as_it_was() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    let value = b"a page of text ".repeat(2_000);
    s.ok("CACHE.POLICY SET raw: COMPRESS 0");
    for key in ["packed", "raw:k"] {
        s.ok(cmd!["CACHE.SET", key, &value, "TTL", "1h"]).is(1);
    }
    assert!(s.ok("MEMORY USAGE packed").int() < 1_000);
    assert!(s.ok("MEMORY USAGE raw:k").int() > 30_000);
    s.in_step_with(&r);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), want);
    r.ok("CACHE.GET packed").is(&value[..]);
    drop(r);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), want);
    s.ok("CACHE.GET packed").is(&value[..]);
    s.ok("CACHE.GETSET packed").at(1).clone().is(&value[..]);
}

#[test]
fn a_wrong_policy_is_refused_and_changes_nothing() {
    let s = server!();
    s.ok(RULES);
    let before = s.ok("WORKGATE.DIGEST");
    for (rest, text) in [
        ("TTL", "ERR"),
        ("TTL 60", "ERR TTL '60': write 60s or 60ms"),
        ("TTL 1h TTL 1h", "ERR option TTL is given twice"),
        ("JITTER 101", "ERR JITTER '101': must be a whole number between 0 and 100"),
        ("EARLY inf", "ERR EARLY 'inf'"),
        ("EARLY nan", "ERR EARLY 'nan'"),
        ("LEASE 2h TTL 1h", "ERR LEASE '2h' is longer than TTL '1h'"),
        ("MAXVALUE 0", "ERR MAXVALUE '0'"),
        ("COMPRESS -1", "ERR COMPRESS '-1'"),
        ("COLOUR red", "ERR unknown option 'COLOUR'"),
    ] {
        s.refuses(format!("CACHE.POLICY SET user: {rest}"), text);
    }
    s.refuses(format!("CACHE.POLICY SET {} TTL 1h", "p".repeat(1_025)), "ERR prefix of 1025 bytes");
    s.refuses("CACHE.POLICY RENAME a b", "ERR");
    s.refuses("CACHE.POLICY LIST a", "ERR");
    s.ok("WORKGATE.DIGEST").is(&before);
}

#[test]
fn the_same_policy_sent_again_replicates_nothing() {
    let s = server!();
    let stream = s.stream();
    s.ok(RULES);
    assert_eq!(stream.taken(&s).len(), 1);
    s.ok(RULES).is(status("OK"));
    s.ok("CACHE.POLICY DEL other").is(0);
    assert_eq!(stream.taken(&s), Vec::<String>::new());
}

#[test]
fn policies_are_kept_and_replicated() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok(RULES);
    let r = s.replica(&[]);
    s.ok("CACHE.POLICY SET gone");
    s.ok("CACHE.POLICY DEL gone");
    s.ok("FLUSHALL");
    s.in_step_with(&r);
    assert_eq!(Snapshot::of(&r), Snapshot::of(&s));
    r.ok("CACHE.POLICY LIST").is(s.ok("CACHE.POLICY LIST"));
    drop(r);
    let want = s.ok("CACHE.POLICY LIST");
    s.crash_and_restart();
    s.ok("CACHE.POLICY LIST").is(&want);
}

#[test]
fn a_read_only_answer_breaks_no_watch() {
    let s = server!();
    s.ok("CACHE.SET fresh v TTL 1h");
    s.ok("CACHE.SET stale v TTL 1h GRACE 1h");
    s.ok("CACHE.EXPIRE stale");
    s.ok("CACHE.GETSET stale LEASE 1h");
    s.ok("CACHE.GETSET cold LEASE 1h");
    s.ok("CACHE.ABSENT absent TTL 1h");
    s.ok("SET plain v");
    let c = s.client();
    let untouched = Untouched::on(&s);
    for (key, state) in
        [("fresh", "HIT"), ("stale", "STALE"), ("cold", "BUSY"), ("absent", "ABSENT"), ("plain", "HIT")]
    {
        c.ok(format!("WATCH {key}"));
        untouched.during(key, || s.ok(format!("CACHE.GETSET {key}")).at(0).clone().is(state));
        s.ok(format!("CACHE.GET {key}"));
        c.ok("MULTI");
        c.ok("PING");
        c.ok("EXEC").is(list![status("PONG")]);
    }
}

#[test]
fn a_client_that_tracks_its_reads_hears_of_values_and_not_of_leases() {
    let s = server!();
    let c = s.client3();
    let hears = |change: &str| {
        c.ok("CLIENT TRACKING ON");
        c.ok("CACHE.GET k");
        s.ok(change);
        c.read().is(list!["invalidate", list!["k"]]);
    };
    s.ok("CACHE.SET k v TTL 1h GRACE 1h");
    hears("CACHE.EXPIRE k");
    // Granting and releasing a lease concerns the loaders only: the next signal is the value.
    c.ok("CLIENT TRACKING ON");
    c.ok("CACHE.GET k");
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    s.ok(format!("CACHE.RELEASE k {t}"));
    s.ok("CACHE.GETSET k LEASE 1h").at(0).clone().is("REFRESH");
    c.ok("PING").is(status("PONG"));
    hears("CACHE.SET k v TTL 1h");
    hears("CACHE.ABSENT k");
    hears("CACHE.SET k v TTL 1h GRACE 1h");
    hears("UNLINK k");
}
