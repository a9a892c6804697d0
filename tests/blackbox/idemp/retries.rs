//! IDEMP: what an identical re-send answers, and what is refused.

use crate::support::{Untouched, cmd, server, status};

#[test]
fn a_completion_sent_again_succeeds_again() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok(format!("IDEMP.COMPLETE k {t} r")).is(status("OK"));
    s.ok(format!("IDEMP.COMPLETE k {t} r")).is(status("OK"));
    s.refuses(format!("IDEMP.COMPLETE k {t} other"), "MISMATCH");
    s.ok("IDEMP.CLAIM k").at(1).clone().is("r");
}

#[test]
fn a_claim_by_an_owner_sent_again_gives_the_same_token() {
    let s = server!();
    let command = "IDEMP.CLAIM k OWNER me PAYLOAD p LEASE 30s TTL 1h";
    let first = s.ok(command).at(2).int();
    s.ok(command).at(2).clone().is(first);
}

#[test]
fn a_release_sent_again_succeeds_until_someone_claims() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok(format!("IDEMP.RELEASE k {t}")).is(status("OK"));
    s.ok(format!("IDEMP.RELEASE k {t}")).is(status("OK"));
    let next = s.ok("IDEMP.CLAIM k").at(2).int();
    s.refuses(format!("IDEMP.RELEASE k {t}"), "FENCED");
    s.ok(format!("IDEMP.COMPLETE k {next} r")).is(status("OK"));
}

#[test]
fn malformed_claims_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("IDEMP.CLAIM k");
    let untouched = Untouched::on(&s);
    for options in [
        "LEASE",
        "LEASE 60",
        "LEASE 0s",
        "LEASE -1s",
        "LEASE 3651d",
        "LEASE 1w",
        "LEASE 99999999999999999999s",
        "TTL 60",
        "TTL 0s",
        "TTL",
        "TTL 3651d",
        "LEASE 2h TTL 1h",
        "LEASE 25h",
        "TTL 30s",
        "BLOCK 0s",
        "BLOCK 5",
        "BLOCK -1s",
        "OWNER",
        "OWNER a OWNER a",
        "LEASE 1s LEASE 1s",
        "FINGERPRINT a PAYLOAD b",
        "FINGERPRINT a JSON {}",
        "JSON {} PAYLOAD b",
        "JSON {} JSON {}",
        "JSON",
        "JSON nonsense",
        "JSON {\"a\":1,\"a\":1}",
        "FINGERPRINT",
        "NONSENSE",
        "LEASE 1s NONSENSE",
    ] {
        for key in ["k", "new"] {
            untouched.refuses(key, format!("IDEMP.CLAIM {key} {options}"), "ERR");
        }
    }
}

#[test]
fn a_bare_number_is_refused_with_both_readings() {
    let s = server!();
    s.refuses("IDEMP.CLAIM k TTL 3600", "ERR TTL '3600': write 3600s or 3600ms");
}

#[test]
fn malformed_tokens_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("IDEMP.CLAIM k");
    let untouched = Untouched::on(&s);
    for token in ["x", "1.5", "18446744073709551616", "-99999999999999999999"] {
        untouched.refuses("k", format!("IDEMP.COMPLETE k {token} r"), "ERR");
        untouched.refuses("k", format!("IDEMP.RELEASE k {token}"), "ERR");
    }
    untouched.refuses("k", cmd!["IDEMP.COMPLETE", "k", "", "r"], "ERR");
    for token in ["1", "9007199254740991"] {
        untouched.refuses("k", format!("IDEMP.COMPLETE k {token} r"), "FENCED");
        untouched.refuses("k", format!("IDEMP.RELEASE k {token}"), "FENCED");
        untouched.refuses("nothing", format!("IDEMP.COMPLETE nothing {token} r"), "FENCED");
    }
}

#[test]
fn a_refused_or_busy_call_changes_nothing() {
    let s = server!();
    let t = s.ok("IDEMP.CLAIM k OWNER me FINGERPRINT a").at(2).int();
    let untouched = Untouched::on(&s);
    untouched.refuses("k", "IDEMP.CLAIM k FINGERPRINT b", "MISMATCH");
    untouched.during("k", || s.ok("IDEMP.CLAIM k").at(0).clone().is("BUSY"));
    untouched.during("k", || s.ok("IDEMP.CLAIM k OWNER me").at(0).clone().is("CLAIMED"));
    untouched.during("k", || s.ok("IDEMP.GET k"));
    s.ok(format!("IDEMP.COMPLETE k {t} r"));
    untouched.during("k", || s.ok("IDEMP.CLAIM k").at(0).clone().is("DONE"));
    untouched.during("k", || s.ok(format!("IDEMP.COMPLETE k {t} r")));
    untouched.refuses("k", format!("IDEMP.COMPLETE k {t} other"), "MISMATCH");
}

#[test]
fn a_payload_over_64_kib_is_too_big_and_told_of_fingerprint() {
    let s = server!();
    let untouched = Untouched::on(&s);
    s.ok(cmd!["IDEMP.CLAIM", "fits", "PAYLOAD", vec![b'x'; 64 * 1024]]);
    let text =
        untouched.refuses("k", cmd!["IDEMP.CLAIM", "k", "PAYLOAD", vec![b'x'; 64 * 1024 + 1]], "TOOBIG");
    assert!(text.contains("FINGERPRINT"), "{text}");
}
