//! BREAKER: what is refused or ignored, and that it changes nothing.

use crate::support::{Untouched, server, status};

#[test]
fn malformed_calls_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("BREAKER.REPORT k OK 3");
    s.ok("SET string v");
    let untouched = Untouched::on(&s);
    for rest in [
        "REPORT KEY",
        "REPORT KEY OK",
        "REPORT KEY OK 0",
        "REPORT KEY OK 0 FAIL 0",
        "REPORT KEY OK -1",
        "REPORT KEY OK 1.5",
        "REPORT KEY OK 1000000001",
        "REPORT KEY SLOW 1",
        "REPORT KEY OK 1 SLOW 2",
        "REPORT KEY PERMIT 5",
        "REPORT KEY OK 1 PERMIT",
        "REPORT KEY OK 1 PERMIT x",
        "REPORT KEY OK 1 PERMIT 9007199254740992",
        "REPORT KEY OK 1 OK 1",
        "REPORT KEY OK 1 NONSENSE",
        "CONFIG SET KEY window",
        "CONFIG SET KEY window 60",
        "CONFIG SET KEY window 999ms",
        "CONFIG SET KEY window 2d",
        "CONFIG SET KEY window 30s window 30s",
        "CONFIG SET KEY probes 2 window 0s",
        "CONFIG SET KEY probes 2 window",
        "CONFIG SET KEY min_calls 0",
        "CONFIG SET KEY fail_pct 0",
        "CONFIG SET KEY fail_pct 101",
        "CONFIG SET KEY slow_pct 101",
        "CONFIG SET KEY open 0s",
        "CONFIG SET KEY open 30",
        "CONFIG SET KEY factor 0",
        "CONFIG SET KEY max 3651d",
        "CONFIG SET KEY probes 101",
        "CONFIG SET KEY probe_lease 0s",
        "CONFIG SET KEY nonsense 1",
        "CONFIG NONSENSE KEY",
        "CONFIG KEY",
        "CONFIG",
        "CONFIG GET KEY extra",
        "FORCE KEY",
        "FORCE KEY half_open",
        "FORCE KEY open FOR",
        "FORCE KEY open FOR 5",
        "FORCE KEY open FOR 0s",
        "FORCE KEY auto FOR 1s",
        "FORCE KEY open NONSENSE",
        "ALLOW KEY extra",
        "GET KEY extra",
        "RESET KEY extra",
        "ALLOW",
    ] {
        for key in ["k", "new"] {
            untouched.refuses(key, format!("BREAKER.{}", rest.replace("KEY", key)), "ERR");
        }
    }
    for rest in [
        "ALLOW KEY",
        "REPORT KEY OK 1",
        "CONFIG SET KEY open 1s",
        "CONFIG GET KEY",
        "FORCE KEY open",
        "RESET KEY",
        "GET KEY",
    ] {
        untouched.refuses("string", format!("BREAKER.{}", rest.replace("KEY", "string")), "WRONGTYPE");
    }
}

#[test]
fn what_is_denied_or_ignored_or_repeated_changes_nothing() {
    let s = server!();
    s.ok("BREAKER.REPORT open FAIL 10");
    s.ok("BREAKER.FORCE forced disabled");
    s.ok("BREAKER.CONFIG SET set probes 3");
    let untouched = Untouched::on(&s);
    untouched.during("open", || s.ok("BREAKER.ALLOW open").at(0).clone().is(0));
    untouched.during("open", || s.ok("BREAKER.REPORT open OK 5").at(1).clone().is(0));
    untouched.during("open", || s.ok("BREAKER.REPORT open OK 5 PERMIT 7").at(1).clone().is(0));
    untouched.during("open", || s.ok("BREAKER.GET open"));
    untouched.during("forced", || s.ok("BREAKER.REPORT forced FAIL 5").at(1).clone().is(0));
    untouched.during("forced", || s.ok("BREAKER.FORCE forced disabled").is(status("OK")));
    untouched.during("set", || s.ok("BREAKER.CONFIG SET set probes 3").is(status("OK")));
    untouched.during("missing", || s.ok("BREAKER.GET missing").field("state").clone().is("closed"));
}

#[test]
fn an_error_says_what_to_change() {
    let s = server!();
    assert_eq!(
        s.refuses("BREAKER.CONFIG SET k window 2d", "ERR"),
        "ERR window '2d': must be between 1s and 1d"
    );
    assert_eq!(s.refuses("BREAKER.CONFIG SET k open 30", "ERR"), "ERR open '30': write 30s or 30ms");
    assert!(s.refuses("BREAKER.CONFIG SET k nonsense 1", "ERR").contains("window, min_calls"));
}
