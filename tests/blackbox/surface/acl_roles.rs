//! The users that docs/guides/operations.md and SECURITY.md set up: each may do its work and
//! nothing beyond it.

use std::path::Path;

use crate::support::{Client, Reply, Server, server};

const GUIDE: &str = "docs/guides/operations.md";

/// The line of the page that sets up the user.
fn set_up_line(page: &str, user: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(path).expect("a page");
    let begin = format!("> ACL SETUSER {user} ");
    let line = text.lines().find(|line| line.starts_with(&begin));
    line.unwrap_or_else(|| panic!("{page} has no line '{begin}…'")).trim_start_matches("> ").to_owned()
}

/// A connection of that user.
fn connect_as(s: &Server, page: &str, user: &str) -> Client {
    s.ok(set_up_line(page, user).as_str());
    let client = s.client();
    client.ok(format!("AUTH {user} change-me").as_str());
    client
}

fn may(client: &Client, call: &str) -> bool {
    match client.call(call) {
        // Redis 8 does not even admit that there are internal commands.
        Reply::Error(text) => !text.starts_with("NOPERM") && !text.starts_with("ERR unknown command"),
        _ => true,
    }
}

#[track_caller]
fn may_only(client: &Client, allowed: &[&str], denied: &[&str]) {
    for call in allowed {
        assert!(may(client, call), "may not: {call}");
    }
    for call in denied {
        assert!(!may(client, call), "may: {call}");
    }
}

/// What none of the users may do.
const NOBODY: [&str; 8] = [
    "FLUSHALL",
    "KEYS *",
    "CONFIG GET requirepass",
    "CONFIG SET maxmemory 1",
    "ACL LIST",
    "JOBQ._APPLY mails x",
    "WORKGATE._APPLY clock x",
    "GET mails",
];

#[test]
fn a_producer_may_push_and_follow_its_jobs() {
    let s = server!();
    let c = connect_as(&s, GUIDE, "producer");
    let allowed = [
        "JOBQ.PUSH mails hello ID a",
        "JOBQ.MPUSH mails 1 hello",
        "JOBQ.GET mails a",
        "JOBQ.RESULT mails a",
        "JOBQ.CANCEL mails a",
        "JOBQ.PUSH mails:{3} hello",
    ];
    may_only(&c, &allowed, &["JOBQ.POP mails", "JOBQ.PURGE mails done", "JOBQ.PUSH other hello"]);
    may_only(&c, &[], &NOBODY);
}

#[test]
fn a_worker_may_take_jobs_and_settle_them() {
    let s = server!();
    let c = connect_as(&s, GUIDE, "worker");
    let allowed = [
        "JOBQ.POP mails",
        "JOBQ.POP mails:{0} ALSO 1 mails:{1}",
        "JOBQ.ACK mails a 5",
        "JOBQ.FAIL mails a 5 ERROR e",
        "JOBQ.RELEASE mails a 5",
        "JOBQ.EXTEND mails a 5 30s",
        "JOBQ.STATS mails",
        "CLIENT ID",
        "CLIENT UNBLOCK 1",
        "TIME",
    ];
    may_only(
        &c,
        &allowed,
        &["JOBQ.PUSH mails hello", "JOBQ.POP other", "JOBQ.POP mails ALSO 1 other", "CLIENT LIST"],
    );
    may_only(&c, &[], &NOBODY);
}

#[test]
fn an_application_may_ask_for_limits_claims_and_cached_values() {
    let s = server!();
    let c = connect_as(&s, GUIDE, "application");
    let allowed = [
        "RATELIMIT.CHECK user:42 10/1m",
        "CL.THROTTLE user:42 10 10 60",
        "IDEMP.CLAIM order:7",
        "IDEMP.SEEN order:seen 1h 1 evt",
        "CACHE.GETSET page:1",
        "BREAKER.ALLOW user:breaker",
    ];
    let denied = [
        "RATELIMIT.CHECK other 10/1m",
        "RATELIMIT.RESET user:42",
        "RATELIMIT.POLICY SET ai requests=10/1m",
        "CACHE.INVALIDATE TAG 1 t",
        "CACHE.POLICY SET page: TTL 5m",
        "BREAKER.FORCE user:breaker OPEN",
        "JOBQ.PUSH user:42 hello",
    ];
    may_only(&c, &allowed, &denied);
    may_only(&c, &[], &NOBODY);
}

/// Every command of the module, with as many arguments as it needs at least; subcommands represent
/// their container.
fn commands_of_the_module(s: &Server) -> Vec<String> {
    let reply = s.ok("COMMAND LIST FILTERBY MODULE workgate");
    let names: Vec<String> = reply.items().iter().map(Reply::text).collect();
    let holds_others = |name: &str| names.iter().any(|other| other.starts_with(&format!("{name}|")));
    let mut commands = vec![];
    for name in names.iter().filter(|name| !holds_others(name)) {
        let info = s.ok(format!("COMMAND INFO {name}").as_str());
        let arity = info.at(0).at(1).int().unsigned_abs() as usize;
        let arguments = " x".repeat(arity - name.split('|').count());
        commands.push(format!("{}{arguments}", name.replace('|', " ")));
    }
    assert!(commands.len() > 60, "{commands:?}");
    commands
}

fn dry_run(s: &Server, user: &str, command: &str) -> bool {
    matches!(s.ok(format!("ACL DRYRUN {user} {command}").as_str()), Reply::Status(_))
}

#[test]
fn an_operator_may_send_every_command_of_the_module_but_its_internal_ones() {
    let s = server!();
    let c = connect_as(&s, GUIDE, "operator");
    for command in commands_of_the_module(&s) {
        let is_internal = command.contains("_apply") || command.starts_with("workgate.test");
        assert_eq!(dry_run(&s, "operator", &command), !is_internal, "{command}");
    }
    may_only(&c, &["INFO workgate", "SCAN 0", "TYPE mails", "CLIENT LIST", "SLOWLOG GET"], &NOBODY);
    may_only(&c, &[], &["CLIENT KILL ID 999999", "SHUTDOWN NOSAVE", "DEBUG SLEEP 0"]);
}

#[test]
fn a_user_of_all_commands_is_kept_from_those_that_the_security_page_denies() {
    let s = server!();
    let c = connect_as(&s, "SECURITY.md", "limited");
    let denied = [
        "RATELIMIT.POLICY SET ai requests=10/1m",
        "RATELIMIT.POLICY DEL ai",
        "CACHE.POLICY SET app: TTL 5m",
        "CACHE.INVALIDATE TAG 1 t",
        "CACHE.INVALIDATE PREFIX 1 other:",
        "CACHE.EVENTS 0",
        "JOBQ.PURGE app:q done",
        "WORKGATE.DIGEST",
        "CONFIG GET *",
    ];
    let allowed = [
        "RATELIMIT.POLICY GET ai",
        "JOBQ.PUSH app:q hello",
        "JOBQ.CONFIG GET app:q",
        "CACHE.GETSET app:page",
    ];
    may_only(&c, &allowed, &denied);
}
