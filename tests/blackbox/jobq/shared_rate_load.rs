//! POP … RATE under load: what three queues and inline calls take of one limit.

use crate::support::{Server, Waiter, server};

/// A source of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// 10^5 calls of three queues and inline ones at a limit that nothing leaves: what was taken, by
/// the true costs, never exceeds it, and in the end all of it is.
#[test]
fn a_limit_is_never_exceeded_by_many_calls_of_three_queues_and_inline_ones() {
    const LIMIT: i64 = 20_000;
    let s = server!();
    let mut numbers = Numbers(11);
    let mut held: Vec<(String, String, i64, i64)> = Vec::new();
    let (mut used, mut calls) = (0, 0);
    while calls < 100_000 {
        let mut batch = Vec::new();
        let mut acks = Vec::new();
        for _ in 0..200 {
            let queue = ["a", "b", "c"][numbers.below(3) as usize];
            batch.push(match numbers.below(10) {
                0..=2 => format!("JOBQ.MPUSH {queue} 2 x y COST {}", 1 + numbers.below(3)),
                3..=5 => {
                    format!("JOBQ.POP {queue} RATE s 1 w={LIMIT}/1h COUNT {} LEASE 1h", 1 + numbers.below(3))
                }
                6 => format!("RATELIMIT.CHECK s w={LIMIT}/1h"),
                _ if held.is_empty() => "PING".to_owned(),
                _ => {
                    let nth = numbers.below(held.len() as u64) as usize;
                    let (queue, id, token, cost) = held.swap_remove(nth);
                    let true_cost = numbers.below(cost as u64 + 1) as i64;
                    acks.push(cost - true_cost);
                    format!("JOBQ.ACK {queue} {id} {token} RATE s COST {true_cost}")
                }
            });
        }
        calls += batch.len();
        let mut acks = acks.into_iter();
        for (call, reply) in batch.iter().zip(s.pipeline(&batch)) {
            if call.starts_with("JOBQ.POP") {
                for job in reply.items() {
                    // Its cost stands in GET; here it follows from what PEEK says below.
                    held.push((job.at(5).text(), job.at(0).text(), job.at(1).int(), 0));
                }
            } else if call.starts_with("RATELIMIT") {
                used += reply.at(0).int();
            } else if call.starts_with("JOBQ.ACK") {
                assert_eq!(reply.text(), "OK", "{call}");
                used -= acks.next().expect("an ACK");
            }
        }
        let gets: Vec<String> = held
            .iter()
            .filter(|(.., cost)| *cost == 0)
            .map(|(queue, id, ..)| format!("JOBQ.GET {queue} {id}"))
            .collect();
        let costs = if gets.is_empty() { Vec::new() } else { s.pipeline(&gets) };
        for (job, reply) in held.iter_mut().filter(|(.., cost)| *cost == 0).zip(costs) {
            job.3 = reply.field("cost").int();
            used += job.3;
        }
        assert!(used <= LIMIT, "{used}");
        assert_eq!(s.ok(format!("RATELIMIT.PEEK s w={LIMIT}/1h")).at(2).int(), LIMIT - used);
    }
    // Work is waiting: all of the limit is taken.
    s.ok("JOBQ.PUSH a x PRIORITY -9");
    let one = format!("JOBQ.POP a RATE s 1 w={LIMIT}/1h COUNT 1000 LEASE 1h");
    while !s.ok(&*one).items().is_empty() {
        s.ok("JOBQ.MPUSH a 2 x y PRIORITY -9");
    }
    s.ok(format!("RATELIMIT.CHECK s w={LIMIT}/1h")).at(0).clone().is(0);
}

/// The grants of those who wait at three queues, and of inline calls, by the server's time.
fn grants_over_time(s: &Server, limit: &str, last: i64) -> Vec<(i64, i64)> {
    let queues = ["a", "b", "c"];
    let pop = |queue: &str| format!("JOBQ.POP {queue} RATE s 1 {limit} BLOCK 1m LEASE 1h");
    for queue in queues {
        s.ok(format!("JOBQ.MPUSH {queue} 500 {}", ["x"; 500].join(" ")));
    }
    let mut waiters: Vec<(&str, Waiter)> =
        queues.iter().cycle().take(9).map(|queue| (*queue, s.asks(pop(queue)))).collect();
    let mut grants = Vec::new();
    let end = s.now() + last;
    let mut at = 0;
    while s.now() < end {
        let place = at % waiters.len();
        let (queue, waiter) = &waiters[place];
        let time = waiter.reply().at(0).at(4).int() - 3_600_000;
        grants.push((time, time));
        waiters[place] = (queue, s.asks(pop(queue)));
        if at % 5 == 0 {
            let before = s.now();
            if s.ok(format!("RATELIMIT.CHECK s {limit}")).at(0).int() == 1 {
                grants.push((before, s.now()));
            }
        }
        at += 1;
    }
    grants.sort_unstable();
    grants
}

/// With work waiting, at least 98 % of the limit is used: the server wakes who waits when the limit
/// frees. A busy machine may be late, so one of three runs has to show it; none may exceed.
#[test]
fn the_limit_of_waiting_queues_is_used_to_the_full_and_never_exceeded() {
    const COUNT: usize = 60;
    const PERIOD: i64 = 1_500;
    let shares: Vec<f64> = (0..3)
        .map(|_| {
            let s = server!();
            let grants = grants_over_time(&s, &format!("w={COUNT}/{PERIOD}ms"), 4 * PERIOD);
            // Of an inline call only the bounds of its time are known.
            for (_, end) in &grants {
                let is_within = |(start, other): &&(i64, i64)| other <= end && end - start < PERIOD;
                let within = grants.iter().filter(is_within).count();
                assert!(within <= COUNT, "{within} until {end}: {grants:?}");
            }
            // Each grant could have come a period after the one that it follows by the count.
            let between: i64 = grants.iter().zip(&grants[COUNT..]).map(|(one, next)| next.0 - one.0).sum();
            (grants.len() - COUNT) as f64 * PERIOD as f64 / between as f64
        })
        .take_while(|share| *share < 0.98)
        .collect();
    assert!(shares.len() < 3, "{shares:?}");
}
