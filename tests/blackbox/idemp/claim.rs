//! IDEMP.CLAIM: which client does the work, and what the others are answered.

use crate::support::{any, cmd, eventually, list, nil, server, status, token, within};

#[test]
fn the_first_claims_and_the_second_finds_it_busy() {
    let s = server!();
    s.ok("IDEMP.CLAIM k").is(list!["CLAIMED", nil(), token(), any(), 1, nil()]);
    s.ok("IDEMP.CLAIM k").is(list!["BUSY", nil(), 0, within(59_000..=60_000), 1, nil()]);
}

#[test]
fn the_finished_work_is_replayed() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok(format!("IDEMP.COMPLETE k {t} receipt-17")).is(status("OK"));
    s.ok("IDEMP.CLAIM k").is(list!["DONE", "receipt-17", 0, within(0..=20_000), 1, nil()]);
    s.ok("IDEMP.CLAIM k LEASE 1s").at(1).clone().is("receipt-17");
}

#[test]
fn a_lease_that_ran_out_is_taken_over_and_the_late_holder_is_fenced() {
    let s = server!();
    let late = s.ok("IDEMP.CLAIM k LEASE 30ms").at(2).int();
    let mut next = None;
    eventually("the lease runs out", || {
        let reply = s.ok("IDEMP.CLAIM k LEASE 1m");
        let claimed = reply.at(0).text() == "CLAIMED";
        next = Some(reply);
        claimed
    });
    let next = next.unwrap();
    next.at(4).clone().is(2);
    let token = next.at(2).int();
    assert!(token > late, "tokens rise");
    s.refuses(format!("IDEMP.COMPLETE k {late} late"), "FENCED");
    s.refuses(format!("IDEMP.RELEASE k {late}"), "FENCED");
    s.ok(format!("IDEMP.COMPLETE k {token} mine"));
    s.ok("IDEMP.CLAIM k").at(1).clone().is("mine");
}

#[test]
fn a_late_completion_counts_while_nobody_took_over() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k LEASE 1ms").at(2).int();
    s.goes_on(5);
    s.ok(format!("IDEMP.COMPLETE k {t} done")).is(status("OK"));
}

#[test]
fn the_same_owner_gets_its_token_back() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k OWNER me").at(2).int();
    s.ok("IDEMP.CLAIM k OWNER me").is(list!["CLAIMED", nil(), t, any(), 1, nil()]);
    s.ok("IDEMP.CLAIM k OWNER other").at(0).clone().is("BUSY");
    s.ok("IDEMP.CLAIM k").at(0).clone().is("BUSY");
}

#[test]
fn an_owners_re_claim_neither_renews_nor_waits() {
    let s = server!();
    s.ok("IDEMP.CLAIM k OWNER me LEASE 1m");
    let expires = s.ok("PEXPIRETIME k");
    s.ok("IDEMP.CLAIM k OWNER me LEASE 1h BLOCK 10s").at(0).clone().is("CLAIMED");
    s.ok("PEXPIRETIME k").is(&expires);
    s.ok("IDEMP.CLAIM k").at(3).clone().is(within(1..=60_000));
}

#[test]
fn another_fingerprint_is_a_mismatch_before_any_state() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k FINGERPRINT a").at(2).int();
    s.refuses("IDEMP.CLAIM k FINGERPRINT b", "MISMATCH");
    s.refuses("IDEMP.CLAIM k FINGERPRINT b BLOCK 10s", "MISMATCH");
    s.ok("IDEMP.CLAIM k FINGERPRINT a").at(0).clone().is("BUSY");
    s.ok(format!("IDEMP.COMPLETE k {t} r"));
    s.refuses("IDEMP.CLAIM k FINGERPRINT b", "MISMATCH");
    s.ok("IDEMP.CLAIM k FINGERPRINT a").at(0).clone().is("DONE");
}

#[test]
fn a_payload_is_compared_by_its_content() {
    let s = server!();
    s.ok("IDEMP.CLAIM k PAYLOAD {\"amount\":1}");
    s.refuses("IDEMP.CLAIM k PAYLOAD {\"amount\":2}", "MISMATCH");
    s.ok("IDEMP.CLAIM k PAYLOAD {\"amount\":1}").at(0).clone().is("BUSY");
}

#[test]
fn json_is_compared_by_its_meaning() {
    let s = server!();
    s.ok(cmd!["IDEMP.CLAIM", "k", "JSON", r#"{"amount": 10, "to": "é"}"#]);
    let same = "{\"to\":\"\\u00e9\",\n \"amount\":1.0e1}";
    s.ok(cmd!["IDEMP.CLAIM", "k", "JSON", same]).at(0).clone().is("BUSY");
    s.refuses(cmd!["IDEMP.CLAIM", "k", "JSON", r#"{"amount":11,"to":"é"}"#], "MISMATCH");
    s.refuses(cmd!["IDEMP.CLAIM", "k", "PAYLOAD", r#"{"amount":10,"to":"é"}"#], "MISMATCH");
}

#[test]
fn json_that_nests_without_end_is_refused() {
    let s = server!();
    s.refuses(cmd!["IDEMP.CLAIM", "k", "JSON", "[".repeat(65_000)], "ERR");
    s.refuses(cmd!["IDEMP.CLAIM", "k", "JSON", "{\"a\":".repeat(10_000)], "ERR");
    let text = s.refuses(cmd!["IDEMP.CLAIM", "k", "JSON", "[".repeat(65_537)], "TOOBIG");
    assert!(text.contains("FINGERPRINT"), "{text}");
    s.ok("IDEMP.CLAIM k JSON []");
}

#[test]
fn a_claim_without_a_fingerprint_is_not_compared() {
    let s = server!();
    s.ok("IDEMP.CLAIM k FINGERPRINT a");
    s.ok("IDEMP.CLAIM k").at(0).clone().is("BUSY");
}

#[test]
fn a_released_key_may_be_claimed_again_with_the_same_content_only() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k FINGERPRINT a").at(2).int();
    s.ok(format!("IDEMP.RELEASE k {t}")).is(status("OK"));
    s.refuses("IDEMP.CLAIM k FINGERPRINT b", "MISMATCH");
    let next = s.ok("IDEMP.CLAIM k FINGERPRINT a");
    next.at(0).clone().is("CLAIMED");
    next.at(4).clone().is(2);
    assert!(next.at(2).int() > t);
}

#[test]
fn a_release_ends_the_token() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok(format!("IDEMP.RELEASE k {t}"));
    s.refuses(format!("IDEMP.COMPLETE k {t} r"), "FENCED");
    s.refuses("IDEMP.COMPLETE nothing 1 r", "FENCED");
}

#[test]
fn what_was_noted_with_the_result_is_replayed_too() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok(format!("IDEMP.COMPLETE k {t} body META 201")).is(status("OK"));
    s.ok("IDEMP.CLAIM k").is(list!["DONE", "body", 0, any(), 1, "201"]);
}

#[test]
fn a_release_with_a_delay_keeps_everybody_waiting() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k OWNER me").at(2).int();
    s.ok(format!("IDEMP.RELEASE k {t} DELAY 1h")).is(status("OK"));
    s.ok("IDEMP.CLAIM k").is(list!["BUSY", nil(), 0, within(3_590_000..=3_600_000), 1, nil()]);
    s.ok("IDEMP.CLAIM k OWNER me").at(0).clone().is("BUSY");
    let t = s.ok("IDEMP.CLAIM soon").at(2).int();
    s.ok(format!("IDEMP.RELEASE soon {t} DELAY 30ms"));
    eventually("the delay is over", || s.ok("IDEMP.CLAIM soon").at(0).text() == "CLAIMED");
}

#[test]
fn the_result_is_kept_for_ttl_from_completion() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k LEASE 1s TTL 1h").at(2).int();
    s.ok("PTTL k").is(within(3_590_000..=3_600_000));
    s.ok(format!("IDEMP.COMPLETE k {t} r TTL 100ms"));
    s.ok("PTTL k").is(within(-2..=100));
    eventually("the record is gone", || s.ok("EXISTS k").int() == 0);
    s.ok("IDEMP.CLAIM k").is(list!["CLAIMED", nil(), token(), any(), 1, nil()]);
}

#[test]
fn ttl_is_a_day_when_not_given() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok("PTTL k").is(within(86_390_000..=86_400_000));
    s.ok(format!("IDEMP.COMPLETE k {t} r"));
    s.ok("PTTL k").is(within(86_390_000..=86_400_000));
}

#[test]
fn get_tells_the_state_and_touches_nothing() {
    let s = server!();
    s.ok("IDEMP.GET k").is(nil());
    let t = s.ok("IDEMP.CLAIM k OWNER me").at(2).int();
    let claimed = s.ok("IDEMP.GET k");
    assert!(!claimed.fields().is_empty());
    s.ok(format!("IDEMP.COMPLETE k {t} r"));
    let done = s.ok("IDEMP.GET k");
    done.field("state").clone().is("DONE");
    assert_ne!(claimed.field("state"), done.field("state"));
    let on_resp3 = s.client3().ok("IDEMP.GET k");
    on_resp3.field("state").clone().is("DONE");
    assert!(matches!(on_resp3, crate::support::Reply::Map(_)), "a map on RESP3: {on_resp3:?}");
}

#[test]
fn a_policy_that_may_drop_claims_is_warned_of() {
    let s = server!();
    let told = |s: &crate::support::Server| {
        let info = s.ok("INFO workgate").text();
        let warned = s.log_tail().contains("may drop claims");
        (info.contains("eviction_may_drop_claims:1"), warned)
    };
    s.ok("CONFIG SET maxmemory-policy allkeys-lru");
    assert_eq!(told(&s), (false, false), "without a limit nothing is evicted");
    s.ok("CONFIG SET maxmemory 1gb");
    // The log of a server in a container comes a moment later.
    eventually("INFO and the log say so", || told(&s) == (true, true));
    s.ok("CONFIG SET maxmemory-policy volatile-ttl");
    assert!(told(&s).0);
    s.ok("CONFIG SET maxmemory-policy noeviction");
    assert!(!told(&s).0);
}

#[test]
fn a_policy_that_may_drop_queues_too_is_warned_of_by_itself() {
    let s = server!("maxmemory 1gb", "maxmemory-policy volatile-lru");
    let warnings = || s.log_tail().matches("and queues with all of their jobs").count();
    let may = || s.info("workgate_eviction_may_drop_queues");
    assert_eq!((may().as_str(), warnings()), ("0", 0), "queues have no TTL");
    for (policy, queues, warned) in [
        ("allkeys-random", "1", 1),
        ("allkeys-lru", "1", 1),
        ("volatile-ttl", "0", 1),
        ("allkeys-lfu", "1", 2),
        ("noeviction", "0", 2),
    ] {
        s.ok(format!("CONFIG SET maxmemory-policy {policy}"));
        eventually(policy, || (may().as_str(), warnings()) == (queues, warned));
    }
}

#[test]
fn a_fingerprint_is_shown_in_hexadecimal_digits() {
    let s = server!();
    // printf '\1abc' | sha256sum, printf '\2abc' | sha256sum, printf '\3{"a":1}' | sha256sum
    for (option, shown) in [
        ("FINGERPRINT abc", "1e18834c426d00e57788444cb3ccd62c771b420c095bb0c4e040a8c122c4570d"),
        ("PAYLOAD abc", "909ac45e439911193205994d09399c29fede977ab212605f29ead5250a812e73"),
        ("JSON {\"a\":1}", "b83f17d08b873d194b2b9fb332dc7a8a64026103f61d7602a96571aea34f6a23"),
    ] {
        s.ok("DEL k");
        let t = s.ok(format!("IDEMP.CLAIM k {option}")).at(2).int();
        s.ok("IDEMP.GET k").field("fingerprint").clone().is(shown);
        s.ok(format!("IDEMP.COMPLETE k {t} r"));
        s.ok("IDEMP.GET k").field("fingerprint").clone().is(shown);
    }
    s.ok("IDEMP.CLAIM plain");
    s.ok("IDEMP.GET plain").field("fingerprint").clone().is(nil());
}
