//! Tokens and automatic ids that were issued, and lost with the end of a file or with a primary, do
//! not come again: neither from a start nor from a promotion, whatever the clocks say.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use super::crash_under_load::appended;
use crate::support::{Client, Preload, Random, Reply, Server, eventually, figure, scaled};

const HOUR_MS: usize = 3_600_000;

/// All that was ever issued, by whichever run of whichever server.
#[derive(Default)]
struct Issued {
    tokens: HashSet<i64>,
    ids: HashSet<String>,
    /// The newest token of each job.
    held: BTreeMap<String, i64>,
    /// How often a job was handed out that had been handed out before.
    again: usize,
}

impl Issued {
    fn token(&mut self, token: i64, of: &str) {
        assert!(token > 0 && self.tokens.insert(token), "the token {token} of {of} came twice");
    }

    /// Asks for every kind of token some times.
    fn more(&mut self, s: &Client, random: &mut Random) {
        for nth in 0..5 + random.below(20) {
            match nth % 5 {
                0 => {
                    let id = s.ok("JOBQ.PUSH q p").at(0).text();
                    assert!(self.ids.insert(id.clone()), "the id {id} came twice");
                }
                1 => {
                    for job in s.ok("JOBQ.POP q COUNT 2 LEASE 5d").items() {
                        self.job(s, &job.at(0).text(), job.at(1).int());
                    }
                }
                2 => {
                    let reply = s.ok(format!("IDEMP.CLAIM claim{} LEASE 1d", random.below(100)));
                    if reply.at(0).text() == "CLAIMED" {
                        self.token(reply.at(2).int(), "a claim");
                    }
                }
                3 => {
                    let reply = s.ok(format!("CACHE.GETSET fill{} LEASE 5d", random.below(100)));
                    if reply.at(0).text() == "FILL" {
                        self.token(reply.at(2).int(), "a fill");
                    }
                }
                _ => {
                    let holder = self.tokens.len();
                    let reply = s.ok(format!("RATELIMIT.ACQUIRE places h{holder} MAX 9999 LEASE 5d"));
                    assert_eq!(reply.at(0).int(), 1, "{reply:?}");
                    self.token(reply.at(4).int(), "a place");
                }
            }
        }
    }

    /// A job was handed out: whoever holds an older token of it is fenced.
    fn job(&mut self, s: &Client, id: &str, token: i64) {
        self.token(token, "a job");
        if let Some(old) = self.held.insert(id.to_owned(), token) {
            self.again += 1;
            s.refuses(format!("JOBQ.ACK q {id} {old}"), "FENCED");
            s.refuses(format!("JOBQ.EXTEND q {id} {old}"), "FENCED");
        }
        if token % 3 == 0 {
            s.ok(format!("JOBQ.ACK q {id} {token}"));
        }
    }
}

fn start(preload: &Preload, options: &[&str]) -> Server {
    let own = preload.options();
    Server::start(&[&[own[0].as_str(), own[1].as_str()], options].concat())
}

/// Jobs that every run has, and hands out first.
fn push_what_is_kept(s: &Client) {
    s.pipeline((0..200).map(|id| format!("JOBQ.PUSH q p ID kept{id}")));
}

/// Up to an hour before or after the true time.
fn set_clock(preload: &Preload, random: &mut Random) {
    preload.clock_is_ahead_by(random.below(2 * HOUR_MS) as i64 - HOUR_MS as i64);
}

/// Starts of one server whose append-only file loses its end each time.
fn starts_from_a_cut_file(preload: &Preload, random: &mut Random, issued: &mut Issued, rounds: usize) {
    let mut s = start(preload, &["appendonly yes", "appendfsync no"]);
    push_what_is_kept(&s);
    for _ in 0..rounds {
        let before = appended(&s).metadata().expect("its length").len();
        issued.more(&s, random);
        s.ok("PING");
        s.kill();
        let path = appended(&s);
        let file = File::options().write(true).open(&path).expect("the file opens");
        let now = file.metadata().expect("its length").len();
        file.set_len(before.min(now) + random.number() % (now - before.min(now) + 1)).expect("it is cut");
        set_clock(preload, random);
        s.revive();
    }
    issued.more(&s, random);
    s.lives();
}

/// Starts of one server from the same snapshot or from a new one.
fn starts_from_a_snapshot(preload: &Preload, random: &mut Random, issued: &mut Issued, rounds: usize) {
    let mut s = start(preload, &[]);
    push_what_is_kept(&s);
    s.ok("SAVE");
    for _ in 0..rounds {
        issued.more(&s, random);
        if random.below(3) == 0 {
            s.ok("SAVE");
        }
        issued.more(&s, random);
        s.kill();
        set_clock(preload, random);
        s.revive();
    }
    issued.more(&s, random);
    s.lives();
}

/// Promotions in a row: each replica has lost what its primary issued last.
fn promotions_behind(preload: &Preload, random: &mut Random, issued: &mut Issued, rounds: usize) {
    let mut primary = start(preload, &[]);
    push_what_is_kept(&primary);
    for _ in 0..rounds {
        let Some(other) = Preload::build() else { return };
        set_clock(&other, random);
        let own = other.options();
        issued.more(&primary, random);
        let mut replica = primary.replica(&[&own[0], &own[1]]);
        issued.more(&primary, random);
        if random.below(2) == 0 {
            // It knows nothing of what follows, and both go on as primaries for a while.
            primary.in_step_with(&replica);
            replica.ok("REPLICAOF NO ONE");
            issued.more(&primary, random);
            issued.more(&replica, random);
            issued.more(&primary, random);
            primary.kill();
        } else {
            primary.kill();
            replica.ok("REPLICAOF NO ONE");
        }
        eventually("it is a primary", || replica.info("role") == "master");
        issued.more(&replica, random);
        std::mem::swap(&mut primary, &mut replica);
    }
    primary.lives();
}

#[test]
fn no_token_and_no_id_comes_twice_whatever_starts_and_promotions_lose() {
    let Some(preload) = Preload::build() else { return };
    let mut random = Random::of_this_run();
    let rounds = scaled(6);
    let (mut tokens, mut ids, mut again) = (0, 0, 0);
    for history in [starts_from_a_cut_file, starts_from_a_snapshot, promotions_behind] {
        preload.clock_is_ahead_by(0);
        let mut issued = Issued::default();
        history(&preload, &mut random, &mut issued, rounds);
        tokens += issued.tokens.len();
        ids += issued.ids.len();
        again += issued.again;
    }
    assert!(again > rounds, "{again} jobs were handed out again");
    figure(format!(
        "{} starts and promotions with lost ends and clocks up to 2 h apart: {tokens} tokens, {ids} automatic ids, none \
         came twice; {again} jobs handed out again, each with its older token FENCED",
        3 * rounds
    ));
}

/// What a client remembers of a push whose job was lost is no stranger's job.
#[test]
fn an_automatic_id_that_was_lost_is_no_other_job() {
    let mut s = crate::support::server!();
    let mut lost = Vec::new();
    for _ in 0..scaled(5) {
        let old = s.ok("JOBQ.PUSH q old").at(0).text();
        s.crash_and_restart();
        let new = s.ok("JOBQ.PUSH q new").at(0).text();
        assert_ne!(old, new);
        lost.push(old);
        for old in &lost {
            assert_eq!(s.ok(format!("JOBQ.GET q {old}")), Reply::Nil);
            s.ok(format!("JOBQ.CANCEL q {old}"));
        }
        s.ok(format!("JOBQ.GET q {new}")).field("state").clone().is("ready");
        lost.push(new);
    }
    figure(format!("{} lost jobs cancelled by their ids, no other job met", lost.len()));
}
