//! Which ACL categories give which commands to a user.

use std::collections::BTreeSet;

use crate::support::{Reply, Server, server, status};

fn names(reply: &Reply) -> BTreeSet<String> {
    reply.items().iter().map(Reply::text).collect()
}

fn commands_in(s: &Server, category: &str) -> BTreeSet<String> {
    names(&s.ok(format!("ACL CAT {category}")))
}

/// Whether modules may choose categories there (Redis 7.4, Valkey 8).
fn has_categories(s: &Server) -> bool {
    names(&s.ok("ACL CAT")).contains("workgate")
}

const APPLY: [&str; 7] = [
    "ratelimit._apply",
    "idemp._apply",
    "idemp.seen._apply",
    "jobq._apply",
    "cache._apply",
    "breaker._apply",
    "workgate._apply",
];

#[test]
fn no_category_gives_a_user_an_internal_command() {
    let s = server!();
    for category in names(&s.ok("ACL CAT")) {
        let given = commands_in(&s, &category);
        for command in APPLY {
            assert!(!given.contains(command), "{command} is in @{category}");
        }
    }
    if has_categories(&s) {
        s.ok("ACL SETUSER all-of-it on nopass ~* +@workgate +@write +@read +@slow +@fast");
        for command in APPLY {
            let dry = s.call(format!("ACL DRYRUN all-of-it {command} k effect"));
            assert_ne!(dry, Reply::Status("OK".to_owned()), "{command}");
        }
    }
}

#[test]
fn internal_commands_are_hidden_where_the_server_can_and_refused_everywhere() {
    let s = server!();
    let shown = names(&s.ok("COMMAND LIST FILTERBY MODULE workgate"));
    let hidden = APPLY.iter().all(|command| !shown.contains(*command));
    // Redis 8 knows commands that are internal.
    let is_valkey = s.ok("INFO server").text().contains("valkey_version");
    let knows_internal = !is_valkey && !s.info("redis_version").starts_with("7.");
    assert_eq!(hidden, knows_internal, "{shown:?}");
    for command in APPLY {
        s.refuses(format!("{command} k effect"), "ERR");
        let docs = s.ok(format!("COMMAND DOCS {command}"));
        assert_eq!(docs.fields().is_empty(), hidden);
        for (_, docs) in docs.fields() {
            assert!(docs.field("summary").text().starts_with("Internal: "), "{command}");
        }
    }
}

#[test]
fn changing_a_policy_is_administration_and_looking_at_one_is_not() {
    let s = server!();
    let changes = ["ratelimit.policy|set", "ratelimit.policy|del", "cache.policy|set", "cache.policy|del"];
    let looks = ["ratelimit.policy|get", "ratelimit.policy|list", "cache.policy|get", "cache.policy|list"];
    // Redis 7.4 lets modules choose for commands and not for their subcommands.
    if !has_categories(&s) || !commands_in(&s, "workgate").contains("ratelimit.policy|set") {
        // On Redis 7.0 no category takes a module's command away from a user; 7.2 goes by its
        // flags.
        s.ok("ACL SETUSER limited on nopass ~* +@all -@admin -@dangerous");
        let answer = s.ok("ACL DRYRUN limited cache.policy set p TTL 1h");
        if s.info("redis_version").starts_with("7.0.") {
            answer.is(status("OK"));
        } else {
            assert!(answer.text().contains("no permissions"), "{answer:?}");
        }
        return;
    }
    for category in ["admin", "dangerous"] {
        let given = commands_in(&s, category);
        assert!(changes.iter().all(|command| given.contains(*command)), "{category}: {given:?}");
        assert!(looks.iter().all(|command| !given.contains(*command)), "{category}: {given:?}");
    }
    s.ok("ACL SETUSER limited on nopass ~* +@all -@dangerous");
    let c = s.client();
    c.ok("AUTH limited x");
    for change in [
        "RATELIMIT.POLICY SET ai 1/1m",
        "RATELIMIT.POLICY DEL ai",
        "CACHE.POLICY SET p TTL 1h",
        "CACHE.POLICY DEL p",
        "CACHE.EVENTS 0",
        "WORKGATE.DIGEST",
    ] {
        c.refuses(change, "NOPERM");
    }
    for look in ["RATELIMIT.POLICY LIST", "CACHE.POLICY GET p", "CACHE.STATS", "JOBQ.PUSH q p", "JOBQ.QUEUES"]
    {
        c.ok(look);
    }
}
