//! How the server shows the commands: documentation, flags, keys, permissions, settings, INFO.

use std::collections::BTreeSet;

use crate::support::{Reply, Server, list, server, status};

/// (name, is a write, refused when memory is short).
const COMMANDS: [(&str, bool, bool); 18] = [
    ("RATELIMIT.CHECK", true, true),
    ("RATELIMIT.PEEK", false, false),
    ("IDEMP.CLAIM", true, true),
    ("IDEMP.COMPLETE", true, false),
    ("IDEMP.RELEASE", true, false),
    ("IDEMP.GET", false, false),
    ("JOBQ.PUSH", true, true),
    ("JOBQ.POP", true, false),
    ("JOBQ.ACK", true, false),
    ("JOBQ.FAIL", true, false),
    ("JOBQ.RELEASE", true, false),
    ("JOBQ.EXTEND", true, false),
    ("JOBQ.GET", false, false),
    ("JOBQ.STATS", false, false),
    ("CACHE.GETSET", true, true),
    ("CACHE.SET", true, true),
    ("CACHE.GET", false, false),
    ("WORKGATE.DIGEST", false, false),
];

fn flags(s: &Server, name: &str) -> BTreeSet<String> {
    let info = s.ok(format!("COMMAND INFO {name}"));
    assert_ne!(*info.at(0), Reply::Nil, "{name} exists");
    info.at(0).at(2).items().iter().map(Reply::text).collect()
}

#[test]
fn flags_tell_reads_from_writes() {
    let s = server!();
    for (name, is_write, is_deny_oom) in COMMANDS {
        let flags = flags(&s, name);
        assert_eq!(flags.contains("write"), is_write, "{name}: {flags:?}");
        assert_eq!(flags.contains("readonly"), !is_write, "{name}: {flags:?}");
        assert_eq!(flags.contains("denyoom"), is_deny_oom, "{name}: {flags:?}");
        assert!(flags.contains("module"), "{name}: {flags:?}");
    }
}

#[test]
fn every_command_is_documented() {
    let s = server!();
    for (name, ..) in COMMANDS {
        let docs = s.ok(format!("COMMAND DOCS {name}"));
        let docs = docs.fields();
        assert_eq!(docs.len(), 1, "{name}");
        // Only servers on which a module can describe its commands have more than the group.
        if docs[0].1.fields().iter().any(|(field, _)| field.text() == "summary") {
            for field in ["summary", "since", "complexity", "arguments"] {
                let value = docs[0].1.field(field);
                assert!(
                    matches!(value, Reply::Bulk(text) if !text.is_empty())
                        || matches!(value, Reply::Array(_)),
                    "{name}"
                );
            }
        } else {
            assert_eq!(s.info("redis_version").split('.').next(), Some("7"), "{name} has no summary");
            assert!(s.info("redis_version").starts_with("7.0"), "{name} has no summary");
        }
    }
}

#[test]
fn the_keys_of_a_command_are_found() {
    let s = server!();
    for call in [
        "RATELIMIT.CHECK k 10/1m COST 1",
        "RATELIMIT.PEEK k",
        "IDEMP.CLAIM k OWNER o",
        "IDEMP.COMPLETE k 5 result",
        "IDEMP.RELEASE k 5",
        "IDEMP.GET k",
        "JOBQ.PUSH k payload ID id",
        "JOBQ.POP k COUNT 5",
        "JOBQ.ACK k id 5",
        "JOBQ.FAIL k id 5",
        "JOBQ.RELEASE k id 5",
        "JOBQ.EXTEND k id 5",
        "JOBQ.GET k id",
        "JOBQ.STATS k",
        "CACHE.GETSET k LEASE 1s",
        "CACHE.SET k v TTL 1s",
        "CACHE.GET k",
        "WORKGATE.DIGEST k",
    ] {
        s.ok(format!("COMMAND GETKEYS {call}")).is(list!["k"]);
    }
}

#[test]
fn a_user_of_some_keys_cannot_touch_another() {
    let s = server!();
    s.ok("ACL SETUSER limited on >secret ~mine:* &* +@all");
    let c = s.client();
    c.ok("AUTH limited secret");
    for call in [
        "RATELIMIT.CHECK KEY 10/1m",
        "RATELIMIT.PEEK KEY",
        "IDEMP.CLAIM KEY",
        "IDEMP.COMPLETE KEY 5 r",
        "IDEMP.GET KEY",
        "JOBQ.PUSH KEY p",
        "JOBQ.POP KEY",
        "JOBQ.POP KEY BLOCK 1s",
        "JOBQ.ACK KEY id 5",
        "JOBQ.GET KEY id",
        "JOBQ.STATS KEY",
        "CACHE.GETSET KEY",
        "CACHE.SET KEY v",
        "CACHE.GET KEY",
        "WORKGATE.DIGEST KEY",
    ] {
        c.refuses(call.replace("KEY", "other"), "NOPERM");
        if let Reply::Error(text) = c.call(call.replace("KEY", &format!("mine:{}", &call[..4]))) {
            assert!(!text.starts_with("NOPERM"), "{call}: {text}");
        }
    }
    s.ok("EXISTS other").is(0);
}

#[test]
fn a_user_that_may_only_read_may_only_read() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("ACL SETUSER reader on >secret ~* &* -@all +@read");
    let c = s.client();
    c.ok("AUTH reader secret");
    for (name, is_write, _) in COMMANDS {
        let reply = c.call(format!("{name} k a b c d e f"));
        let refused = matches!(&reply, Reply::Error(text) if text.starts_with("NOPERM"));
        // The digest is no plain read: it looks at all keys.
        if name != "WORKGATE.DIGEST" {
            assert_eq!(refused, is_write, "{name}: {reply:?}");
        }
    }
}

#[test]
fn effects_are_taken_from_the_primary_only() {
    let s = server!();
    let stream = s.stream();
    s.ok("RATELIMIT.CHECK u 10/1h");
    s.ok("IDEMP.CLAIM i");
    s.ok("JOBQ.PUSH q p");
    s.ok("CACHE.GETSET c");
    stream.taken(&s);
    for family in ["RATELIMIT", "IDEMP", "JOBQ", "CACHE"] {
        let name = format!("{family}._APPLY");
        let flags = flags(&s, &name);
        assert!(flags.contains("write") && !flags.contains("denyoom"), "{name}: {flags:?}");
        for key in ["u", "i", "q", "c", "new"] {
            assert!(s.call(format!("{name} {key} blob")).is_error());
            assert!(s.call(format!("{name} {key} blob payload")).is_error());
            assert!(
                s.call(crate::support::cmd![
                    "EVAL",
                    "return redis.call(ARGV[1], KEYS[1], 'x')",
                    1,
                    key,
                    &name
                ])
                .is_error()
            );
        }
        let replies = s.transaction([format!("{name} q blob")]);
        assert!(replies[0].is_error());
    }
    assert_eq!(stream.taken(&s), Vec::<String>::new());
    s.ok("EXISTS new").is(0);
}

#[test]
fn a_full_server_drains() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("IDEMP.CLAIM k").at(2).int();
    s.ok("CONFIG SET maxmemory 1");
    for call in
        ["JOBQ.PUSH q p", "IDEMP.CLAIM new", "RATELIMIT.CHECK u 1/1m", "CACHE.GETSET c", "CACHE.SET c v"]
    {
        s.refuses(call, "OOM");
    }
    let job = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.EXTEND q a {job}")).is(1);
    s.ok(format!("JOBQ.ACK q a {job}")).is(status("OK"));
    s.ok(format!("IDEMP.COMPLETE k {t} r")).is(status("OK"));
    s.ok("JOBQ.STATS q").field("done").clone().is(1);
}

#[test]
fn settings_can_be_read_and_changed() {
    let s = server!();
    let settings = s.ok("CONFIG GET workgate.*");
    assert!(!settings.fields().is_empty());
    settings.field("workgate.max-waiters-per-key").clone().is("20000");
    s.ok("CONFIG SET workgate.max-waiters-per-key 1").is(status("OK"));
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.POP q BLOCK 1m").is(list![]);
    s.refuses("CONFIG SET workgate.max-waiters-per-key -1", "ERR");
    s.refuses("CONFIG SET workgate.max-waiters-per-key many", "ERR");
    s.refuses("CONFIG SET workgate.nonsense 1", "ERR");
    w.still_waits(&s);
}

#[test]
fn info_has_a_section() {
    let s = server!();
    let section = s.ok("INFO workgate").text();
    assert!(section.to_ascii_lowercase().contains("# workgate"), "{section}");
    let lines = section.lines().filter(|line| line.contains(':')).count();
    assert!(lines > 0, "{section}");
    s.ok("INFO everything");
    s.ok("MODULE LIST");
}
