//! Users who may use some keys only, or only read them, and users who may do everything: each
//! command honours what its caller may do.

use std::collections::BTreeSet;

use super::every_command::CALLS;
use crate::support::{Client, Reply, Server, Snapshot, cmd, figure, server, write_every_state};

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
    figure(format!(
        "{} calls of {} commands: all denied on other keys, none on its own",
        calls().count(),
        called.len()
    ));
}

#[test]
fn a_user_who_may_only_read_keys_is_kept_from_every_command_that_writes() {
    let s = server!();
    let reader = user(&s, "reader", "%R~* +@all");
    let mut denied = 0;
    for call in calls() {
        let flags = info_of(&s, &name_of(&s, call)).at(2).clone();
        let writes = flags.items().iter().any(|flag| flag.text() == "write");
        let reply = reader.call(call.replace("KEY", "key"));
        assert_eq!(is_denied(&reply), writes, "{call}: {reply:?}");
        denied += usize::from(writes);
    }
    assert!(Snapshot::of(&s).is_empty(), "nothing was written");
    figure(format!("{} calls: {denied} that write denied, the others answered", calls().count()));
}

/// A sound frame of each command that carries effects, as a primary sends it.
fn true_effects() -> Vec<Vec<Vec<u8>>> {
    let s = server!();
    let stream = s.stream();
    write_every_state(&s);
    let frames = stream.frames(&s);
    let mut kinds = BTreeSet::new();
    let is_new = |frame: &Vec<Vec<u8>>| {
        // Of the tables, one each.
        let name = frame[0].to_ascii_lowercase();
        let table = if name == b"workgate._apply" { frame[1].clone() } else { vec![] };
        name.ends_with(b"_apply") && kinds.insert((name, table))
    };
    frames.into_iter().filter(is_new).collect()
}

#[test]
fn what_only_a_primary_sends_is_refused_from_a_user_of_everything_wherever_it_stands() {
    let effects = true_effects();
    let names: BTreeSet<Vec<u8>> = effects.iter().map(|frame| frame[0].to_ascii_lowercase()).collect();
    assert_eq!(names.len(), 7, "every family's: {names:?}");
    let s = server!();
    let all = user(&s, "all", "~* &* +@all");
    let library = "#!lua name=lib\nredis.register_function('any', function(keys, args) \
                   return redis.call(unpack(args)) end)";
    all.ok(cmd!["FUNCTION", "LOAD", library]);
    // A server that holds nothing of the module answers to it as one that does.
    s.ok("JOBQ.PUSH q p");
    let before = Snapshot::of(&s);
    let mut refused = 0;
    for effect in &effects {
        let name = String::from_utf8_lossy(&effect[0]).into_owned();
        let mut is_refused = |reply: Reply, place: &str| {
            assert!(reply.is_error(), "{name} {place}: {reply:?}");
            refused += 1;
        };
        is_refused(all.call(effect.clone()), "alone");
        is_refused(s.call(effect.clone()), "by the default user");
        all.ok("MULTI");
        let queued = all.call(effect.clone());
        match all.call("EXEC") {
            Reply::Array(replies) => is_refused(replies[0].clone(), "in a transaction"),
            _ => is_refused(queued, "in a transaction"),
        }
        let within = |mut call: Vec<Vec<u8>>| {
            call.extend(effect.iter().cloned());
            all.call(call)
        };
        is_refused(within(cmd!["EVAL", "return redis.call(unpack(ARGV))", 0]), "in a script");
        is_refused(
            within(cmd!["EVAL", "return redis.pcall(unpack(ARGV))", 1, "k"]),
            "in a script with pcall",
        );
        is_refused(within(cmd!["FCALL", "any", 0]), "in a function");
    }
    assert_eq!(Snapshot::of(&s), before, "nothing was changed");
    figure(format!(
        "{refused} sound effects of {} kinds refused: alone, in MULTI, Lua and functions",
        effects.len()
    ));
}
