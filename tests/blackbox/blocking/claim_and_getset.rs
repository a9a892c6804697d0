//! IDEMP.CLAIM BLOCK and CACHE.GETSET BLOCK: which waiter an event wakes, and with which reply.

use crate::support::{Waiter, any, eventually, list, nil, server, token, within};

#[test]
fn a_completion_gives_every_waiter_the_same_result() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    let waiters: Vec<Waiter> = (0..20).map(|_| s.waits("IDEMP.CLAIM k BLOCK 1m")).collect();
    s.ok(crate::support::cmd!["IDEMP.COMPLETE", "k", t, b"r\0\xff"]);
    for waiter in waiters {
        waiter.reply().is(list!["DONE", b"r\0\xff", 0, within(0..=20_000), 1, nil()]);
    }
}

#[test]
fn a_release_promotes_exactly_the_first_waiter() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    let waiters: Vec<Waiter> = (0..3).map(|_| s.waits("IDEMP.CLAIM k BLOCK 1m")).collect();
    s.ok(format!("IDEMP.RELEASE k {t}"));
    let promoted = waiters[0].reply().is(list!["CLAIMED", nil(), token(), any(), 2, nil()]);
    waiters[1].still_waits(&s);
    waiters[2].still_waits(&s);
    s.ok(format!("IDEMP.COMPLETE k {} r", promoted.at(2).int()));
    for waiter in &waiters[1..] {
        waiter.reply().at(0).clone().is("DONE");
    }
}

#[test]
fn a_release_with_a_delay_promotes_when_it_is_over() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    let first = s.waits("IDEMP.CLAIM k BLOCK 1m");
    let second = s.waits("IDEMP.CLAIM k BLOCK 1m");
    let released = s.now();
    s.ok(format!("IDEMP.RELEASE k {t} DELAY 300ms"));
    first.reply().at(0).clone().is("CLAIMED");
    assert!(s.now() >= released + 300, "never early");
    second.still_waits(&s);
}

#[test]
fn a_lease_that_runs_out_promotes_exactly_the_first_waiter() {
    let s = server!();
    s.ok("IDEMP.CLAIM k LEASE 600ms");
    let first = s.waits("IDEMP.CLAIM k LEASE 1m BLOCK 1m");
    let second = s.waits("IDEMP.CLAIM k BLOCK 1m");
    first.reply().is(list!["CLAIMED", nil(), token(), any(), 2, nil()]);
    second.still_waits(&s);
}

#[test]
fn a_deletion_promotes_exactly_the_first_waiter() {
    let s = server!();
    for end in ["DEL k", "UNLINK k", "FLUSHALL", "FLUSHDB", "PEXPIRE k 1", "RENAME k other", "MOVE k 1"] {
        s.ok("IDEMP.CLAIM k");
        let first = s.waits("IDEMP.CLAIM k BLOCK 1m");
        let second = s.waits("IDEMP.CLAIM k BLOCK 1m");
        s.ok(end);
        let reply = first.reply();
        assert_eq!((reply.at(0).text(), reply.at(4).int()), ("CLAIMED".to_owned(), 1), "{end}");
        second.still_waits(&s);
        s.ok(format!("IDEMP.COMPLETE k {} r", reply.at(2).int()));
        second.reply().at(1).clone().is("r");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_waiting_claim_that_gives_up_is_told_busy() {
    let s = server!();
    s.ok("IDEMP.CLAIM k");
    let w = s.waits("IDEMP.CLAIM k BLOCK 300ms");
    w.reply().is(list!["BUSY", nil(), 0, within(1..=60_000), 1, nil()]);
}

#[test]
fn a_promoted_waiter_is_compared_again() {
    let s = server!();
    s.ok("IDEMP.CLAIM k FINGERPRINT a");
    let other = s.waits("IDEMP.CLAIM k BLOCK 1m");
    s.ok("DEL k");
    other.reply().at(0).clone().is("CLAIMED");
    // Now the record carries no fingerprint; the next one does.
    s.ok("DEL k");
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    let a = s.waits("IDEMP.CLAIM k FINGERPRINT a BLOCK 1m");
    let b = s.waits("IDEMP.CLAIM k FINGERPRINT b BLOCK 1m");
    s.ok(format!("IDEMP.RELEASE k {t}"));
    a.reply().at(0).clone().is("CLAIMED");
    // b no longer fits: it is told so now, or at the latest when it is its turn.
    s.ok("DEL k");
    let told = b.reply();
    assert!(told.is_error() || told.at(0).text() == "CLAIMED", "{told:?}");
}

#[test]
fn a_fill_is_given_to_every_waiting_reader() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k").at(2).int();
    let waiters: Vec<Waiter> = (0..20).map(|_| s.waits("CACHE.GETSET k BLOCK 1m")).collect();
    s.ok(format!("CACHE.SET k value TOKEN {t} TTL 1h")).is(1);
    for waiter in waiters {
        waiter.reply().is(list!["HIT", "value", 0, within(3_590_000..=3_600_000)]);
    }
}

#[test]
fn a_filler_that_vanishes_is_followed_by_exactly_one() {
    let s = server!();
    for end in ["DEL k", "FLUSHALL", "PEXPIRE k 1", "RENAME k other"] {
        s.ok("CACHE.GETSET k");
        let first = s.waits("CACHE.GETSET k BLOCK 1m");
        let second = s.waits("CACHE.GETSET k BLOCK 1m");
        s.ok(end);
        let reply = first.reply();
        assert_eq!(reply.at(0).text(), "FILL", "{end}");
        second.still_waits(&s);
        s.ok(format!("CACHE.SET k v TOKEN {} TTL 1h", reply.at(2).int())).is(1);
        second.reply().at(1).clone().is("v");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_filler_whose_lease_runs_out_is_followed_by_exactly_one() {
    let s = server!();
    let late = s.ok("CACHE.GETSET k LEASE 600ms").at(2).int();
    let first = s.waits("CACHE.GETSET k LEASE 1m BLOCK 1m");
    let second = s.waits("CACHE.GETSET k BLOCK 1m");
    let t = first.reply().is(list!["FILL", nil(), token(), any()]).at(2).int();
    second.still_waits(&s);
    s.ok(format!("CACHE.SET k late TOKEN {late} TTL 1h")).is(0);
    second.still_waits(&s);
    s.ok(format!("CACHE.SET k right TOKEN {t} TTL 1h")).is(1);
    second.reply().at(1).clone().is("right");
}

#[test]
fn a_reader_that_gives_up_is_told_busy() {
    let s = server!();
    s.ok("CACHE.GETSET k");
    let w = s.waits("CACHE.GETSET k BLOCK 300ms");
    w.reply().is(list!["BUSY", nil(), 0, within(1..=10_000)]);
}

#[test]
fn a_plain_string_set_over_the_lease_is_given_to_the_readers() {
    let s = server!();
    s.ok("CACHE.GETSET k");
    let w = s.waits("CACHE.GETSET k BLOCK 1m");
    s.ok("SET k plain");
    w.reply().is(list!["HIT", "plain", 0, -1]);
}

#[test]
fn a_key_of_another_type_over_the_lease_does_not_strand_the_waiter() {
    let s = server!();
    s.ok("CACHE.GETSET c");
    s.ok("IDEMP.CLAIM i");
    let reader = s.waits("CACHE.GETSET c BLOCK 1m");
    let claimer = s.waits("IDEMP.CLAIM i BLOCK 1m");
    s.ok("RPUSH list a");
    s.ok("COPY list c REPLACE").is(1);
    s.ok("RENAME list i");
    s.ok("DEL c i");
    // Told of the type when it came, or served when it went.
    for (waiter, state) in [(reader, "FILL"), (claimer, "CLAIMED")] {
        let reply = waiter.reply();
        let told = reply.is_error() && reply.text().starts_with("WRONGTYPE");
        assert!(told || reply.at(0).text() == state, "{reply:?}");
    }
}

#[test]
fn a_hundred_readers_in_a_storm_of_crashing_fillers_need_one_fill_more_than_crashes() {
    let s = server!();
    let mut waiters: Vec<Waiter> = Vec::new();
    s.ok("CACHE.GETSET k LEASE 1h");
    for _ in 0..30 {
        waiters.push(s.waits("CACHE.GETSET k LEASE 1h BLOCK 1m"));
    }
    let mut fills = 1;
    for crash in 0..5 {
        s.ok("DEL k");
        waiters.remove(0).reply().is(list!["FILL", nil(), token(), any()]);
        fills += 1;
        assert_eq!(fills, crash + 2);
    }
    s.ok("CACHE.SET k v TTL 1h").is(1);
    for waiter in &waiters {
        waiter.reply().at(0).clone().is("HIT");
    }
    eventually("nobody waits", || s.info("blocked_clients") == "0");
}
