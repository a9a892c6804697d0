//! Many clients that wait, give up, are killed and unblocked while jobs come in: no waiter is
//! forgotten, nothing is handed out twice.

use std::collections::BTreeSet;

use crate::support::{Client, Reply, Server, eventually, server};

/// Small numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A client and its number.
type Known = (i64, Client);

fn wait(s: &Server, numbers: &mut Numbers) -> Known {
    let client = s.client();
    let id = client.id();
    let (first, second, third) = (numbers.below(5), numbers.below(5), numbers.below(5));
    // A third of them give up by themselves.
    let block = if numbers.below(3) == 0 { format!("{}ms", 1 + numbers.below(60)) } else { "1h".into() };
    client.send(format!("JOBQ.POP q{first} ALSO 2 q{second} q{third} COUNT 2 BLOCK {block} LEASE 1h"));
    (id, client)
}

/// The tokens of what the client was handed.
fn take(reply: Reply, tokens: &mut Vec<i64>, ids: &mut Vec<String>) {
    if let Reply::Array(jobs) = reply {
        for job in jobs {
            ids.push(format!("{}/{}", job.at(5).text(), job.at(0).text()));
            tokens.push(job.at(1).int());
        }
    }
}

#[test]
fn a_storm_of_waiters_leaves_nobody_waiting_beside_a_ready_job() {
    let s = server!("maxclients 10000");
    let mut numbers = Numbers(7);
    let mut clients: Vec<Known> = Vec::new();
    let mut killed = BTreeSet::new();
    let mut pushed = 0;
    for round in 0..60 {
        clients.extend((0..40).map(|_| wait(&s, &mut numbers)));
        let mut commands = Vec::new();
        for _ in 0..15 {
            let queue = numbers.below(5);
            let delay = if numbers.below(4) == 0 {
                format!("DELAY {}ms", 1 + numbers.below(30))
            } else {
                String::new()
            };
            commands.push(format!("JOBQ.PUSH q{queue} p ID j{pushed} {delay}"));
            pushed += 1;
        }
        for _ in 0..6 {
            let (id, _) = clients[numbers.below(clients.len() as u64) as usize];
            match numbers.below(3) {
                0 => {
                    killed.insert(id);
                    commands.push(format!("CLIENT KILL ID {id}"));
                }
                1 => commands.push(format!("CLIENT UNBLOCK {id}")),
                _ => commands.push(format!("CLIENT UNBLOCK {id} ERROR")),
            }
        }
        // In one unit every other time: then nothing has been delivered in between.
        if round % 2 == 0 {
            s.transaction(commands);
        } else {
            s.pipeline(commands);
        }
    }
    // More jobs than waiters: every client that still waits is served.
    let more: Vec<String> =
        (0..5 * clients.len()).map(|n| format!("JOBQ.PUSH q{} p ID m{n}", n % 5)).collect();
    assert!(s.pipeline(more.iter()).iter().all(|reply| !reply.is_error()));
    pushed += more.len();
    eventually("nobody is blocked", || s.info("blocked_clients") == "0");

    let (mut tokens, mut ids) = (Vec::new(), Vec::new());
    for (id, client) in clients {
        match client.try_read(crate::support::DEADLINE) {
            Ok(reply) => take(reply, &mut tokens, &mut ids),
            Err(_) => assert!(killed.contains(&id), "client {id} was not answered"),
        }
    }
    // Jobs that were assigned to killed clients are back or soon will be; nothing else is active.
    let active = || (0..5).map(|n| s.ok(format!("JOBQ.STATS q{n}")).field("active").int()).sum::<i64>();
    eventually("what nobody has goes back", || active() == ids.len() as i64);
    eventually("every job was handed out", || {
        take(s.ok("JOBQ.POP q0 ALSO 4 q1 q2 q3 q4 COUNT 1000 LEASE 1h"), &mut tokens, &mut ids);
        ids.len() >= pushed
    });
    assert_eq!(ids.len(), pushed);
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), pushed, "each job once");
    // A token is of one job of its queue.
    let of_queue =
        |(id, token): (&String, &i64)| (id.split('/').next().unwrap_or_default().to_owned(), *token);
    let tokens: BTreeSet<_> = ids.iter().zip(&tokens).map(of_queue).collect();
    assert_eq!(tokens.len(), pushed, "each with a token of its own");
}
