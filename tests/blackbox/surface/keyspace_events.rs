//! What clients that follow keyspace events hear of the module's keys.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{Client, Reply, Server, eventually, server};

/// A client that hears all events of all keys.
struct Listener(Client);

impl Listener {
    fn on(s: &Server) -> Listener {
        let client = s.client();
        client.ok("PSUBSCRIBE __keyevent@*__:*");
        Listener(client)
    }

    /// `event key` of all that was published since the last call.
    fn heard(&self) -> Vec<String> {
        self.0.send("PING end");
        let mut heard = vec![];
        loop {
            let message = self.0.read();
            if message.at(0).text() == "pong" {
                return heard;
            }
            let channel = message.at(2).text();
            let event = channel.split_once("__:").expect("a channel").1;
            heard.push(format!("{event} {}", message.at(3).text()));
        }
    }

    fn kinds(&self) -> BTreeSet<String> {
        self.heard().iter().filter_map(|event| event.split(' ').next()).map(str::to_owned).collect()
    }
}

/// What came before, a call, and what is told of it, `T` standing for the token in the last reply
/// before the call.
const CALLS: &[(&[&str], &str, &[&str])] = &[
    (&[], "RATELIMIT.CHECK k 2/1h", &["ratelimit.taken"]),
    (&["RATELIMIT.CHECK k 1/1h"], "RATELIMIT.CHECK k 1/1h", &[]),
    (&["RATELIMIT.CHECK k 1/1h"], "RATELIMIT.CHECK k 1/1h LOCKOUT 1m", &["ratelimit.locked"]),
    (&[], "RATELIMIT.LOCK k 1m", &["ratelimit.locked"]),
    (&["RATELIMIT.LOCK k 1m"], "RATELIMIT.UNLOCK k", &["ratelimit.unlocked", "del"]),
    (&["RATELIMIT.CHECK k 9/1h COST 5 HOLD h 1h"], "RATELIMIT.SETTLE k h COST 1", &["ratelimit.settled"]),
    (&["RATELIMIT.CHECK k 9/1h COST 5"], "RATELIMIT.REFUND k 9/1h COST 1", &["ratelimit.refunded"]),
    (&["RATELIMIT.CHECK k 2/1h"], "RATELIMIT.RESET k", &["ratelimit.reset", "del"]),
    (&["RATELIMIT.CHECK k 2/1h a=2/1h"], "RATELIMIT.RESET k a", &["ratelimit.reset"]),
    (&[], "RATELIMIT.ACQUIRE k h MAX 1", &["ratelimit.acquired"]),
    (&["RATELIMIT.ACQUIRE k h MAX 1"], "RATELIMIT.RELEASE k h", &["ratelimit.released", "del"]),
    (&[], "IDEMP.CLAIM k", &["idemp.claimed"]),
    (&["IDEMP.CLAIM k"], "IDEMP.CLAIM k", &[]),
    (&["IDEMP.CLAIM k"], "IDEMP.COMPLETE k T r", &["idemp.completed"]),
    (&["IDEMP.CLAIM k"], "IDEMP.EXTEND k T", &["idemp.extended"]),
    (&["IDEMP.CLAIM k"], "IDEMP.RELEASE k T", &["idemp.released"]),
    (&[], "IDEMP.SEEN k 1h a", &["idemp.seen"]),
    (&["IDEMP.SEEN k 1h a"], "IDEMP.SEEN k 1h a", &[]),
    (&[], "JOBQ.PUSH k p", &["jobq.pushed"]),
    (&[], "JOBQ.MPUSH k 3 p p p", &["jobq.pushed"]),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.PUSH k p ID a", &[]),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.PUSH k p AFTER 1 a", &["jobq.pushed", "jobq.blocked"]),
    (&["JOBQ.PUSH k p ID a DELAY 1h"], "JOBQ.UPDATE k a NOW", &["jobq.updated", "jobq.ready"]),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.POP k", &["jobq.popped"]),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.ACK k a T", &["jobq.done"]),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.FAIL k a T", &["jobq.failed", "jobq.delayed"]),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.FAIL k a T DEAD", &["jobq.failed", "jobq.dead"]),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.RELEASE k a T", &["jobq.released"]),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.CANCEL k a", &["jobq.cancel_requested"]),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k"], "JOBQ.EXTEND k a T PROGRESS half", &["jobq.progress"]),
    (&["JOBQ.PUSH k p ID a", "JOBQ.POP k", "JOBQ.FAIL k a T DEAD"], "JOBQ.REDRIVE k", &["jobq.redriven"]),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.CANCEL k a", &["jobq.cancelled"]),
    (&["JOBQ.PUSH k p ID a"], "JOBQ.PURGE k ready", &["jobq.purged"]),
    (
        &["JOBQ.PUSH k p UNIQUE u DELAY 1h"],
        "JOBQ.PUSH k q UNIQUE u ONDUP replace",
        &["jobq.pushed", "jobq.replaced"],
    ),
    (&[], "JOBQ.PAUSE k", &["jobq.paused"]),
    (&["JOBQ.PAUSE k"], "JOBQ.RESUME k", &["jobq.resumed"]),
    (&[], "JOBQ.CONFIG SET k lease 1m", &["jobq.configured"]),
    (&[], "JOBQ.PAUSE k GROUP g", &["jobq.group_paused"]),
    (&["JOBQ.PAUSE k GROUP g"], "JOBQ.RESUME k GROUP g", &["jobq.group_resumed"]),
    (&[], "JOBQ.GROUP SET k g CONCURRENCY 2", &["jobq.group_configured"]),
    (&[], "JOBQ.CRON SET k s @daily p", &["jobq.scheduled"]),
    (&["JOBQ.CRON SET k s @daily p"], "JOBQ.CRON DEL k s", &["jobq.unscheduled"]),
    (&[], "CACHE.GETSET k", &["cache.leased"]),
    (&["CACHE.GETSET k"], "CACHE.SET k v TOKEN T", &["cache.stored"]),
    (&["CACHE.GETSET k"], "CACHE.RELEASE k T", &["cache.released"]),
    (&["CACHE.SET k v"], "CACHE.GETSET k", &[]),
    (&["CACHE.SET k v TTL 1h"], "CACHE.GETSET k TOUCH 2h", &["cache.touched"]),
    (&["CACHE.SET k v"], "CACHE.EXPIRE k", &["cache.invalidated", "del"]),
    (&["CACHE.SET k v TTL 1h GRACE 1h"], "CACHE.EXPIRE k", &["cache.invalidated"]),
    (
        &["CACHE.SET k v TTL 1h TAGS 1 t", "CACHE.INVALIDATE TAG 1 t HARD"],
        "CACHE.GETSET k",
        &["cache.invalidated", "del", "cache.leased"],
    ),
    (&["SET k v"], "CACHE.EXPIRE k", &["cache.invalidated", "del"]),
    (&["SET k v"], "CACHE.GETSET k TOUCH 1h", &["cache.touched", "expire"]),
    (&["BREAKER.CONFIG SET k min_calls 1"], "BREAKER.REPORT k FAIL 1", &["breaker.opened"]),
    (&["BREAKER.REPORT k OK 1"], "BREAKER.RESET k", &["breaker.reset"]),
    (&[], "BREAKER.FORCE k open", &["breaker.forced"]),
    (&[], "BREAKER.CONFIG SET k open 1h", &["breaker.configured"]),
];

fn token_in(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Int(number) => Some(*number).filter(|number| *number > 1_000_000_000),
        Reply::Array(items) => items.iter().find_map(token_in),
        _ => None,
    }
}

fn run(s: &Server, before: &[&str], call: &str) -> String {
    s.ok("FLUSHALL");
    let mut token = None;
    let fill = |call: &str, token: Option<i64>| {
        let words = call.split(' ').map(|word| match (word, token) {
            ("T", Some(token)) => token.to_string(),
            (word, _) => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    for earlier in before {
        token = token_in(&s.ok(fill(earlier, token))).or(token);
    }
    fill(call, token)
}

#[test]
fn each_change_of_state_is_told_by_its_word() {
    let s = server!("notify-keyspace-events Edg");
    let r = s.replica(&["notify-keyspace-events Edg"]);
    let (here, there) = (Listener::on(&s), Listener::on(&r));
    for (before, call, told) in CALLS {
        let call = run(&s, before, call);
        s.in_step_with(&r);
        here.heard();
        there.heard();
        s.ok(call.as_str());
        s.in_step_with(&r);
        let told: BTreeSet<String> = told.iter().map(|event| format!("{event} k")).collect();
        let heard = |listener: &Listener| {
            let heard = listener.heard();
            let set: BTreeSet<String> = heard.iter().cloned().collect();
            assert_eq!(set.len(), heard.len(), "{call}: each once: {heard:?}");
            set
        };
        assert_eq!(heard(&here), told, "{call}");
        assert_eq!(heard(&there), told, "{call}, on a replica");
    }
}

#[test]
fn nothing_is_told_unless_asked_for() {
    let s = server!();
    let listener = Listener::on(&s);
    for (classes, heard_of) in [("", ""), ("Eg", "g"), ("EK", ""), ("Ed", "d"), ("AE", "gd"), ("", "")] {
        s.ok(crate::support::cmd!["CONFIG", "SET", "notify-keyspace-events", classes]);
        listener.heard();
        for (before, call, told) in CALLS {
            // Strings tell of themselves.
            if before.first().is_some_and(|call| call.starts_with("SET ")) {
                continue;
            }
            let call = run(&s, before, call);
            listener.heard();
            s.ok(call.as_str());
            let wanted = told.iter().filter(|event| {
                let class = if event.contains('.') { 'd' } else { 'g' };
                heard_of.contains(class)
            });
            assert_eq!(
                listener.kinds(),
                wanted.map(|event| (*event).to_owned()).collect(),
                "'{classes}': {call}"
            );
        }
    }
}

#[test]
fn what_time_brings_about_is_told_by_the_next_write() {
    let s = server!("notify-keyspace-events Ed");
    let listener = Listener::on(&s);
    s.ok("JOBQ.PUSH q p ID lost LEASE 20ms");
    s.ok("JOBQ.POP q");
    s.ok("JOBQ.PUSH q p ID gone EXPIRE 20ms");
    s.ok("JOBQ.PUSH q p ID late DELAY 20ms");
    s.ok("JOBQ.PUSH other p ID done KEEP 0s");
    let token = s.ok("JOBQ.POP other").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK other done {token}"));
    s.goes_on(100);
    listener.heard();
    s.ok("JOBQ.PUSH q p");
    let want = ["jobq.expired", "jobq.pushed", "jobq.ready", "jobq.stalled"];
    assert_eq!(listener.kinds(), want.map(str::to_owned).into());
    s.ok("JOBQ.PUSH other p");
    assert_eq!(listener.kinds(), ["jobq.pushed", "jobq.removed"].map(str::to_owned).into());
    // A round that counts as failed is over, and a probe that succeeds closes the breaker.
    s.ok("BREAKER.CONFIG SET b min_calls 1 open 20ms probes 1");
    s.ok("BREAKER.REPORT b FAIL 1");
    s.goes_on(50);
    listener.heard();
    let permit = s.ok("BREAKER.ALLOW b").at(2).int();
    s.ok(format!("BREAKER.REPORT b OK 1 PERMIT {permit}"));
    assert_eq!(listener.kinds(), ["breaker.closed", "breaker.probed"].map(str::to_owned).into());
}

#[test]
fn a_key_whose_time_is_over_is_told_as_expired() {
    let s = server!("notify-keyspace-events Ex");
    let listener = Listener::on(&s);
    s.ok("RATELIMIT.CHECK limit 1/30ms");
    s.ok("IDEMP.CLAIM record LEASE 10ms TTL 30ms");
    s.ok("CACHE.SET entry v TTL 30ms");
    s.ok("IDEMP.SEEN seen 30ms a");
    let mut told = BTreeSet::new();
    eventually("all are told of", || {
        told.extend(listener.heard());
        told.len() == 4
    });
    let want = ["expired entry", "expired limit", "expired record", "expired seen"];
    assert_eq!(told, want.map(str::to_owned).into());
}

#[test]
fn the_page_lists_every_event_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/notifications.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let families = ["ratelimit.", "idemp.", "jobq.", "cache.", "breaker."];
    let listed: BTreeSet<&str> = page
        .split('`')
        .filter(|word| families.iter().any(|family| word.starts_with(family)))
        .filter(|word| !word.contains(' '))
        .collect();
    let told = CALLS.iter().flat_map(|(_, _, told)| told.iter().copied()).filter(|event| event.contains('.'));
    let of_time = ["jobq.stalled", "jobq.expired", "jobq.removed", "breaker.probed", "breaker.closed"];
    assert_eq!(listed, told.chain(of_time).collect());
}
