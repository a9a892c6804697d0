//! A server beyond `maxmemory` that may drop nothing: what adds is refused, all else is answered.

use std::collections::BTreeSet;

use crate::support::{Reply, Server, Untouched, cmd, eventually, server};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Full {
    /// It is answered as on any other day.
    Answers,
    /// It is refused, and changes nothing.
    Oom,
}
use Full::{Answers, Oom};

/// What happened before the server was full, the call, its outcome. `T` stands for the token in the
/// last reply before it.
const ROWS: &[(&[&str], &str, Full)] = &[
    (&["RATELIMIT.CHECK k 10/1h"], "RATELIMIT.CHECK k 10/1h", Answers),
    (&["RATELIMIT.CHECK k 10/1h"], "RATELIMIT.CHECK k 10/1h COST 4 UPTO", Answers),
    (&["RATELIMIT.CHECK k 10/1h:bucket"], "RATELIMIT.CHECK k 10/1h:bucket", Answers),
    (&["RATELIMIT.CHECK k 1/1h"], "RATELIMIT.CHECK k 1/1h", Answers),
    (&["RATELIMIT.CHECK k 1/1h"], "RATELIMIT.CHECK k 1/1h LOCKOUT 1m", Answers),
    (&["RATELIMIT.CHECK k 1/1h"], "RATELIMIT.CHECK k 1/1h b=1/1h", Answers),
    (&["RATELIMIT.CHECK k 10/1h COST 1 HOLD h 1h"], "RATELIMIT.CHECK k 10/1h COST 1 HOLD h 1h", Answers),
    (&[], "RATELIMIT.CHECK k 0/1h", Answers),
    (&[], "RATELIMIT.CHECK k 10/1h", Oom),
    (&[], "RATELIMIT.CHECK k 10/1h BRIEF", Oom),
    (&["RATELIMIT.CHECK k 10/1h"], "RATELIMIT.CHECK k 10/1h b=1/1h", Oom),
    (&["RATELIMIT.CHECK k 10/1h"], "RATELIMIT.CHECK k 10/1h HOLD h 1h", Oom),
    (
        &["RATELIMIT.CHECK k 9/1h", "RATELIMIT.CHECK l 9/1h"],
        "RATELIMIT.MCHECK k ALSO 1 l 1 9/1h 1 9/1h",
        Answers,
    ),
    (&["RATELIMIT.CHECK l 1/1h"], "RATELIMIT.MCHECK k ALSO 1 l 1 9/1h 1 1/1h", Answers),
    (&["RATELIMIT.CHECK k 9/1h"], "RATELIMIT.MCHECK k ALSO 1 l 1 9/1h 1 9/1h", Oom),
    (&["RATELIMIT.CHECK l 9/1h"], "RATELIMIT.MCHECK k ALSO 1 l 1 9/1h 1 9/1h", Oom),
    (&["CL.THROTTLE k 9 1 60"], "CL.THROTTLE k 9 1 60", Answers),
    (&["CL.THROTTLE k 9 1 60"], "CL.THROTTLE k 9 1 60 -1", Answers),
    (&[], "CL.THROTTLE k 9 1 60", Oom),
    (&["RATELIMIT.ACQUIRE k h MAX 2"], "RATELIMIT.ACQUIRE k h MAX 2", Answers),
    (&["RATELIMIT.ACQUIRE k h MAX 2"], "RATELIMIT.ACQUIRE k h MAX 2 TOKEN T", Answers),
    (&["RATELIMIT.ACQUIRE k h MAX 1"], "RATELIMIT.ACQUIRE k other MAX 1", Answers),
    (&["RATELIMIT.ACQUIRE k h MAX 2"], "RATELIMIT.ACQUIRE k other MAX 2", Oom),
    (&[], "RATELIMIT.ACQUIRE k h MAX 1", Oom),
    (&["RATELIMIT.ACQUIRE k h MAX 2"], "RATELIMIT.RELEASE k h", Answers),
    (&["RATELIMIT.CHECK k 10/1h COST 4 HOLD h 1h"], "RATELIMIT.SETTLE k h COST 9", Answers),
    (&["RATELIMIT.CHECK k 10/1h"], "RATELIMIT.REFUND k 10/1h COST 1", Answers),
    (&["RATELIMIT.CHECK k 10/1h"], "RATELIMIT.RESET k", Answers),
    (&[], "RATELIMIT.LOCK k 1h", Answers),
    (&["RATELIMIT.LOCK k 1h"], "RATELIMIT.UNLOCK k", Answers),
    (&["RATELIMIT.POLICY SET known 1/1h"], "RATELIMIT.POLICY SET known 1/1h", Answers),
    (&["RATELIMIT.POLICY SET known 1/1h"], "RATELIMIT.POLICY SET known 2/1h", Answers),
    (&["RATELIMIT.POLICY SET known 1/1h"], "RATELIMIT.POLICY DEL known", Answers),
    (&["RATELIMIT.POLICY DEL fresh"], "RATELIMIT.POLICY SET fresh 1/1h", Oom),
    (&["IDEMP.CLAIM k", "IDEMP.COMPLETE k T result"], "IDEMP.CLAIM k", Answers),
    (&["IDEMP.CLAIM k OWNER o"], "IDEMP.CLAIM k OWNER o", Answers),
    (&["IDEMP.CLAIM k OWNER o"], "IDEMP.CLAIM k OWNER other", Answers),
    (&["IDEMP.CLAIM k", "IDEMP.RELEASE k T"], "IDEMP.CLAIM k", Answers),
    (&[], "IDEMP.CLAIM k", Oom),
    (&[], "IDEMP.CLAIM k PAYLOAD p", Oom),
    (&["IDEMP.CLAIM k"], "IDEMP.COMPLETE k T result", Answers),
    (&["IDEMP.CLAIM k"], "IDEMP.RELEASE k T", Answers),
    (&["IDEMP.CLAIM k"], "IDEMP.EXTEND k T LEASE 1m CHECKPOINT c", Answers),
    (&["IDEMP.SEEN k 1h a b"], "IDEMP.SEEN k 1h a b", Answers),
    (&["IDEMP.SEEN k 1h a b"], "IDEMP.SEEN k 1h a c", Oom),
    (&[], "IDEMP.SEEN k 1h a", Oom),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.PUSH k p ID a", Answers),
    (&["JOBQ.PUSH k p UNIQUE u"], "JOBQ.PUSH k p UNIQUE u", Answers),
    (&["JOBQ.PUSH k long UNIQUE u DELAY 1h"], "JOBQ.PUSH k no UNIQUE u ONDUP replace", Answers),
    (&["JOBQ.PUSH k p UNIQUE u DELAY 1h"], "JOBQ.PUSH k longer UNIQUE u ONDUP replace", Oom),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.PUSH k p ID b", Oom),
    (&[], "JOBQ.PUSH k p", Oom),
    (&["JOBQ.MPUSH k 2 p p IDS 2 a b"], "JOBQ.MPUSH k 2 p p IDS 2 a b", Answers),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.MPUSH k 2 p p IDS 2 a b", Oom),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.POP k", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.ACK k a T RESULT r", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.MACK k 1 a T", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.FAIL k a T ERROR text PROGRESS p", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.RELEASE k a T", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.EXTEND k a T LEASE 1m PROGRESS p", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.MEXTEND k 1 a T LEASE 1m", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.LOG k a T line", Oom),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.CANCEL k a", Answers),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k", "JOBQ.FAIL k a T DEAD"], "JOBQ.REDRIVE k", Answers),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.PURGE k ready", Answers),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.UPDATE k a PRIORITY 5", Answers),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.UPDATE k a PAYLOAD q", Answers),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.UPDATE k a PRIORITY 5 PAYLOAD longer", Oom),
    (&["JOBQ.PUSH k p"], "JOBQ.CONFIG SET k concurrency 5", Answers),
    (&[], "JOBQ.CONFIG SET k concurrency 5", Oom),
    (&[], "JOBQ.PAUSE k", Answers),
    (&["JOBQ.PAUSE k"], "JOBQ.RESUME k", Answers),
    (&["JOBQ.PUSH k p"], "JOBQ.PAUSE k GROUP g", Answers),
    (&["JOBQ.PUSH k p"], "JOBQ.GROUP SET k g CONCURRENCY 2", Oom),
    (&["JOBQ.GROUP SET k g CONCURRENCY 2"], "JOBQ.GROUP SET k g CONCURRENCY default", Answers),
    (&["JOBQ.CRON SET k s @daily p"], "JOBQ.CRON SET k s @daily p", Answers),
    (&["JOBQ.CRON SET k s @daily p"], "JOBQ.CRON SET k s @hourly p", Answers),
    (&["JOBQ.CRON SET k s @daily p"], "JOBQ.CRON SET k s @daily longer", Oom),
    (&["JOBQ.PUSH k p"], "JOBQ.CRON SET k s @daily p", Oom),
    (&["JOBQ.CRON SET k s @daily p", "JOBQ.CRON RUN k s"], "JOBQ.CRON RUN k s", Answers),
    (&["JOBQ.CRON SET k s @daily p"], "JOBQ.CRON RUN k s", Oom),
    (&["JOBQ.CRON SET k s @daily p"], "JOBQ.CRON DEL k s", Answers),
    (&["CACHE.SET k v TTL 1h"], "CACHE.GETSET k", Answers),
    (&["CACHE.SET k v TTL 1h"], "CACHE.GETSET k TOUCH 2h", Answers),
    (&["CACHE.ABSENT k"], "CACHE.GETSET k", Answers),
    (&["SET k v"], "CACHE.GETSET k", Answers),
    (&["CACHE.GETSET k"], "CACHE.GETSET k", Answers),
    (&["CACHE.SET k v GRACE 1h", "CACHE.EXPIRE k"], "CACHE.GETSET k", Answers),
    (&["CACHE.SET k v TTL 1h"], "CACHE.GETSET k VALUE other", Answers),
    (&[], "CACHE.GETSET k", Oom),
    (&[], "CACHE.GETSET k VALUE v", Oom),
    (&["CACHE.GETSET k"], "CACHE.GETSET k VALUE v", Oom),
    (&["CACHE.GETSET k"], "CACHE.SET k loaded TOKEN T META etag", Answers),
    (&["CACHE.SET k v GRACE 1h", "CACHE.EXPIRE k", "CACHE.GETSET k"], "CACHE.SET k longer TOKEN T", Answers),
    (&[], "CACHE.SET k v TOKEN 5", Answers),
    (&["CACHE.SET k long"], "CACHE.SET k same", Answers),
    (&["CACHE.SET k v META m"], "CACHE.SET k w META n", Answers),
    (&["CACHE.SET k v"], "CACHE.SET k v META etag", Oom),
    (&["CACHE.SET k v"], "CACHE.SET k longer", Oom),
    (&[], "CACHE.SET k v", Oom),
    (&["CACHE.GETSET k"], "CACHE.ABSENT k TOKEN T", Answers),
    (&["CACHE.SET k v"], "CACHE.ABSENT k", Answers),
    (&[], "CACHE.ABSENT k", Oom),
    (&["CACHE.GETSET k"], "CACHE.RELEASE k T", Answers),
    (&["CACHE.SET k v"], "CACHE.EXPIRE k", Answers),
    (&[], "CACHE.INVALIDATE TAG 1 t", Answers),
    (&[], "CACHE.INVALIDATE PREFIX 1 p HARD", Answers),
    (&["CACHE.POLICY SET known TTL 1h"], "CACHE.POLICY SET known TTL 1h", Answers),
    (&["CACHE.POLICY SET known TTL 1h"], "CACHE.POLICY SET known TTL 2h", Answers),
    (&["CACHE.POLICY SET known TTL 1h"], "CACHE.POLICY DEL known", Answers),
    (&["CACHE.POLICY DEL fresh"], "CACHE.POLICY SET fresh TTL 1h", Oom),
    (&[], "BREAKER.ALLOW k", Answers),
    (&[], "BREAKER.REPORT k FAIL 1", Answers),
    (&["BREAKER.REPORT k FAIL 1"], "BREAKER.CONFIG SET k open 1h", Answers),
    (&[], "BREAKER.CONFIG SET k open 1h", Oom),
    (&[], "BREAKER.FORCE k open", Answers),
    (&["BREAKER.REPORT k FAIL 1"], "BREAKER.RESET k", Answers),
];

fn fill(s: &Server) {
    s.ok("CONFIG SET maxmemory 1");
}

fn free(s: &Server) {
    s.ok("CONFIG SET maxmemory 0");
}

/// The first number in a reply that is too large for anything but a token.
fn token_in(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Int(number) => Some(*number).filter(|number| *number > 1_000_000_000),
        Reply::Array(items) => items.iter().find_map(token_in),
        _ => None,
    }
}

/// Runs what came before, and returns the call with its token.
fn prepare(s: &Server, before: &[&str], call: &str) -> String {
    s.ok("FLUSHALL");
    let mut token = None;
    let with_token = |call: &str, token: Option<i64>| {
        let words = call.split(' ').map(|word| match (word, token) {
            ("T", Some(token)) => token.to_string(),
            (word, _) => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    for earlier in before {
        let reply = s.ok(with_token(earlier, token));
        token = token_in(&reply).or(token);
    }
    let call = with_token(call, token);
    assert!(!call.split(' ').any(|word| word == "T"), "there is a token for {call}");
    call
}

const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";

#[test]
fn a_full_server_refuses_what_adds_and_nothing_else() {
    let s = server!();
    let untouched = Untouched::on(&s);
    for (before, call, outcome) in ROWS {
        let call = prepare(&s, before, call);
        let digest = s.ok("WORKGATE.DIGEST");
        match outcome {
            Answers => {
                fill(&s);
                s.ok(call.as_str());
                free(&s);
            }
            Oom => {
                let refused = untouched.during("k", || {
                    fill(&s);
                    let refused = s.call(call.as_str());
                    free(&s);
                    refused
                });
                assert_eq!(refused, Reply::Error(OOM.to_owned()), "{call}");
                assert_eq!(s.ok("WORKGATE.DIGEST"), digest, "{call} changes nothing");
            }
        }
        if *outcome == Oom {
            s.ok(call.as_str());
        }
    }
}

#[test]
fn every_write_has_its_outcomes_on_a_full_server() {
    let s = server!();
    let names = |reply: Reply| reply.items().iter().map(Reply::text).collect::<Vec<_>>();
    let mut writes = BTreeSet::new();
    for command in names(s.ok("COMMAND LIST FILTERBY MODULE workgate")) {
        let info = s.ok(format!("COMMAND INFO {command}")).at(0).clone();
        let subcommands = info.at(9).items().to_vec();
        for each in if subcommands.is_empty() { vec![info] } else { subcommands } {
            let flags: Vec<String> = names(each.at(2).clone());
            let name = each.at(0).text();
            assert!(!flags.contains(&"denyoom".to_owned()), "{name}: the outcome decides, not the name");
            if flags.contains(&"write".to_owned()) && !name.ends_with("._apply") {
                writes.insert(name);
            }
        }
    }
    let mut listed = BTreeSet::new();
    for (_, call, _) in ROWS {
        let mut words = call.split(' ').map(str::to_lowercase);
        let (name, sub) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let with_sub = format!("{name}|{sub}");
        listed.insert(if writes.contains(&with_sub) { with_sub } else { name });
    }
    assert_eq!(listed, writes);
}

#[test]
fn a_transaction_on_a_full_server_refuses_only_the_commands_that_add() {
    let s = server!();
    let c = s.client();
    for (before, call, outcome) in ROWS {
        let call = prepare(&s, before, call);
        // A server that is full queues nothing more, whatever it is.
        c.ok("MULTI");
        c.ok(call.as_str());
        c.ok("EXISTS k");
        fill(&s);
        let replies = c.ok("EXEC");
        match outcome {
            Answers => assert!(!replies.at(0).is_error(), "{call}: {replies:?}"),
            Oom => assert_eq!(*replies.at(0), Reply::Error(OOM.to_owned()), "{call}"),
        }
        assert!(matches!(replies.at(1), Reply::Int(_)), "the others run: {replies:?}");
        free(&s);
    }
}

#[test]
fn a_script_on_a_full_server_sees_the_same_refusals() {
    let s = server!();
    let script = "local r = redis.pcall(unpack(ARGV)); if type(r) == 'table' and r.err then return r.err end; return 'answered'";
    for (before, call, outcome) in ROWS {
        let call = prepare(&s, before, call);
        fill(&s);
        let mut eval = cmd!["EVAL", script, 1, "k"];
        eval.extend(call.split(' ').map(|word| word.as_bytes().to_vec()));
        let said = s.ok(eval).text();
        match outcome {
            Answers => assert_eq!(said, "answered", "{call}"),
            Oom => assert!(said.contains(OOM), "{call}: {said}"),
        }
        free(&s);
    }
}

#[test]
fn a_server_that_may_drop_keys_refuses_once_nothing_is_left_to_drop() {
    let s = server!();
    s.ok("CONFIG SET maxmemory-policy volatile-lru");
    s.ok("JOBQ.PUSH q p");
    s.ok("SET gone v EX 1000");
    fill(&s);
    eventually("the key with a TTL is dropped", || s.ok("EXISTS gone").int() == 0);
    s.refuses("IDEMP.CLAIM k", OOM);
    s.refuses("JOBQ.PUSH q p", OOM);
    s.ok("JOBQ.CONFIG SET q concurrency 5");
    s.ok("CONFIG SET maxmemory-policy allkeys-lru");
    eventually("all keys are dropped", || s.ok("DBSIZE").int() == 0);
    s.refuses("IDEMP.CLAIM k", OOM);
    s.refuses("CACHE.GETSET k", OOM);
    free(&s);
    s.ok("IDEMP.CLAIM k");
}

#[test]
fn what_a_primary_has_decided_is_applied_to_a_replica_or_from_a_log_that_is_full() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    r.ok("CONFIG SET maxmemory 1");
    for (before, call, _) in ROWS {
        let call = prepare(&s, before, call);
        s.ok(call);
    }
    for key in ["a", "b"] {
        s.ok(format!("RATELIMIT.CHECK limit:{key} 10/1h"));
        s.ok(format!("IDEMP.CLAIM claim:{key}"));
        s.ok(format!("JOBQ.PUSH queue:{key} p"));
        s.ok(format!("CACHE.SET cache:{key} v"));
    }
    s.in_step_with(&r);
    let digest = s.ok("WORKGATE.DIGEST");
    assert_eq!(r.ok("WORKGATE.DIGEST"), digest);
    drop(r);
    s.restart_as("SHUTDOWN", &[&Server::load_line(), "appendonly yes", "maxmemory 1"]);
    s.refuses("IDEMP.CLAIM new", OOM);
    assert_eq!(s.ok("WORKGATE.DIGEST"), digest);
}
