//! IDEMP.EXTEND: a longer lease, and checkpoints for the next attempt.

use crate::support::{Untouched, any, cmd, eventually, list, nil, server, within};

#[test]
fn an_extended_lease_keeps_the_others_away() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k LEASE 1s TTL 2h").at(2).int();
    s.ok(format!("IDEMP.EXTEND k {t} LEASE 1h")).is(3_600_000);
    s.ok("IDEMP.CLAIM k").at(3).clone().is(within(3_590_000..=3_600_000));
    s.ok(format!("IDEMP.EXTEND k {t}")).is(3_600_000);
    s.ok("IDEMP.GET k").field("ttl_ms").clone().is(within(7_190_000..=7_200_000));
}

#[test]
fn without_a_lease_the_last_one_begins_anew() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k LEASE 90s").at(2).int();
    s.ok(format!("IDEMP.EXTEND k {t}")).is(90_000);
    s.ok(format!("IDEMP.EXTEND k {t} CHECKPOINT c")).is(90_000);
}

#[test]
fn the_checkpoint_is_handed_to_whoever_takes_over() {
    let s = server!();
    let late = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok(cmd!["IDEMP.EXTEND", "k", late, "CHECKPOINT", b"page 7\0\xff", "LEASE", "20ms"]).is(20);
    let mut next = None;
    eventually("the lease runs out", || {
        let reply = s.ok("IDEMP.CLAIM k");
        let claimed = reply.at(0).text() == "CLAIMED";
        next = Some(reply);
        claimed
    });
    let next = next.unwrap();
    let t = next.at(2).int();
    next.is(list!["CLAIMED", b"page 7\0\xff", t, any(), 2, nil()]);
    let untouched = Untouched::on(&s);
    untouched.refuses("k", format!("IDEMP.EXTEND k {late} CHECKPOINT old"), "FENCED");
    s.ok("IDEMP.GET k").field("checkpoint").clone().is(b"page 7\0\xff");
}

#[test]
fn a_release_keeps_the_checkpoint_and_a_completion_ends_it() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok("IDEMP.GET k").field("checkpoint").clone().is(nil());
    s.ok(format!("IDEMP.EXTEND k {t} CHECKPOINT one"));
    s.ok(format!("IDEMP.EXTEND k {t} CHECKPOINT two"));
    s.ok(format!("IDEMP.RELEASE k {t}"));
    s.refuses(format!("IDEMP.EXTEND k {t}"), "FENCED");
    s.ok("IDEMP.GET k").field("checkpoint").clone().is("two");
    let t = s.ok("IDEMP.CLAIM k OWNER me").at(2).int();
    s.ok("IDEMP.CLAIM k OWNER me").is(list!["CLAIMED", "two", t, any(), 2, nil()]);
    s.ok(format!("IDEMP.COMPLETE k {t} done"));
    s.ok("IDEMP.GET k").field("checkpoint").clone().is(nil());
    s.refuses(format!("IDEMP.EXTEND k {t}"), "FENCED");
}

#[test]
fn a_lapsed_lease_that_nobody_took_over_can_be_extended() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k LEASE 1ms").at(2).int();
    s.goes_on(5);
    s.ok(format!("IDEMP.EXTEND k {t} LEASE 1m")).is(60_000);
    s.ok("IDEMP.CLAIM k").at(0).clone().is("BUSY");
}

#[test]
fn an_extension_sent_again_answers_alike() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    let command = format!("IDEMP.EXTEND k {t} LEASE 1m CHECKPOINT c");
    s.ok(&command).is(60_000);
    s.ok(&command).is(60_000);
    s.ok("IDEMP.GET k").field("checkpoint").clone().is("c");
}

#[test]
fn a_waiter_that_is_promoted_gets_the_checkpoint() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok(format!("IDEMP.EXTEND k {t} CHECKPOINT half"));
    let waiter = s.waits("IDEMP.CLAIM k BLOCK 10s");
    waiter.still_waits(&s);
    s.ok(format!("IDEMP.RELEASE k {t}"));
    waiter.reply().at(1).clone().is("half");
}

#[test]
fn malformed_extensions_are_refused_and_change_nothing() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k TTL 1h").at(2).int();
    let untouched = Untouched::on(&s);
    for options in ["LEASE", "LEASE 60", "LEASE 0s", "LEASE 2h", "CHECKPOINT", "TTL 1h", "LEASE 1s LEASE 1s"]
    {
        untouched.refuses("k", format!("IDEMP.EXTEND k {t} {options}"), "ERR");
    }
    untouched.refuses("k", "IDEMP.EXTEND k 1.5", "ERR");
    untouched.refuses("k", format!("IDEMP.EXTEND k {}", t + 1), "FENCED");
    untouched.refuses("nothing", format!("IDEMP.EXTEND nothing {t}"), "FENCED");
    s.ok("CONFIG SET workgate.idemp-max-result 3");
    untouched.refuses("k", format!("IDEMP.EXTEND k {t} CHECKPOINT four"), "TOOBIG");
}
