//! How the server shows the commands: documentation, flags, keys, permissions, settings, INFO.

use std::collections::BTreeSet;

use crate::support::{Reply, Server, list, server, status};

/// (a call with the key `k`, is a write).
const CALLS: [(&str, bool); 40] = [
    ("RATELIMIT.CHECK k 10/1m COST 1", true),
    ("RATELIMIT.PEEK k", false),
    ("IDEMP.CLAIM k OWNER o", true),
    ("IDEMP.COMPLETE k 5 result", true),
    ("IDEMP.RELEASE k 5", true),
    ("IDEMP.GET k", false),
    ("JOBQ.PUSH k payload ID id", true),
    ("JOBQ.POP k COUNT 5", true),
    ("JOBQ.ACK k id 5", true),
    ("JOBQ.FAIL k id 5", true),
    ("JOBQ.RELEASE k id 5", true),
    ("JOBQ.EXTEND k id 5", true),
    ("JOBQ.GET k id", false),
    ("JOBQ.STATS k", false),
    ("JOBQ.LIST k ready COUNT 5", false),
    ("JOBQ.PAUSE k", true),
    ("JOBQ.RESUME k", true),
    ("JOBQ.UPDATE k id NOW", true),
    ("JOBQ.LOG k id 5 line", true),
    ("JOBQ.RESULT k id", false),
    ("JOBQ.EVENTS k 0", false),
    ("JOBQ.CRON SET k s @daily payload", true),
    ("JOBQ.CRON DEL k s", true),
    ("JOBQ.CRON RUN k s", true),
    ("JOBQ.CRON LIST k", false),
    ("JOBQ.GROUP SET k g CONCURRENCY 2", true),
    ("JOBQ.GROUP GET k g", false),
    ("JOBQ.GROUP LIST k", false),
    ("CACHE.GETSET k LEASE 1s", true),
    ("CACHE.SET k v TTL 1s", true),
    ("CACHE.ABSENT k TTL 1s", true),
    ("CACHE.RELEASE k 5", true),
    ("CACHE.EXPIRE k", true),
    ("CACHE.GET k", false),
    ("BREAKER.ALLOW k", true),
    ("BREAKER.REPORT k OK 1", true),
    ("BREAKER.FORCE k open", true),
    ("BREAKER.RESET k", true),
    ("BREAKER.GET k", false),
    ("WORKGATE.DIGEST k", false),
];

/// The command's name, with its subcommand's where it has some, and what COMMAND INFO says of it.
fn info(s: &Server, call: &'static str) -> (String, Reply) {
    let (name, rest) = call.split_once(' ').expect("a name and a key");
    let name = match rest.split_once(' ') {
        Some((sub, _)) if ["JOBQ.CRON", "JOBQ.GROUP"].contains(&name) => format!("{name}|{sub}"),
        _ => name.to_owned(),
    };
    let info = s.ok(format!("COMMAND INFO {name}")).at(0).clone();
    assert_ne!(info, Reply::Nil, "{name} exists");
    (name, info)
}

fn words(list: &Reply) -> BTreeSet<String> {
    list.items().iter().map(Reply::text).collect()
}

#[test]
fn flags_tell_reads_from_writes() {
    let s = server!();
    for (call, is_write) in CALLS {
        let (name, info) = info(&s, call);
        let flags = words(info.at(2));
        assert_eq!(flags.contains("write"), is_write, "{name}: {flags:?}");
        assert_eq!(flags.contains("readonly"), !is_write, "{name}: {flags:?}");
        assert!(flags.contains("module"), "{name}: {flags:?}");
    }
}

#[test]
fn every_command_is_documented() {
    let s = server!();
    for (call, _) in CALLS {
        let (name, _) = info(&s, call);
        let docs = s.ok(format!("COMMAND DOCS {name}"));
        let docs = docs.fields();
        assert_eq!(docs.len(), 1, "{name}");
        for field in ["summary", "since", "complexity"] {
            assert!(!docs[0].1.field(field).bytes().is_empty(), "{name}: {field}");
        }
        assert!(!docs[0].1.field("arguments").items().is_empty(), "{name}: arguments");
    }
}

#[test]
fn the_key_of_a_command_is_found() {
    let s = server!();
    for (call, _) in CALLS {
        s.ok(format!("COMMAND GETKEYS {call}")).is(list!["k"]);
        let (name, info) = info(&s, call);
        // Further queues and the key of a rate follow a keyword.
        let specs = match &*name {
            "JOBQ.POP" => 3,
            "JOBQ.ACK" | "JOBQ.FAIL" => 2,
            _ => 1,
        };
        assert_eq!(info.at(8).items().len(), specs, "{name}: key specs");
    }
}

#[test]
fn every_key_of_a_list_is_found() {
    let s = server!();
    s.ok("COMMAND GETKEYS CACHE.EXPIRE a b c").is(list!["a", "b", "c"]);
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
        "JOBQ.LIST KEY ready",
        "JOBQ.UPDATE KEY id NOW",
        "JOBQ.LOG KEY id 5 line",
        "JOBQ.RESULT KEY id",
        "JOBQ.EVENTS KEY 0 BLOCK 1ms",
        "JOBQ.CRON SET KEY s @daily p",
        "JOBQ.CRON DEL KEY s",
        "JOBQ.CRON RUN KEY s",
        "JOBQ.CRON LIST KEY",
        "JOBQ.GROUP SET KEY g CONCURRENCY 2",
        "JOBQ.GROUP GET KEY g",
        "JOBQ.GROUP LIST KEY",
        "CACHE.GETSET KEY",
        "CACHE.SET KEY v",
        "CACHE.ABSENT KEY",
        "CACHE.RELEASE KEY 5",
        "CACHE.EXPIRE KEY",
        "CACHE.EXPIRE mine:x KEY",
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
    // Redis 7.0 gives the commands of modules no categories, so that there this user may run none
    // of them.
    let has_categories = !s.info("redis_version").starts_with("7.0.");
    for (call, is_write) in CALLS {
        let (name, info) = info(&s, call);
        let reply = c.call(call.replace(" k", " q"));
        let refused = matches!(&reply, Reply::Error(text) if text.starts_with("NOPERM"));
        if has_categories {
            assert_eq!(words(info.at(6)).contains("@write"), is_write, "{name}");
            assert_eq!(refused, is_write, "{name}: {reply:?}");
        } else {
            assert!(refused || !is_write, "{name}: {reply:?}");
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
        // Hidden on Redis 8.
        let info = s.ok(format!("COMMAND INFO {name}")).at(0).clone();
        let is_hidden = info == Reply::Nil;
        if !is_hidden {
            let flags = words(info.at(2));
            assert!(flags.contains("write") && !flags.contains("denyoom"), "{name}: {flags:?}");
        }
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
        if !is_hidden {
            let replies = s.transaction([format!("{name} q blob")]);
            assert!(replies[0].is_error());
        }
    }
    assert_eq!(stream.taken(&s), Vec::<String>::new());
    s.ok("EXISTS new").is(0);
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
