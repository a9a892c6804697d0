//! kill -9 at random moments under load, with every write synced: what was answered has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Client, Reply, eventually, server};

const ROUNDS: u64 = 5;
const CLIENTS: u64 = 4;

/// What one client was told before the server died.
#[derive(Default)]
struct Told {
    pushed: Vec<String>,
    popped: Vec<(String, i64)>,
    acked: Vec<String>,
}

/// Pushes, pops and acknowledges until the connection breaks; `answers` counts.
fn work(port: u16, name: &str, answers: &AtomicUsize) -> Told {
    let mut told = Told::default();
    let Ok(client) = Client::connect(port) else { return told };
    for nth in 0.. {
        let id = format!("{name}-{nth}");
        let options = ["", "GROUP g", "PRIORITY 2", "DELAY 5ms"][nth % 4];
        match client.try_call(format!("JOBQ.PUSH q payload ID {id} {options}")) {
            Ok(reply) => assert!(!reply.is_error(), "{reply:?}"),
            Err(_) => break,
        }
        told.pushed.push(id);
        answers.fetch_add(1, Ordering::Relaxed);
        let Ok(Reply::Array(jobs)) = client.try_call("JOBQ.POP q COUNT 2 LEASE 1h") else { break };
        let jobs: Vec<(String, i64)> = jobs.iter().map(|job| (job.at(0).text(), job.at(1).int())).collect();
        told.popped.extend(jobs.iter().cloned());
        for (id, token) in jobs {
            // Some stay active for good.
            if token % 5 == 0 {
                continue;
            }
            match client.try_call(format!("JOBQ.ACK q {id} {token}")) {
                Ok(reply) => assert_eq!(reply.text(), "OK"),
                Err(_) => return told,
            }
            told.acked.push(id);
        }
    }
    told
}

#[test]
fn what_was_answered_before_a_crash_has_happened_and_no_job_is_handed_out_twice() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok("JOBQ.CONFIG SET q group_concurrency off");
    let (mut pushed, mut acked, mut popped) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
    let mut last_token = 0;
    for round in 0..ROUNDS {
        let (port, answers) = (s.port(), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let answers = Arc::clone(&answers);
                thread::spawn(move || work(port, &format!("{round}-{client}"), &answers))
            })
            .collect();
        // Any moment will do; these differ.
        let enough = 20 + 17 * round as usize;
        eventually("the clients are at work", || answers.load(Ordering::Relaxed) >= enough);
        s.kill();
        let mut tokens = BTreeSet::new();
        for told in clients.into_iter().map(|client| client.join().expect("a client's checks")) {
            pushed.extend(told.pushed);
            acked.extend(told.acked);
            for (id, token) in told.popped {
                assert!(token > last_token, "{id} has a token of before the last crash");
                assert!(tokens.insert(token), "{token} was granted twice");
                assert!(popped.insert(id.clone(), token).is_none(), "{id} was handed out twice");
            }
        }
        last_token = tokens.last().copied().unwrap_or(last_token);
        s.revive();
        let asked: Vec<String> = pushed.iter().map(|id| format!("JOBQ.GET q {id}")).collect();
        for (id, job) in pushed.iter().zip(s.pipeline(asked)) {
            assert_ne!(job, Reply::Nil, "{id} was pushed");
            let (state, token) = (job.field("state").text(), job.field("token").int());
            assert!(!acked.contains(id) || state == "done", "{id} was acknowledged and is {state}");
            if let Some(granted) = popped.get(id) {
                assert_eq!(token, *granted, "{id} has another token");
                assert!(["active", "done"].contains(&&state[..]), "{id} is held and {state}");
            }
        }
    }
    assert!(pushed.len() as u64 > ROUNDS * CLIENTS && !acked.is_empty(), "hardly anything was done");
}
