//! The system's clock steps back and forth, stands still, and jumps by hours: nothing is granted
//! twice, and no wait is without an end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::{Client, DEADLINE, Preload, Random, Server, figure, scaled};

/// Longer than the clock ever steps: what is granted for so long is granted once.
const FOREVER: &str = "1000d";
const HOUR_MS: i64 = 3_600_000;

fn start(preload: &Preload, options: &[&str]) -> Server {
    let own = preload.options();
    Server::start(&[&[own[0].as_str(), own[1].as_str()], options].concat())
}

/// Sets the clock anew.
fn step(preload: &Preload, random: &mut Random, s: &Client) {
    let ahead = match random.below(6) {
        0 => HOUR_MS,
        1 => -HOUR_MS,
        2 => random.below(2 * HOUR_MS as usize) as i64 - HOUR_MS,
        3 => random.below(2_000) as i64 - 1_000,
        4 => {
            let now = s.now();
            return preload.clock_stands_at(now + random.below(20) as i64 - 10);
        }
        _ => 0,
    };
    preload.clock_is_ahead_by(ahead);
}

#[derive(Default)]
struct Granted {
    tokens: BTreeSet<i64>,
    claims: usize,
    fills: usize,
    jobs: BTreeSet<String>,
    taken: i64,
    holders: BTreeSet<usize>,
    ids: BTreeSet<usize>,
    permits: usize,
}

impl Granted {
    fn token(&mut self, token: i64) {
        assert!(self.tokens.insert(token), "the token {token} was granted twice");
    }
}

fn ask(s: &Client, random: &mut Random, granted: &mut Granted) {
    match random.below(9) {
        0 => {
            let reply = s.ok(format!("IDEMP.CLAIM claim LEASE {FOREVER} TTL {FOREVER}"));
            if reply.at(0).text() == "CLAIMED" {
                granted.claims += 1;
                granted.token(reply.at(2).int());
            }
        }
        1 => {
            let reply = s.ok(format!("CACHE.GETSET load LEASE {FOREVER}"));
            if reply.at(0).text() == "FILL" {
                granted.fills += 1;
                granted.token(reply.at(2).int());
            }
        }
        2 => {
            for job in s.ok(format!("JOBQ.POP jobs COUNT 2 LEASE {FOREVER}")).items() {
                assert!(granted.jobs.insert(job.at(0).text()), "{job:?} was handed out twice");
                granted.token(job.at(1).int());
            }
        }
        3 | 4 => {
            let call = format!("RATELIMIT.CHECK limit a=20/{FOREVER} b=30/{FOREVER}:fixed");
            granted.taken += s.ok(call).at(0).int();
        }
        5 => {
            let holder = random.below(50);
            let reply = s.ok(format!("RATELIMIT.ACQUIRE places h{holder} MAX 3 LEASE {FOREVER}"));
            if reply.at(0).int() == 1 {
                granted.holders.insert(holder);
            }
        }
        6 => {
            let id = random.below(30);
            let is_new = s.ok(format!("IDEMP.SEEN seen {FOREVER} id{id}")).at(0).int() == 0;
            assert!(!is_new || granted.ids.insert(id), "id{id} was new twice");
        }
        7 => {
            let reply = s.ok("BREAKER.ALLOW breaker");
            granted.permits += usize::from(reply.at(0).int() == 1);
        }
        // Short leases come and go with the clock; their tokens still come once.
        _ => {
            let reply = s.ok("IDEMP.CLAIM short LEASE 5ms");
            if reply.at(0).text() == "CLAIMED" {
                granted.token(reply.at(2).int());
            }
        }
    }
}

#[test]
fn nothing_is_granted_twice_while_the_clock_steps_back_and_forth() {
    let Some(preload) = Preload::build() else { return };
    let mut random = Random::of_this_run();
    let (mut steps, mut asked) = (0, 0);
    for _ in 0..scaled(2) {
        preload.clock_is_ahead_by(0);
        let s = start(&preload, &[]);
        for id in 0..40 {
            s.ok(format!("JOBQ.PUSH jobs p ID j{id}"));
        }
        s.ok("BREAKER.CONFIG SET breaker probes 2 probe_lease 30d open 1ms");
        s.ok("BREAKER.REPORT breaker FAIL 10");
        preload.clock_is_ahead_by(HOUR_MS);
        crate::support::eventually("the breaker is half-open", || {
            s.ok("BREAKER.GET breaker").field("state").text() == "half_open"
        });
        let mut granted = Granted::default();
        for _ in 0..150 {
            step(&preload, &mut random, &s);
            steps += 1;
            for _ in 0..6 {
                ask(&s, &mut random, &mut granted);
                asked += 1;
            }
        }
        assert_eq!((granted.claims, granted.fills), (1, 1));
        assert_eq!(granted.taken, 20);
        assert!(granted.permits <= 2, "{} permits of 2 probes", granted.permits);
        assert_eq!(granted.holders.len(), 3, "of 3 places");
        s.lives();
    }
    figure(format!("{asked} calls over {steps} steps of the clock by up to an hour: nothing granted twice"));
}

#[test]
fn no_wait_outlasts_a_clock_that_is_set_or_stands_still() {
    let Some(preload) = Preload::build() else { return };
    let s = start(&preload, &[]);
    s.ok("IDEMP.CLAIM busy LEASE 1000d TTL 1000d");
    s.ok("CACHE.GETSET load LEASE 1000d");
    s.ok("RATELIMIT.ACQUIRE places me MAX 1 LEASE 1000d");
    s.ok("RATELIMIT.CHECK limit 1/1000d");
    let calls = [
        "JOBQ.POP empty BLOCK 500ms",
        "JOBQ.POP empty COUNT 5 LINGER 50ms BLOCK 500ms",
        "IDEMP.CLAIM busy LEASE 1h BLOCK 500ms",
        "CACHE.GETSET load BLOCK 500ms",
        "RATELIMIT.ACQUIRE places you MAX 1 BLOCK 500ms",
        "RATELIMIT.CHECK limit 1/1000d BLOCK 500ms",
    ];
    let mut longest = Duration::ZERO;
    for (rounds, ahead) in [-HOUR_MS, 0, 0, -24 * HOUR_MS, HOUR_MS, 24 * HOUR_MS].iter().enumerate() {
        let waiters: Vec<_> = calls.iter().map(|call| s.waits(*call)).collect();
        let begun = Instant::now();
        if rounds == 2 {
            preload.clock_stands_at(s.now());
        } else {
            preload.clock_is_ahead_by(*ahead);
        }
        s.ok("PING");
        for (call, waiter) in calls.iter().zip(&waiters) {
            let reply = waiter.try_read(DEADLINE);
            assert!(reply.is_ok(), "{call} did not end after a step to {ahead} ms");
        }
        longest = longest.max(begun.elapsed());
    }
    s.lives();
    figure(format!(
        "36 waits of 500 ms over steps of up to a day: the longest took {} ms",
        longest.as_millis()
    ));
}
