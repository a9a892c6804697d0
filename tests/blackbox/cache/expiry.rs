//! CACHE: loads that fail, values that end early or last longer, absence that is known.

use crate::support::{any, eventually, list, nil, server, status, within};

#[test]
fn a_failed_load_is_taken_up_after_its_delay() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    s.ok(format!("CACHE.RELEASE k {t} DELAY 1h")).is(status("OK"));
    s.ok("CACHE.GETSET k").is(list!["BUSY", nil(), 0, within(3_590_000..=3_600_000)]);
    s.ok(format!("CACHE.SET k v TOKEN {t}")).is(0);
    let t = s.ok("CACHE.GETSET other LEASE 1h").at(2).int();
    s.ok(format!("CACHE.RELEASE other {t} DELAY 30ms")).is(status("OK"));
    eventually("the delay ends", || s.ok("CACHE.GETSET other").at(0).text() == "FILL");
}

#[test]
fn a_release_sent_again_answers_alike_until_another_loads() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    for _ in 0..2 {
        s.ok(format!("CACHE.RELEASE k {t}")).is(status("OK"));
    }
    let next = s.ok("CACHE.GETSET k LEASE 1h");
    next.at(0).clone().is("FILL");
    s.refuses(format!("CACHE.RELEASE k {t}"), "FENCED");
    s.ok(format!("CACHE.SET k v TOKEN {}", next.at(2).int())).is(1);
    s.refuses(format!("CACHE.RELEASE k {}", next.at(2).int()), "FENCED");
}

#[test]
fn a_release_wakes_one_who_waits_and_a_delay_none() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    let first = s.waits("CACHE.GETSET k LEASE 1h BLOCK 1m");
    let second = s.waits("CACHE.GETSET k LEASE 1h BLOCK 1m");
    s.ok(format!("CACHE.RELEASE k {t} DELAY 60ms"));
    let filler = first.reply();
    filler.at(0).clone().is("FILL");
    s.ok(format!("CACHE.SET k v TOKEN {}", filler.at(2).int())).is(1);
    second.reply().at(0).clone().is("HIT");
}

#[test]
fn after_a_failed_refresh_the_stale_value_is_served() {
    let s = server!();
    s.ok("CACHE.SET k old TTL 1h GRACE 2h");
    s.ok("CACHE.EXPIRE k").is(1);
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    s.ok(format!("CACHE.RELEASE k {t} DELAY 1h"));
    s.ok("CACHE.GETSET k").is(list!["STALE", "old", 0, within(7_190_000..=7_200_000)]);
}

#[test]
fn absence_is_cached_for_a_minute_unless_told_otherwise() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k").at(2).int();
    for _ in 0..2 {
        s.ok(format!("CACHE.ABSENT k TOKEN {t}")).is(1);
    }
    s.ok("CACHE.GETSET k").is(list!["ABSENT", nil(), 0, within(59_000..=60_000)]);
    s.ok("CACHE.GET k").is(nil());
    s.ok("PTTL k").is(within(59_000..=60_000));
    s.ok("CACHE.ABSENT k TTL 2h").is(1);
    s.ok("CACHE.GETSET k TOUCH 9h").is(list!["ABSENT", nil(), 0, within(7_190_000..=7_200_000)]);
    s.ok(format!("CACHE.ABSENT k TOKEN {t}")).is(0);
    s.ok("CACHE.SET k v").is(1);
    s.ok("CACHE.GET k").is("v");
}

#[test]
fn all_who_wait_learn_of_an_absence() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    let waiters: Vec<_> = (0..5).map(|_| s.waits("CACHE.GETSET k BLOCK 1m")).collect();
    s.ok(format!("CACHE.ABSENT k TOKEN {t} TTL 1h")).is(1);
    for waiter in waiters {
        waiter.reply().is(list!["ABSENT", nil(), 0, any()]);
    }
}

#[test]
fn an_expired_value_is_stale_for_its_grace_or_gone() {
    let s = server!();
    s.ok("CACHE.SET stale v TTL 10h GRACE 1h");
    s.ok("CACHE.SET gone v TTL 10h");
    s.ok("CACHE.ABSENT absent TTL 10h");
    s.ok("SET plain v");
    s.ok("CACHE.EXPIRE stale gone absent plain missing").is(4);
    s.ok("EXISTS gone absent plain").is(0);
    s.ok("PTTL stale").is(within(3_590_000..=3_600_000));
    s.ok("CACHE.GET stale").is(nil());
    // Sent again it finds what is still there.
    s.ok("CACHE.EXPIRE stale gone absent plain missing").is(1);
    s.ok("CACHE.GETSET stale").at(0).clone().is("REFRESH");
}

#[test]
fn an_expiry_fences_fills_in_flight() {
    let s = server!();
    s.ok("CACHE.SET warm v TTL 10h GRACE 1h");
    s.ok("CACHE.EXPIRE warm");
    let cold = s.ok("CACHE.GETSET cold LEASE 1h").at(2).int();
    let warm = s.ok("CACHE.GETSET warm LEASE 1h").at(2).int();
    s.ok("CACHE.EXPIRE cold warm").is(2);
    s.ok(format!("CACHE.SET cold late TOKEN {cold}")).is(0);
    s.ok(format!("CACHE.SET warm late TOKEN {warm}")).is(0);
    s.ok("EXISTS cold").is(0);
    let next = s.ok("CACHE.GETSET warm LEASE 1h");
    next.at(0).clone().is("REFRESH");
    s.ok(format!("CACHE.SET warm new TOKEN {} TTL 1h", next.at(2).int())).is(1);
    s.ok("CACHE.GET warm").is("new");
}

#[test]
fn an_expiry_sends_one_who_waits_to_load() {
    let s = server!();
    s.ok("CACHE.GETSET k LEASE 1h");
    let waiter = s.waits("CACHE.GETSET k LEASE 1h BLOCK 1m");
    s.ok("CACHE.EXPIRE k").is(1);
    waiter.reply().at(0).clone().is("FILL");
}

#[test]
fn a_touch_lets_a_session_slide() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h GRACE 1h");
    s.ok("CACHE.GETSET k TOUCH 3h").is(list!["HIT", "v", 0, 10_800_000]);
    s.ok("PTTL k").is(within(14_390_000..=14_400_000));
    s.ok("CACHE.GETSET k").at(3).clone().is(within(10_790_000..=10_800_000));
    s.ok("CACHE.EXPIRE k");
    s.ok("CACHE.GETSET k TOUCH 3h LEASE 1h").at(0).clone().is("REFRESH");
    s.ok("CACHE.GETSET k TOUCH 3h").at(0).clone().is("STALE");
}

#[test]
fn a_touch_sets_the_ttl_of_a_plain_string_everywhere() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok("SET k 12345");
    s.ok("CACHE.GETSET k TOUCH 3h").is(list!["HIT", "12345", 0, 10_800_000]);
    s.in_step_with(&r);
    let at = s.ok("PEXPIRETIME k").int();
    assert!(at > 0);
    r.ok("PEXPIRETIME k").is(at);
    s.ok("CACHE.EXPIRE k").is(1);
    s.in_step_with(&r);
    r.ok("EXISTS k").is(0);
}

#[test]
fn one_who_waits_with_a_touch_touches_what_comes() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    let waiters: Vec<_> = ["", "TOUCH 3h", "", "TOUCH 5h"]
        .map(|touch| s.waits(format!("CACHE.GETSET k BLOCK 1m {touch}")))
        .into();
    s.ok(format!("CACHE.SET k v TOKEN {t} TTL 1h")).is(1);
    let left: Vec<i64> = waiters.into_iter().map(|waiter| waiter.reply().at(3).int() / 1_000).collect();
    assert_eq!(left.iter().map(|s| (s + 60) / 3_600).collect::<Vec<_>>(), [1, 3, 3, 5]);
}

#[test]
fn a_reader_that_brings_its_value_need_not_load() {
    let s = server!();
    s.ok("CACHE.GETSET k VALUE mine TTL 1h GRACE 1h").is(list!["STORED", "mine", 0, 3_600_000]);
    s.ok("PTTL k").is(within(7_190_000..=7_200_000));
    s.ok("CACHE.GETSET k VALUE other TTL 1h").is(list!["HIT", "mine", 0, any()]);
    s.ok("CACHE.EXPIRE k");
    s.ok("CACHE.GETSET k VALUE new").is(list!["STORED", "new", 0, -1]);
    s.ok("CACHE.ABSENT none TTL 1h");
    s.ok("CACHE.GETSET none VALUE v").at(0).clone().is("ABSENT");
    s.ok("SET plain x");
    s.ok("CACHE.GETSET plain VALUE v TTL 1h").is(list!["HIT", "x", 0, -1]);
    s.ok("RPUSH list a");
    s.refuses("CACHE.GETSET list VALUE v", "WRONGTYPE");
}

#[test]
fn a_brought_value_supersedes_a_load_and_wakes_those_who_wait() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k LEASE 1h").at(2).int();
    let waiter = s.waits("CACHE.GETSET k BLOCK 1m");
    s.ok("CACHE.GETSET k VALUE brought TTL 1h").at(0).clone().is("STORED");
    waiter.reply().at(1).clone().is("brought");
    s.ok(format!("CACHE.SET k late TOKEN {t}")).is(0);
}
