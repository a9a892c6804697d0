//! Random units beside an oracle: a database in which nobody waits. After each unit the oracle
//! asks, in the order of their coming, for what the waiting clients of the other database would get
//! by then.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Client, Reply, Snapshot, Unit, Waiter, eventually, server};

/// What a step answers, without tokens and times.
#[track_caller]
fn seen(reply: &Reply) -> String {
    match reply {
        Reply::Array(items) => match items.first() {
            Some(Reply::Array(_)) => items.iter().map(|job| job.at(0).text() + " ").collect(),
            Some(first @ (Reply::Int(_) | Reply::Bulk(_))) if items.len() > 1 => {
                let value = items.get(1).filter(|_| items.len() == 4);
                format!("{first:?} {value:?}")
            }
            _ => format!("{items:?}"),
        },
        reply => format!("{reply:?}"),
    }
}

/// A family: the command of who waits, whether its reply tells that nothing was there, and the
/// steps of units.
struct Family {
    /// `{}` is the number of the waiter.
    wait: &'static str,
    is_empty: fn(&Reply) -> bool,
    /// `{}` is a number that no other step has.
    steps: &'static [&'static str],
    /// What a test begins with, so that a client may wait.
    begin: &'static str,
}

const QUEUES: Family = Family {
    wait: "JOBQ.POP q LEASE 1h",
    is_empty: |reply| reply.items().is_empty(),
    steps: &[
        "JOBQ.PUSH q p ID j{} PRIORITY 5",
        "JOBQ.PUSH q p ID j{} PRIORITY 1",
        "JOBQ.PUSH q p ID j{} PRIORITY 9 LIFO",
        "JOBQ.PUSH other p ID j{}",
        "JOBQ.POP q LEASE 1h",
        "JOBQ.POP q COUNT 2 LEASE 1h",
        "JOBQ.PAUSE q",
        "JOBQ.RESUME q",
        "JOBQ.PURGE q ready",
        "RENAME q other",
        "RENAME other q",
        "DEL q",
    ],
    begin: "DEL q",
};

const PLACES: Family = Family {
    wait: "RATELIMIT.ACQUIRE k w{} MAX 2 LEASE 1h",
    is_empty: |reply| reply.at(0) == &Reply::Int(0),
    steps: &[
        "RATELIMIT.ACQUIRE k u{} MAX 2 LEASE 1h",
        "RATELIMIT.ACQUIRE k a MAX 2 LEASE 1h",
        "RATELIMIT.ACQUIRE k b MAX 2 LEASE 1h",
        "RATELIMIT.RELEASE k a",
        "RATELIMIT.RELEASE k b",
        "RATELIMIT.LOCK k 1h",
        "RATELIMIT.UNLOCK k",
        "RATELIMIT.RESET k",
        "RENAME k other",
        "RENAME other k",
        "DEL k",
    ],
    begin: "RATELIMIT.LOCK k 1h",
};

const VALUES: Family = Family {
    wait: "CACHE.GETSET c LEASE 1h",
    is_empty: |reply| reply.at(0).text() == "BUSY",
    steps: &[
        "CACHE.GETSET c LEASE 1h",
        "CACHE.SET c v{} TTL 1h",
        "CACHE.SET c v{} TTL 1h GRACE 1h",
        "CACHE.ABSENT c TTL 1h",
        "CACHE.EXPIRE c",
        "RENAME c other",
        "RENAME other c",
        "DEL c",
    ],
    begin: "CACHE.GETSET c LEASE 1h",
};

/// A unit, and how many clients begin to wait before it.
type Round = (usize, usize, Vec<usize>);

fn rounds(steps: usize) -> impl Strategy<Value = Vec<Round>> {
    let round = (0..3_usize, 0..3_usize, prop::collection::vec(0..steps, 1..6));
    prop::collection::vec(round, 1..8)
}

/// Lets the clients of the oracle's database have what is there, as the waiting ones should have
/// got it.
fn serve_oracle(oracle: &Client, family: &Family, waiting: &mut Vec<(String, Waiter)>) {
    while let Some((ask, _)) = waiting.first() {
        let reply = oracle.ok(ask.as_str());
        if (family.is_empty)(&reply) {
            return;
        }
        let (_, waiter) = waiting.remove(0);
        assert_eq!(seen(&waiter.reply()), seen(&reply));
    }
}

fn agrees(family: &'static Family) {
    let s = server!();
    let oracle = s.client();
    oracle.ok("SELECT 1");
    let config = Config { cases: 12, max_shrink_iters: 10, failure_persistence: None, ..Config::default() };
    let played = TestRunner::new(config).run(&rounds(family.steps.len()), |rounds| {
        s.ok("FLUSHALL");
        s.ok(family.begin);
        oracle.ok(family.begin);
        let mut waiting: Vec<(String, Waiter)> = Vec::new();
        let mut number = 0;
        for (way, coming, steps) in rounds {
            for _ in 0..coming {
                number += 1;
                let ask = family.wait.replace("{}", &number.to_string());
                let reply = oracle.ok(&ask);
                if (family.is_empty)(&reply) {
                    let waiter = s.waits(format!("{ask} BLOCK 1m"));
                    waiting.push((ask, waiter));
                } else {
                    assert_eq!(seen(&s.ok(&ask)), seen(&reply));
                }
            }
            let steps: Vec<String> = steps
                .into_iter()
                .map(|step| {
                    number += 1;
                    family.steps[step].replace("{}", &number.to_string())
                })
                .collect();
            let lines: Vec<&str> = steps.iter().map(String::as_str).collect();
            let got = Unit::ALL[way].run(&s, &lines);
            let want: Vec<Reply> = lines.iter().map(|line| oracle.call(*line)).collect();
            let both: Vec<(String, String)> =
                got.iter().zip(&want).map(|(got, want)| (seen(got), seen(want))).collect();
            assert!(both.iter().all(|(got, want)| got == want), "{lines:?}: {both:?}");
            serve_oracle(&oracle, family, &mut waiting);
            waiting.iter().for_each(|(_, waiter)| waiter.still_waits(&s));
        }
        // Who goes away now must not be granted anything in the next case.
        drop(waiting);
        eventually("nobody waits", || s.info("blocked_clients") == "0");
        Ok(())
    });
    if let Err(failed) = played {
        panic!("{failed}");
    }
    let r = s.replica(&[]);
    assert_eq!(Snapshot::of(&s), Snapshot::of(&r));
}

#[test]
fn units_of_queues_do_as_if_who_waits_came_after_them() {
    agrees(&QUEUES);
}

#[test]
fn units_of_places_do_as_if_who_waits_came_after_them() {
    agrees(&PLACES);
}

#[test]
fn units_of_cached_values_do_as_if_who_waits_came_after_them() {
    agrees(&VALUES);
}
