//! Damaged DUMP payloads with a checksum that fits: refused or harmless, never the end of the
//! server.

use crate::support::{Dump, Random, Reply, Server, cmd, figure, list, scaled_to, server};

/// Keys whose values show every part of each family's encoding.
fn samples(s: &Server) -> Vec<Dump> {
    for cost in [1, 2] {
        s.ok(format!("RATELIMIT.CHECK window ai=10/1h 5/1d COST {cost}"));
        s.ok(format!("RATELIMIT.CHECK bucket 10/1h:burst=30 COST {cost}"));
    }
    s.pipeline(vec!["RATELIMIT.CHECK large 100000/7d"; 1_500]);
    s.ok("IDEMP.CLAIM claimed LEASE 1h OWNER me FINGERPRINT f");
    let t = s.ok("IDEMP.CLAIM done PAYLOAD p").at(2).int();
    s.ok(format!("IDEMP.COMPLETE done {t} result"));
    for (id, options) in [("done", ""), ("dead", "RETRIES 0"), ("failed", "BACKOFF list:1h,2h")] {
        s.ok(format!("JOBQ.PUSH jobs payload ID {id} {options}"));
        let t = s.ok("JOBQ.POP jobs LEASE 1h").at(0).at(1).int();
        s.ok(format!("JOBQ.{} jobs {id} {t}", if id == "done" { "ACK" } else { "FAIL" }));
    }
    s.ok("JOBQ.PUSH jobs payload ID active");
    s.ok("JOBQ.POP jobs LEASE 1h");
    s.ok("JOBQ.PUSH jobs payload DELAY 1h");
    s.ok("JOBQ.PUSH jobs payload BACKOFF exp:1s:max=1h:jitter=20");
    s.ok("CACHE.SET value v TTL 1h GRACE 1h");
    s.ok("CACHE.GETSET lease LEASE 1h");
    s.ok("IDEMP.SEEN seen 1h a b c");
    s.ok("BREAKER.CONFIG SET counted window 1d");
    s.ok("BREAKER.REPORT counted OK 3 FAIL 2 SLOW 1");
    s.ok("BREAKER.CONFIG SET probed probes 3 probe_lease 1h open 1ms");
    s.ok("BREAKER.REPORT probed FAIL 10");
    crate::support::eventually("it is half-open", || s.ok("BREAKER.ALLOW probed").at(0).int() == 1);
    ["window", "bucket", "large", "claimed", "done", "jobs", "value", "lease", "seen", "counted", "probed"]
        .map(|key| Dump::of(s.ok(cmd!["DUMP", key]).bytes()))
        .to_vec()
}

/// Restores the payload and, where it is accepted, uses the value in every way there is. Whether it
/// was accepted.
#[track_caller]
fn try_out(s: &Server, payload: &[u8]) -> bool {
    let restored = s.call(cmd!["RESTORE", "k", 0, payload, "REPLACE"]);
    let Reply::Status(_) = restored else { return false };
    s.pipeline([
        "WORKGATE.DIGEST k",
        "MEMORY USAGE k",
        "RATELIMIT.PEEK k",
        "RATELIMIT.PEEK k 10/1h:burst=30",
        "RATELIMIT.CHECK k ai=10/1h 5/1d",
        "RATELIMIT.CHECK k 100000/7d",
        "IDEMP.GET k",
        "IDEMP.CLAIM k LEASE 1ms",
        "IDEMP.COMPLETE k 5 r",
        "JOBQ.STATS k",
        "JOBQ.GET k active",
        "JOBQ.GET k done",
        "JOBQ.PUSH k p",
        "JOBQ.PUSH k p ID active",
        "JOBQ.POP k COUNT 10 LEASE 1ms",
        "JOBQ.ACK k active 5",
        "JOBQ.POP k COUNT 10",
        "CACHE.GET k",
        "CACHE.GETSET k LEASE 1ms",
        "CACHE.SET k v TOKEN 5 TTL 1h",
        "IDEMP.SEEN k 1h a new",
        "BREAKER.GET k",
        "BREAKER.ALLOW k",
        "BREAKER.REPORT k OK 1 FAIL 1 SLOW 1",
        "BREAKER.CONFIG GET k",
        "BREAKER.CONFIG SET k window 1h",
        "BREAKER.FORCE k open FOR 1s",
        "BREAKER.RESET k",
        "COPY k k2 REPLACE",
        "DUMP k",
        "DEL k k2",
    ]);
    true
}

#[track_caller]
fn still_sound(s: &Server) {
    s.lives();
    // The token clock was not driven to its end either: whatever is granted next is a token.
    let t = s.ok("IDEMP.CLAIM afterwards").at(2).clone().is(crate::support::token()).int();
    s.ok(format!("IDEMP.COMPLETE afterwards {t} r"));
    s.ok("DEL afterwards");
}

#[test]
fn an_undamaged_payload_is_accepted() {
    let s = server!();
    for dump in samples(&s) {
        assert!(try_out(&s, &dump.sealed()));
    }
}

#[test]
fn every_byte_may_be_any_of_the_dangerous_values() {
    let s = server!();
    let mut refused = 0;
    for dump in samples(&s) {
        for at in dump.own_bytes().take(300) {
            for value in [0x00, 0x7f, 0x80, 0xff, dump.body[at] ^ 1, dump.body[at].wrapping_add(1)] {
                let mut damaged = dump.clone();
                damaged.body[at] = value;
                refused += usize::from(!try_out(&s, &damaged.sealed()));
            }
        }
        still_sound(&s);
    }
    assert!(refused > 100, "some damage is noticed: {refused}");
}

#[test]
fn a_payload_may_end_anywhere() {
    let s = server!();
    for dump in samples(&s) {
        let whole = dump.own_bytes();
        let step = (whole.len() / 400).max(1);
        for end in whole.step_by(step) {
            let mut damaged = dump.clone();
            damaged.body.truncate(end);
            assert!(!try_out(&s, &damaged.sealed()), "cut at {end} of {}", dump.body.len());
        }
        still_sound(&s);
    }
}

#[test]
fn bytes_may_be_added_removed_and_swapped_at_random() {
    let s = server!();
    let mut random = Random::of_this_run();
    let mut below = |bound: usize| random.below(bound);
    let (mut tried, mut accepted) = (0, 0);
    for dump in samples(&s) {
        for _ in 0..scaled_to(900, 9_100) {
            let mut damaged = dump.clone();
            for _ in 0..=below(4) {
                let (from, to) = (dump.own_bytes().start, damaged.body.len());
                let at = from + below((to - from).max(1));
                match below(5) {
                    0 => damaged.body.insert(at.min(to), below(256) as u8),
                    1 if at < to && to > from + 1 => drop(damaged.body.remove(at)),
                    2 if at < to => {
                        let end = (at + 1 + below(8)).min(to);
                        damaged.body[at..end].fill(0xff);
                    }
                    3 if at < to => {
                        let other = from + below(to - from);
                        damaged.body.swap(at, other);
                    }
                    _ if at < to => damaged.body[at] = below(256) as u8,
                    _ => {}
                }
            }
            tried += 1;
            accepted += usize::from(try_out(&s, &damaged.sealed()));
        }
        still_sound(&s);
    }
    figure(format!("{tried} damaged dumps, {accepted} accepted and used, the others refused"));
}

#[test]
fn a_value_of_a_newer_encoding_is_refused() {
    let s = server!();
    for dump in samples(&s) {
        assert!(!try_out(&s, &dump.newer().sealed()));
    }
    still_sound(&s);
}

#[test]
fn a_refused_restore_leaves_the_key_as_it_was() {
    let s = server!();
    s.ok("JOBQ.PUSH k p ID mine");
    let before = s.ok("DUMP k");
    let mut dump = Dump::of(before.bytes());
    dump.body.truncate(dump.body.len() - 3);
    assert!(s.call(cmd!["RESTORE", "k", 0, dump.sealed(), "REPLACE"]).is_error());
    s.ok("DUMP k").is(&before);
    s.ok("JOBQ.POP k").at(0).at(0).clone().is("mine");
    s.ok("JOBQ.POP k").is(list![]);
}
