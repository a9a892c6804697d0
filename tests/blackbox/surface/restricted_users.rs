//! Users who may use some keys only, or only read them, and users who may do everything: each
//! command honours what its caller may do.

use std::collections::BTreeSet;

use super::every_command::CALLS;
use crate::support::{Client, Reply, Server, Snapshot, server};

/// Calls that need no key, take keys of any type, or name a second key; `KEY` standing for it.
const OTHERS: [&str; 6] = [
    "WORKGATE.DIGEST KEY",
    "CACHE.GET KEY",
    "JOBQ.POP app:queue ALSO 1 KEY",
    "JOBQ.POP app:queue RATE KEY 1 10/1m",
    "RATELIMIT.MCHECK app:user ALSO 1 KEY 1 10/1m 1 10/1m",
    "RATELIMIT.MCHECK KEY ALSO 1 app:user 1 10/1m 1 10/1m",
];

fn user(s: &Server, name: &str, rules: &str) -> Client {
    s.ok(format!("ACL SETUSER {name} reset on nopass {rules}"));
    let client = s.client();
    client.ok(format!("AUTH {name} any"));
    client
}

fn is_denied(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with("NOPERM"))
}

/// The name of a command as the server lists it: that of a subcommand has a `|`.
fn name_of(s: &Server, call: &str) -> String {
    let words: Vec<String> = call.split(' ').take(2).map(str::to_ascii_lowercase).collect();
    let subcommand = words.join("|");
    let is_one = matches!(&s.ok(format!("COMMAND INFO {subcommand}")).items()[0], Reply::Array(_));
    if is_one { subcommand } else { words[0].clone() }
}

fn info_of(s: &Server, name: &str) -> Reply {
    s.ok(format!("COMMAND INFO {name}")).at(0).clone()
}

fn calls() -> impl Iterator<Item = &'static str> {
    CALLS.iter().map(|(_, call)| *call).chain(OTHERS)
}

#[test]
fn a_user_of_some_keys_is_kept_from_all_others_by_every_command() {
    let s = server!();
    let limited = user(&s, "limited", "~app:* +@all");
    let before = Snapshot::of(&s);
    for call in calls() {
        let denied = limited.call(call.replace("KEY", "other"));
        assert!(is_denied(&denied), "{call}: {denied:?}");
    }
    assert_eq!(Snapshot::of(&s), before, "nothing was changed");
    for call in calls() {
        s.ok("FLUSHALL");
        let reply = limited.call(call.replace("KEY", "app:key"));
        assert!(!is_denied(&reply), "{call}: {reply:?}");
    }
    // The calls above are of every command that has a key.
    let called: BTreeSet<String> = calls().map(|call| name_of(&s, call)).collect();
    let names = s.ok("COMMAND LIST FILTERBY MODULE workgate");
    let names = names.items().iter().map(Reply::text).filter(|name| !name.contains("_apply"));
    let missing: Vec<String> =
        names.filter(|name| info_of(&s, name).at(3).int() > 0 && !called.contains(name)).collect();
    assert!(missing.is_empty(), "no call of {missing:?}");
}

#[test]
fn a_user_who_may_only_read_keys_is_kept_from_every_command_that_writes() {
    let s = server!();
    let reader = user(&s, "reader", "%R~* +@all");
    for call in calls() {
        let flags = info_of(&s, &name_of(&s, call)).at(2).clone();
        let writes = flags.items().iter().any(|flag| flag.text() == "write");
        let reply = reader.call(call.replace("KEY", "key"));
        assert_eq!(is_denied(&reply), writes, "{call}: {reply:?}");
    }
    assert!(Snapshot::of(&s).is_empty(), "nothing was written");
}

#[test]
fn what_only_a_primary_sends_is_refused_from_a_user_of_everything_wherever_it_stands() {
    let s = server!();
    let all = user(&s, "all", "~* &* +@all");
    let before = Snapshot::of(&s);
    for command in [
        "breaker._apply",
        "cache._apply",
        "idemp._apply",
        "idemp.seen._apply",
        "jobq._apply",
        "ratelimit._apply",
        "workgate._apply",
    ] {
        assert!(all.call(format!("{command} k effect")).is_error(), "{command}");
        all.ok("MULTI");
        let queued = all.call(format!("{command} k effect"));
        let Reply::Array(replies) = all.call("EXEC") else {
            assert!(queued.is_error(), "{command} aborted the transaction");
            continue;
        };
        assert!(replies[0].is_error(), "{command} in a transaction: {replies:?}");
    }
    for command in ["jobq._apply", "workgate._apply"] {
        let script = format!("return redis.call('{command}',KEYS[1],'effect')");
        let call: Vec<Vec<u8>> = ["EVAL", &script, "1", "k"].map(|word| word.as_bytes().to_vec()).to_vec();
        assert!(all.call(call).is_error(), "{command} in a script");
    }
    assert_eq!(Snapshot::of(&s), before, "nothing was changed");
}
