//! Names of keys that a call does not name: its caller sees, and changes, those that it may.

use std::collections::BTreeSet;

use crate::support::{Client, Reply, Server, cmd, server};

fn user(s: &Server, name: &str, rules: &str) -> Client {
    s.ok(format!("ACL SETUSER {name} reset on >secret +@all {rules}"));
    let client = s.client();
    client.ok(format!("AUTH {name} secret"));
    client
}

fn texts(reply: &Reply) -> Vec<String> {
    reply.items().iter().map(Reply::text).collect()
}

#[test]
fn queues_that_the_caller_may_not_read_are_not_listed() {
    let s = server!();
    for queue in ["mine:a", "mine:b", "other:a", "other:b", "own"] {
        s.ok(format!("JOBQ.PUSH {queue} p"));
    }
    let all = ["mine:a", "mine:b", "other:a", "other:b", "own"];
    for (name, rules, listed) in [
        ("everything", "~*", &all[..]),
        ("some", "~mine:*", &all[..2]),
        ("reader", "%R~other:* ~own", &all[2..]),
        // Who may only write a key learns nothing of it.
        ("writer", "%W~* ~mine:b", &all[1..2]),
        ("selector", "~own (+@all ~mine:a)", &["mine:a", "own"]),
        ("nothing", "resetkeys", &[]),
    ] {
        let c = user(&s, name, rules);
        assert_eq!(texts(c.ok("JOBQ.QUEUES").at(1)), listed, "{name}");
        let in_transaction = c.transaction(["JOBQ.QUEUES"]);
        assert_eq!(texts(in_transaction[0].at(1)), listed, "{name}, in a transaction");
        let script = cmd!["EVAL", "return redis.call('JOBQ.QUEUES')", 0];
        assert_eq!(texts(c.ok(script).at(1)), listed, "{name}, in a script");
        // Rules hold from the moment of their change.
        s.ok(format!("ACL SETUSER {name} allkeys"));
        assert_eq!(texts(c.ok("JOBQ.QUEUES").at(1)), all, "{name}, of all keys");
    }
}

#[test]
fn pages_of_a_list_show_every_name_that_may_be_seen_and_no_cursor_shows_another() {
    let s = server!();
    let mut mine = BTreeSet::new();
    for i in 0..60 {
        s.ok(format!("JOBQ.PUSH hidden:{i}:secret p"));
        if i % 7 == 0 {
            s.ok(format!("JOBQ.PUSH hidden:{i}:seen p"));
            mine.insert(format!("hidden:{i}:seen"));
        }
    }
    let c = user(&s, "reader", "~*:seen");
    for count in [1, 2, 7, 100] {
        let (mut cursor, mut listed) = ("0".to_owned(), BTreeSet::new());
        loop {
            let page = c.ok(format!("JOBQ.QUEUES CURSOR {cursor} COUNT {count}"));
            for name in texts(page.at(1)) {
                assert!(listed.insert(name), "each once");
            }
            cursor = page.at(0).text();
            assert!(!cursor.contains("secret"), "{cursor}");
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(listed, mine, "COUNT {count}");
    }
    for forged in ["?", "?00", "?zz", "?0000000000000000000000000000000000"] {
        c.refuses(format!("JOBQ.QUEUES CURSOR {forged}"), "ERR CURSOR");
    }
}

#[test]
fn a_prefix_is_invalidated_by_those_who_may_change_all_of_its_keys() {
    let s = server!();
    for key in ["mine:a", "other:a"] {
        s.ok(format!("CACHE.SET {key} v TTL 1h"));
    }
    let c = user(&s, "limited", "~mine:* %R~other:*");
    if s.ok("ACL CAT dangerous").items().iter().any(|command| command.text() == "cache.invalidate|prefix") {
        // The server cannot be asked about prefixes: the category keeps the command from users.
        s.ok("ACL SETUSER limited -@dangerous");
        for prefix in ["mine:", "other:"] {
            c.refuses(format!("CACHE.INVALIDATE PREFIX 1 {prefix}"), "NOPERM");
        }
        c.ok("CACHE.INVALIDATE TAG 1 t");
        return;
    }
    let has = |call: &str, name: &str| s.ok(call).items().iter().any(|item| item.text() == name);
    // Redis 7.4 has categories of modules, and none for their subcommands.
    if !has("ACL CAT", "workgate") || !has("ACL CAT workgate", "cache.invalidate|prefix") {
        // Neither is known: SECURITY.md says what to deny by name.
        c.ok("CACHE.INVALIDATE PREFIX 1 other:");
        return;
    }
    for refused in ["PREFIX 1 other:", "PREFIX 2 mine: other:", "PREFIX 1 mine", "PREFIX 1 mi HARD"] {
        c.refuses(format!("CACHE.INVALIDATE {refused}"), "NOPERM");
    }
    c.refuses(cmd!["CACHE.INVALIDATE", "PREFIX", 1, ""], "NOPERM");
    c.refuses(cmd!["EVAL", "return redis.call('CACHE.INVALIDATE', 'PREFIX', 1, 'other:')", 0], "NOPERM");
    assert_eq!(s.ok("ACL LOG").at(0).field("object").text(), "other:");
    s.ok("CACHE.GET other:a").is("v");
    s.ok("CACHE.GET mine:a").is("v");
    c.ok("CACHE.INVALIDATE PREFIX 2 mine: mine:x HARD");
    c.ok("CACHE.INVALIDATE TAG 1 other:");
    s.ok("CACHE.GET mine:a").is(crate::support::nil());
    // A user of all keys may invalidate any prefix.
    s.ok(cmd!["CACHE.INVALIDATE", "PREFIX", 1, ""]);
    s.ok("CACHE.GET other:a").is(crate::support::nil());
}
