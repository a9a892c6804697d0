//! Random calls beside waiting clients, compared with an oracle: a database in which nobody waits.
//! The oracle's clients ask, after each step, in the order of their coming; who is denied holds
//! back all later ones that want any of its limits.

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Client, Reply, Snapshot, Waiter, eventually, server};

/// Calls that may wait. The words before `COST` are limits.
const CALLS: &[&str] = &[
    "RATELIMIT.CHECK u a=4/1h",
    "RATELIMIT.CHECK u a=4/1h COST 3",
    "RATELIMIT.CHECK u b=6/1h:bucket COST 2",
    "RATELIMIT.CHECK u c=3/1h:fixed",
    "RATELIMIT.CHECK u a=4/1h b=6/1h:bucket",
    "RATELIMIT.CHECK u b=6/1h:bucket c=3/1h:fixed COST b=4",
    "RATELIMIT.CHECK u a=4/1h c=3/1h:fixed COST c=0",
    "RATELIMIT.CHECK u @p",
    "RATELIMIT.CHECK u a=4/1h COST 3 UPTO",
];

/// What happens besides. The policy is one of both databases, so its change comes to both at the
/// same time.
const STEPS: &[&str] = &[
    "RATELIMIT.REFUND u a=4/1h COST 1",
    "RATELIMIT.REFUND u a=4/1h b=6/1h c=3/1h COST a=2,b=3,c=1",
    "RATELIMIT.RESET u a",
    "RATELIMIT.RESET u b c",
    "RATELIMIT.RESET u",
    "RATELIMIT.LOCK u 9h",
    "RATELIMIT.UNLOCK u",
    "RATELIMIT.CHECK u a=4/1h",
    "RATELIMIT.CHECK u c=3/1h:fixed COST 2",
    "DEL u",
    "CLOCK",
];

fn names(call: &str) -> BTreeSet<&str> {
    let limits = call.split_whitespace().skip(2).take_while(|word| word.contains('/') || *word == "@p");
    // What costs nothing of c does not stand in its line.
    limits
        .map(|limit| if limit == "@p" { "c" } else { &limit[..1] })
        .filter(|name| !call.contains(&format!("{name}=0")))
        .collect()
}

/// What a call answers, without times.
#[track_caller]
fn seen(reply: &Reply) -> String {
    match reply {
        Reply::Array(items) if items.len() >= 5 => format!("{:?} {:?}", &items[..3], &items[5..]),
        _ => "other".to_owned(),
    }
}

fn is_denied(reply: &Reply) -> bool {
    reply.at(0) == &Reply::Int(0)
}

/// The oracle's clients ask; the waiting ones must have been told the same.
fn serve(oracle: &Client, waiting: &mut Vec<(&'static str, Waiter)>) {
    let mut held_back: BTreeSet<&str> = BTreeSet::new();
    for (call, waiter) in std::mem::take(waiting) {
        let reply = held_back.is_disjoint(&names(call)).then(|| oracle.ok(call));
        match reply.filter(|reply| !is_denied(reply)) {
            Some(reply) => assert_eq!(seen(&waiter.reply()), seen(&reply), "{call}"),
            None => {
                held_back.extend(names(call));
                waiting.push((call, waiter));
            }
        }
    }
}

#[test]
fn waiting_calls_are_granted_as_if_each_had_come_at_its_turn() {
    let s = server!();
    let oracle = s.client();
    oracle.ok("SELECT 1");
    s.ok("RATELIMIT.POLICY SET p c=3/1h:fixed");
    let step = prop_oneof![(0..CALLS.len()).prop_map(Ok), (0..STEPS.len()).prop_map(Err)];
    let config = Config { cases: 20, max_shrink_iters: 10, failure_persistence: None, ..Config::default() };
    let ahead = Cell::new(0);
    let played = TestRunner::new(config).run(&prop::collection::vec(step, 1..25), |steps| {
        s.ok("FLUSHALL");
        let mut waiting: Vec<(&'static str, Waiter)> = Vec::new();
        for step in steps {
            match step {
                Ok(call) => {
                    let call = CALLS[call];
                    let behind = waiting.iter().any(|(other, _)| !names(other).is_disjoint(&names(call)));
                    let reply = (!behind).then(|| oracle.ok(call));
                    match reply.filter(|reply| !is_denied(reply)) {
                        Some(reply) => assert_eq!(seen(&s.ok(format!("{call} BLOCK 1h"))), seen(&reply)),
                        None => waiting.push((call, s.waits(format!("{call} BLOCK 1h")))),
                    }
                }
                Err(step) if STEPS[step] == "CLOCK" => {
                    ahead.set(ahead.get() + 1_234_567);
                    s.ok(format!("WORKGATE.TEST CLOCK {}", ahead.get()));
                }
                Err(step) => assert_eq!(seen(&s.ok(STEPS[step])), seen(&oracle.ok(STEPS[step]))),
            }
            serve(&oracle, &mut waiting);
            waiting.iter().for_each(|(_, waiter)| waiter.still_waits(&s));
        }
        // The last goes first, so that nobody is granted what the one before leaves, to be undone
        // in the next case.
        while waiting.pop().is_some() {
            eventually("it is gone", || s.info("blocked_clients") == waiting.len().to_string());
        }
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{}", failed.to_string().lines().take(40).collect::<Vec<_>>().join("\n"));
    }
    let r = s.replica(&[]);
    assert_eq!(Snapshot::of(&s), Snapshot::of(&r));
}
