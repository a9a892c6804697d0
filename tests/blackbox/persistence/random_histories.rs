//! Random histories of all families on a live server: a replica that was there from the start, one
//! that joins later, the append-only file, its rewritten form and the RDB file hold the same by
//! WORKGATE.DIGEST.

use super::queue_calls::{CALLS, SETTINGS};
use crate::support::{Client, Random, Reply, Snapshot, cmd, eventually, figure, scaled, server};

/// A generator of numbers that needs no more than to be the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A duration that passes during the history, or one that outlives the test.
    fn duration(&mut self) -> &'static str {
        self.one_of(&["3ms", "20ms", "1h", "2h", "3h"])
    }

    fn key(&mut self, family: &str) -> String {
        format!("{family}:{}", self.below(3))
    }
}

/// What was handed out: (key, id, token).
type Grants = Vec<(String, String, i64)>;

struct History<'s> {
    client: &'s Client,
    numbers: Numbers,
    jobs: Grants,
    claims: Grants,
    fills: Grants,
    refused: usize,
}

impl History<'_> {
    fn run(&mut self, command: String) -> Reply {
        let reply = self.client.call(&command[..]);
        if let Reply::Error(text) = &reply {
            // Only what a history may run into: a grant that is over, an id with other content.
            let known = [
                "FENCED",
                "NOJOB",
                "NOHOLD",
                "MISMATCH",
                "PAUSED",
                "ERR the job",
                "ERR AFTER",
                "ERR ONDEAD",
                "ERR RATE",
            ];
            assert!(known.iter().any(|word| text.starts_with(word)), "{command}: {text}");
            self.refused += 1;
        }
        reply
    }

    fn grant(&mut self, which: fn(&mut Self) -> &mut Grants) -> Option<(String, String, i64)> {
        let count = which(self).len();
        (count > 0).then(|| {
            let at = self.numbers.below(count);
            which(self)[at].clone()
        })
    }

    fn limit(&mut self) {
        let n = &mut self.numbers;
        let (key, d) = (n.key("limit"), n.duration());
        let name = n.one_of(&["", "a=", "b=", "c="]);
        let spec = n.one_of(&[
            "9/1h",
            "5/2h:burst=7",
            "3/20ms",
            "4/1h:fixed",
            "20/month@Europe/Berlin",
            "2/5ms:bucket",
        ]);
        let (cost, id, holder) = (1 + n.below(4), n.below(4), n.below(4));
        let command = match n.below(14) {
            0..=3 => format!("RATELIMIT.CHECK {key} {name}{spec} COST {cost}"),
            4 => format!("RATELIMIT.CHECK {key} {name}{spec} z=inf/day@UTC UPTO COST {cost}"),
            5 => format!("RATELIMIT.CHECK {key} {name}{spec} COST {cost} HOLD h{id} {d}"),
            6 => format!("RATELIMIT.SETTLE {key} h{id} COST {cost}"),
            7 => format!("RATELIMIT.CHECK {key} {name}{spec} LOCKOUT 3ms FACTOR 2 MAX 1h"),
            8 => format!("RATELIMIT.REFUND {key} {name}{spec} COST {cost}"),
            9 => format!("RATELIMIT.RESET {key} {}", name.trim_end_matches('=')),
            10 => format!("RATELIMIT.ACQUIRE {key} w{holder} MAX 2 LEASE {d}"),
            11 => format!("RATELIMIT.RELEASE {key} w{holder}"),
            12 if id == 0 => format!("RATELIMIT.LOCK {key} 3ms"),
            12 => format!("RATELIMIT.UNLOCK {key}"),
            _ => format!("CL.THROTTLE throttle:{id} 3 10 3600 {cost}"),
        };
        self.run(command);
    }

    fn claim(&mut self) {
        let n = &mut self.numbers;
        let (key, d, choice) = (n.key("claim"), n.duration(), n.below(9));
        let known = self.grant(|history| &mut history.claims);
        match (choice, known) {
            (4, Some((key, _, token))) => {
                drop(self.run(format!("IDEMP.COMPLETE {key} {token} result TTL {d}")))
            }
            (5, Some((key, _, token))) => drop(self.run(format!("IDEMP.RELEASE {key} {token}"))),
            (6, Some((key, _, token))) => {
                drop(self.run(format!("IDEMP.EXTEND {key} {token} LEASE {d} CHECKPOINT c")))
            }
            (7, _) => drop(self.run(format!("IDEMP.SEEN seen:{key} 2h {choice} {d}"))),
            _ => {
                // With what it is about it is replicated as its effect, without as it came.
                let about = ["", " PAYLOAD p"][choice % 2];
                let reply = self.run(format!("IDEMP.CLAIM {key} LEASE {d} TTL 4h{about}"));
                if reply.at(0).text() == "CLAIMED" {
                    self.claims.push((key, String::new(), reply.at(2).int()));
                }
            }
        }
    }

    /// Any call of JOBQ, with options of all kinds.
    fn queue(&mut self) {
        let n = &mut self.numbers;
        let (key, d) = (n.key("jobs"), n.duration());
        let call = match n.below(5) {
            0 => format!("JOBQ.CONFIG SET KEY {}", n.one_of(SETTINGS)),
            _ => n.one_of(CALLS).to_owned(),
        };
        let (id, other, label) = (n.below(6), n.below(6), n.below(3));
        let held = self.grant(|history| &mut history.jobs);
        let (of, job, token) = held.unwrap_or_else(|| (key.clone(), "nobody".to_owned(), 7));
        let call = call
            .replace("HELD", &format!("{of} {job} {token}"))
            .replace("PAIR", &format!("{job} {token}"))
            .replace("$q", &of)
            .replace("KEY", &key)
            .replace("$i", &id.to_string())
            .replace("$j", &other.to_string())
            .replace("$l", &label.to_string())
            .replace("$d", d);
        self.run(call);
    }

    fn job(&mut self) {
        let n = &mut self.numbers;
        let (key, d, choice, id) = (n.key("jobs"), n.duration(), n.below(22), n.below(6));
        let known = self.grant(|history| &mut history.jobs);
        match (choice, known) {
            (0, _) if id < 3 => {
                drop(self.run(format!("JOBQ.PUSH {key} payload ID j{id} DELAY {d} RETRIES 1")));
            }
            (0, _) => {
                let on_dead = self.numbers.one_of(&["wait", "fail", "run"]);
                drop(self.run(format!("JOBQ.PUSH {key} payload AFTER 2 j{} j{id} ONDEAD {on_dead}", id % 3)));
            }
            (1, _) => drop(self.run(format!("JOBQ.PUSH {key} payload ID j{id} EXPIRE {d} KEEP 3ms"))),
            (2, _) if id < 3 => {
                drop(self.run(format!("JOBQ.PUSH {key} payload ID j{id} RETRIES 0 KEEP {d}")))
            }
            (2, _) => {
                let held =
                    self.numbers.one_of(&["", "UNTIL start", "FOR 3ms", "FOR 1h", "UNTIL done FOR 20ms"]);
                let on_dup = self.numbers.one_of(&["keep", "replace", "next"]);
                drop(self.run(format!("JOBQ.PUSH {key} payload UNIQUE k{} {held} ONDUP {on_dup}", id % 2)))
            }
            (3..=4, _) => {
                drop(self.run(format!("JOBQ.MPUSH {key} 3 a b c RETRIES 2 BACKOFF list:1ms,1h COST {id}")))
            }
            (5, Some((key, id, token))) => {
                let rate = self.numbers.one_of(&["", "RATE limit:0 COST 0", "RATE limit:1 COST 7"]);
                drop(self.run(format!("JOBQ.ACK {key} {id} {token} RESULT r {rate}")))
            }
            (6, Some((key, id, token))) => {
                let rate = self.numbers.one_of(&["", "RATE limit:0 COST 2", "RATE limit:1 COST 1"]);
                drop(self.run(format!("JOBQ.FAIL {key} {id} {token} ERROR e {rate}")))
            }
            (7, Some((key, id, token))) => {
                drop(self.run(format!("JOBQ.RELEASE {key} {id} {token} DELAY {d}")))
            }
            (8, Some((key, id, token))) => {
                drop(self.run(format!("JOBQ.EXTEND {key} {id} {token} LEASE {d} PROGRESS {d}")));
                drop(self.run(format!("JOBQ.LOG {key} {id} {token} line-{d}")));
            }
            (9, Some((key, id, token))) => drop(self.run(format!("JOBQ.MACK {key} 2 {id} {token} gone 7"))),
            (10, Some((key, id, _))) => drop(self.run(format!("JOBQ.CANCEL {key} {id} j1"))),
            (11, _) => drop(self.run(format!("JOBQ.REDRIVE {key} LIMIT 2"))),
            (13, _) if id < 3 => drop(self.run(format!("JOBQ.PUSH {key} payload"))),
            (13, _) => drop(self.run(format!("JOBQ.MPUSH {key} 2 a b GROUP g{}", id % 2))),
            (14, Some((key, id, token))) => drop(self.run(format!("JOBQ.ACK {key} {id} {token}"))),
            (18, _) => {
                let update =
                    self.numbers.one_of(&["NOW", "DELAY 3ms", "DELAY 1h", "PRIORITY 3", "PAYLOAD other"]);
                // Refused where the job is not of a state for it.
                let reply = self.client.call(format!("JOBQ.UPDATE {key} j{id} {update} RETRIES 2"));
                let refused = reply.is_error();
                assert!(
                    !refused || ["NOJOB", "ERR the job"].iter().any(|word| reply.text().starts_with(word)),
                    "{reply:?}"
                );
            }
            (12, _) => drop(self.run(format!("JOBQ.PURGE {key} done OLDER 3ms LIMIT 2"))),
            (15, _) if id == 5 => {
                let call = self.numbers.one_of(&[
                    "JOBQ.PAUSE KEY GROUP g0 FOR 3ms PUSHES",
                    "JOBQ.PAUSE KEY GROUP g1",
                    "JOBQ.RESUME KEY GROUP g1",
                    "JOBQ.GROUP SET KEY g0 CONCURRENCY 2",
                    "JOBQ.GROUP SET KEY g0 CONCURRENCY default",
                    "JOBQ.CONFIG SET KEY group_rate 2/5ms",
                    "JOBQ.CONFIG SET KEY group_rate off",
                ]);
                drop(self.run(call.replace("KEY", &key)));
            }
            (15, _) => {
                let (name, catch_up) = (id % 3, ["skip", "one", "all"][id % 3]);
                let pattern = if id < 3 { "@monthly" } else { "@yearly" };
                let bounds = if id % 2 == 0 { "START 5 END 9000000000000 RUNS 3" } else { "RUNS 7" };
                drop(self.run(format!(
                    "JOBQ.CRON SET {key} s{name} {pattern} {d} CATCHUP {catch_up} TZ Asia/Tokyo {bounds} COST {name}"
                )))
            }
            (16, _) => drop(self.run(format!("JOBQ.CRON RUN {key} s{}", id % 3))),
            (17, _) if id == 0 => drop(self.run(format!("JOBQ.CRON DEL {key} s1"))),
            _ => {
                let also = self.numbers.key("jobs");
                let how = self.numbers.one_of(&[
                    "",
                    "GROUPED",
                    "LINGER 2ms BLOCK 4ms",
                    "RATE limit:0 2 a=40/20ms q=30/1h",
                    "RATE limit:0 1 q=30/5ms BLOCK 3ms",
                    "RATE limit:1 1 b=20/1h:burst=20 BLOCK 3ms",
                    "RATE limit:1 2 b=20/1h:burst=20 f=9/7ms:fixed GROUPED LINGER 1ms BLOCK 4ms",
                    "GROUPED LINGER 1ms BLOCK 3ms",
                ]);
                let popped =
                    self.run(format!("JOBQ.POP {key} ALSO 1 {also} COUNT 2 LEASE {d} WORKER w{id} {how}"));
                for job in popped.items() {
                    self.jobs.push((job.at(5).text(), job.at(0).text(), job.at(1).int()));
                }
            }
        }
    }

    fn cache(&mut self) {
        let n = &mut self.numbers;
        let (key, d, choice) = (n.key("cache"), n.duration(), n.below(12));
        let known = self.grant(|history| &mut history.fills);
        match (choice, known) {
            (0..=2, Some((key, _, token))) => {
                drop(self.run(format!("CACHE.SET {key} value TOKEN {token} TTL {d} GRACE 1h")));
            }
            (3, Some((key, _, token))) => drop(self.run(format!("CACHE.RELEASE {key} {token} DELAY {d}"))),
            (4, _) => drop(self.run(format!("CACHE.SET {key} value TTL {d}"))),
            (5, _) => drop(self.run(format!("CACHE.EXPIRE {key}"))),
            (6, _) => drop(self.run(format!("CACHE.ABSENT {key} TTL {d}"))),
            (7, _) => drop(self.run(format!("CACHE.GETSET {key} VALUE v TTL {d}"))),
            (8, _) if n_is_rare(&mut self.numbers) => {
                drop(self.run("CACHE.INVALIDATE PREFIX 1 cache:1".to_owned()))
            }
            _ => {
                let reply = self.run(format!("CACHE.GETSET {key} LEASE {d}"));
                if reply.at(2).int() > 0 {
                    self.fills.push((key, String::new(), reply.at(2).int()));
                }
            }
        }
    }

    fn breaker(&mut self) {
        let n = &mut self.numbers;
        let (key, choice) = (n.key("breaker"), n.below(6));
        let command = match choice {
            0..=1 => format!("BREAKER.REPORT {key} OK 3"),
            2..=3 => format!("BREAKER.REPORT {key} FAIL 4"),
            4 => format!("BREAKER.CONFIG SET {key} open 3ms min_calls 5 probe_lease 3ms"),
            _ => format!("BREAKER.ALLOW {key}"),
        };
        self.run(command);
    }
}

fn n_is_rare(numbers: &mut Numbers) -> bool {
    numbers.below(3) == 0
}

fn write(client: &Client, seed: u64, commands: usize) {
    let mut history = History {
        client,
        numbers: Numbers(seed),
        jobs: Grants::new(),
        claims: Grants::new(),
        fills: Grants::new(),
        refused: 0,
    };
    for (key, catch_up) in ["skip", "one", "all"].iter().enumerate() {
        let key = format!("jobs:{key}");
        client.ok(cmd!["JOBQ.CRON", "SET", &key, "tick", "* * * * * *", "p", "CATCHUP", catch_up, "OVERLAP"]);
        client.ok(cmd!["JOBQ.CRON", "SET", &key, "alone", "* * * * * *", "p", "CATCHUP", catch_up]);
        client.ok(cmd!["JOBQ.CRON", "SET", &key, "often", "@every 1s", "p", "CATCHUP", catch_up]);
    }
    for _ in 0..commands {
        match history.numbers.below(13) {
            0..=3 => history.limit(),
            4..=5 => history.claim(),
            6..=7 => history.job(),
            8 => history.queue(),
            9..=10 => history.cache(),
            11 => history.queue(),
            _ => history.breaker(),
        }
        if history.numbers.below(20) == 0 {
            client.goes_on(3);
        }
    }
    assert!(history.refused < commands / 3, "most of a history is not refused");
    for key in ["jobs:0", "jobs:1", "jobs:2"] {
        eventually("its schedules have fired", || {
            let all = client.ok(format!("JOBQ.CRON LIST {key}"));
            let of = |name: &str| all.items().iter().find(|each| each.field("name").text() == name).cloned();
            ["tick", "alone", "often"]
                .iter()
                .all(|name| of(name).is_some_and(|schedule| *schedule.field("last_ms") != Reply::Nil))
        });
        for name in ["tick", "alone", "often"] {
            client.ok(format!("JOBQ.CRON DEL {key} {name}"));
        }
    }
}

/// Whatever was short is over: nothing changes by itself between two looks.
fn settle(s: &Client) {
    s.goes_on(120);
}

#[test]
fn every_copy_of_a_history_is_equal() {
    let mut random = Random::of_this_run();
    let (histories, commands) = (scaled(3), 600);
    for _ in 0..histories {
        let seed = random.number() | 1;
        let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
        let early = s.replica(&[]);
        write(&s, seed, commands);
        settle(&s);
        let late = s.replica(&[]);
        for replica in [&early, &late] {
            s.in_step_with(replica);
            assert_eq!(Snapshot::of(replica), Snapshot::of(&s), "a replica, seed {seed}");
        }
        drop((early, late));
        let before = Snapshot::of(&s);
        assert!(before.len() > 8, "the history is there");
        s.ok("DEBUG RELOAD");
        assert_eq!(Snapshot::of(&s), before, "the RDB file, seed {seed}");
        s.crash_and_restart();
        assert_eq!(Snapshot::of(&s), before, "the append-only file, seed {seed}");
        s.ok("BGREWRITEAOF");
        eventually("the file is rewritten", || {
            s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
        });
        s.crash_and_restart();
        assert_eq!(Snapshot::of(&s), before, "the rewritten file, seed {seed}");
    }
    figure(format!(
        "{histories} histories of {commands} commands: two replicas, the RDB file, the append-only file and its rewritten \
         form are equal to the primary"
    ));
}
