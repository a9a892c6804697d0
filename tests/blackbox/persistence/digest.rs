//! WORKGATE.DIGEST tells any two states apart, and equal ones alike.

use crate::support::{Server, Snapshot, cmd, nil, server, write_every_state};

/// The digest of the key `k` after these commands, on a fresh key.
#[track_caller]
fn digest_after(s: &Server, commands: &[&str]) -> crate::support::Reply {
    s.ok("DEL k");
    let mut token = 0;
    for command in commands {
        let reply = s.ok(command.replace("TOKEN_OF_LAST", &token.to_string()));
        token = match &reply {
            crate::support::Reply::Array(items) if command.starts_with("JOBQ.POP") => items[0].at(1).int(),
            crate::support::Reply::Array(items) if items.len() > 3 => items[2].int(),
            _ => token,
        };
    }
    s.ok("WORKGATE.DIGEST k")
}

#[test]
fn a_missing_key_has_no_content_to_digest() {
    let s = server!();
    let missing = s.ok("WORKGATE.DIGEST missing");
    s.ok("RATELIMIT.CHECK k 10/1h");
    assert_ne!(s.ok("WORKGATE.DIGEST k"), missing);
    s.ok("WORKGATE.DIGEST missing").is(&missing);
    s.ok("GET missing").is(nil());
}

#[test]
fn a_digest_that_is_asked_twice_is_the_same() {
    let s = server!();
    write_every_state(&s);
    assert_eq!(Snapshot::of(&s), Snapshot::of(&s));
}

#[test]
fn every_family_moves_the_digest_of_the_server() {
    let s = server!();
    let mut seen = vec![s.ok("WORKGATE.DIGEST")];
    for command in
        ["RATELIMIT.CHECK u 10/1h", "IDEMP.CLAIM k", "JOBQ.PUSH q p", "CACHE.SET c v", "CACHE.GETSET d"]
    {
        s.ok(command);
        let digest = s.ok("WORKGATE.DIGEST");
        assert!(!seen.contains(&digest), "{command}");
        seen.push(digest);
    }
    s.ok("RENAME q r");
    assert!(!seen.contains(&s.ok("WORKGATE.DIGEST")), "the name of a key counts");
}

#[test]
fn the_expiry_of_a_key_counts() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h");
    let digest = s.ok("WORKGATE.DIGEST k");
    s.ok("PEXPIRE k 100000000");
    let later = s.ok("WORKGATE.DIGEST k");
    assert_ne!(later, digest);
    s.ok("PERSIST k");
    let never = s.ok("WORKGATE.DIGEST k");
    assert!(never != digest && never != later);
}

#[test]
fn what_differs_in_one_field_differs_in_its_digest() {
    let s = server!();
    let states: Vec<Vec<&str>> = vec![
        vec!["RATELIMIT.CHECK k 10/1h"],
        vec!["RATELIMIT.CHECK k 10/1h COST 2"],
        vec!["RATELIMIT.CHECK k a=10/1h"],
        vec!["RATELIMIT.CHECK k b=10/1h"],
        vec!["RATELIMIT.CHECK k 10/1h:bucket"],
        vec!["RATELIMIT.CHECK k 10/1h 20/1h"],
        vec!["IDEMP.CLAIM k"],
        vec!["IDEMP.CLAIM k LEASE 2m"],
        vec!["IDEMP.CLAIM k OWNER a"],
        vec!["IDEMP.CLAIM k OWNER b"],
        vec!["IDEMP.CLAIM k FINGERPRINT a"],
        vec!["IDEMP.CLAIM k PAYLOAD a"],
        vec!["IDEMP.CLAIM k", "IDEMP.COMPLETE k TOKEN_OF_LAST r"],
        vec!["IDEMP.CLAIM k", "IDEMP.COMPLETE k TOKEN_OF_LAST s"],
        vec!["IDEMP.CLAIM k", "IDEMP.RELEASE k TOKEN_OF_LAST"],
        vec!["JOBQ.PUSH k p ID a"],
        vec!["JOBQ.PUSH k p ID b"],
        vec!["JOBQ.PUSH k q ID a"],
        vec!["JOBQ.PUSH k p ID a RETRIES 4"],
        vec!["JOBQ.PUSH k p ID a BACKOFF fixed:9s"],
        vec!["JOBQ.PUSH k p ID a DELAY 1h"],
        vec!["JOBQ.PUSH k p ID a", "JOBQ.POP k"],
        vec!["JOBQ.PUSH k p ID a", "JOBQ.POP k LEASE 1h"],
        vec!["JOBQ.PUSH k p ID a", "JOBQ.POP k", "JOBQ.ACK k a TOKEN_OF_LAST"],
        vec!["JOBQ.PUSH k p ID a", "JOBQ.POP k", "JOBQ.FAIL k a TOKEN_OF_LAST"],
        vec!["JOBQ.PUSH k p ID a RETRIES 0", "JOBQ.POP k", "JOBQ.FAIL k a TOKEN_OF_LAST"],
        vec!["CACHE.SET k v"],
        vec!["CACHE.SET k w"],
        vec!["CACHE.SET k v TTL 1h"],
        vec!["CACHE.SET k v TTL 1h TAGS 1 a"],
        vec!["CACHE.SET k v TTL 1h TAGS 1 b"],
        vec!["CACHE.SET k v TTL 1h TAGS 2 a b"],
        vec!["CACHE.SET k v TTL 1h GRACE 1h"],
        vec!["CACHE.GETSET k"],
        vec!["CACHE.GETSET k LEASE 2m"],
    ];
    let digests: Vec<_> = states.iter().map(|commands| digest_after(&s, commands)).collect();
    for (i, digest) in digests.iter().enumerate() {
        if let Some(j) = digests[..i].iter().position(|other| other == digest) {
            panic!("{:?} and {:?} have one digest", states[i], states[j]);
        }
    }
}

#[test]
fn keys_of_other_types_do_no_harm() {
    let s = server!();
    s.ok("SET string v");
    s.ok("RPUSH list a");
    s.ok("WORKGATE.DIGEST");
    s.call("WORKGATE.DIGEST list");
    s.call(cmd!["WORKGATE.DIGEST", b"\0\xff"]);
    s.lives();
}
