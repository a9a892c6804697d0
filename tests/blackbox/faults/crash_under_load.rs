//! Servers that die under load, with the disk as it is after a power failure: what was synced, and
//! nothing else.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::{Client, Load, Preload, Random, Server, Told, eventually, figure, scaled};

fn start(preload: &Preload, fsync: &str) -> Server {
    let own = preload.options();
    Server::start(&[&own[0], &own[1], "appendonly yes", &format!("appendfsync {fsync}")])
}

/// The file that the server appends to.
pub(super) fn appended(s: &Server) -> PathBuf {
    let folder = s.directory().join("appendonlydir");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|path| path.to_string_lossy().contains(".incr."));
    files.sort();
    files.pop().expect("a file that is appended to")
}

/// Kills the server under load, cuts its file where it was last synced, and starts it again. What
/// the clients were told, and when it died.
fn power_failure(s: &mut Server, preload: &Preload, random: &mut Random, round: usize) -> (Told, Instant) {
    let load = Load::start(&[s.port()], 4, &format!("r{round}c"));
    let (path, mut before) = (appended(s), 0);
    for _ in 0..2 {
        eventually("the file is synced again", || preload.synced_size(&path) > before);
        before = preload.synced_size(&path);
    }
    load.goes_on(100 + random.below(400));
    s.kill();
    let died = Instant::now();
    let told = load.stop();
    let synced = preload.synced_size(&path);
    let file = File::options().write(true).open(&path).expect("the file opens");
    file.set_len(synced.min(file.metadata().expect("its length").len())).expect("it is cut");
    s.revive();
    (told, died)
}

fn no_job_is_held_twice(s: &Client, told: &Told) {
    // The newest token that a job was handed out with is the one that counts.
    for (job, token) in &told.handed_out {
        let (queue, id) = job.split_once(' ').expect("queue and id");
        let known = s.ok(format!("JOBQ.GET {queue} {id}"));
        if known != crate::support::Reply::Nil && known.field("token").int() > 0 {
            assert!(
                known.field("token").int() >= *token || known.field("state").text() != "active",
                "{known:?}"
            );
        }
    }
}

#[test]
fn nothing_that_was_answered_is_lost_with_appendfsync_always() {
    let Some(preload) = Preload::build() else { return };
    let mut random = Random::of_this_run();
    let mut s = start(&preload, "always");
    let (mut all, rounds) = (Told::default(), scaled(3));
    for round in 0..rounds {
        let (told, _) = power_failure(&mut s, &preload, &mut random, round);
        all.join(told);
        let lost = all.lost(&[s.port()]);
        assert!(lost.is_empty(), "{} answers lost: {:?}", lost.len(), lost.first());
        all.each_token_came_once();
        no_job_is_held_twice(&s, &all);
        s.lives();
    }
    figure(format!("{rounds} power failures, {} answers, 0 lost", all.facts.len()));
}

#[test]
fn what_appendfsync_everysec_loses_is_what_came_after_the_last_sync() {
    let Some(preload) = Preload::build() else { return };
    let mut random = Random::of_this_run();
    let mut s = start(&preload, "everysec");
    let (mut all, rounds) = (Told::default(), scaled(3));
    let (mut answers, mut lost_answers, mut oldest) = (0, 0, Duration::ZERO);
    for round in 0..rounds {
        let (told, died) = power_failure(&mut s, &preload, &mut random, round);
        answers += told.facts.len();
        let lost = told.lost(&[s.port()]);
        lost_answers += lost.len();
        for (fact, at) in lost {
            let age = died.saturating_duration_since(*at);
            // A second, and another where the sync before was still under way; the machine may lag.
            assert!(age < Duration::from_secs(4), "{fact:?} was lost {age:?} after its answer");
            oldest = oldest.max(age);
        }
        all.tokens.extend(told.tokens);
        all.each_token_came_once();
        s.lives();
    }
    figure(format!(
        "{rounds} power failures, {answers} answers, {lost_answers} lost, the oldest {} ms before the failure",
        oldest.as_millis()
    ));
}

#[test]
fn a_full_disk_refuses_writes_and_the_server_goes_on_when_there_is_room() {
    let Some(preload) = Preload::build() else { return };
    let s = start(&preload, "everysec");
    let mut rounds = 0;
    for round in 0..scaled(2) {
        s.ok(format!("JOBQ.PUSH jobs p ID before{round}"));
        let job = s.ok("JOBQ.POP jobs LEASE 1h").at(0).clone();
        preload.disk_is_full(true);
        // The server notices at its next write, and refuses what comes after.
        eventually("writes are refused", || {
            s.call(format!("JOBQ.PUSH jobs p ID full{round}-{rounds}")).is_error()
                || s.call("IDEMP.SEEN s 1h x").is_error()
        });
        for call in ["JOBQ.PUSH jobs p", "IDEMP.CLAIM c", "CACHE.SET c v", "RATELIMIT.CHECK l 5/1h"] {
            s.refuses(call, "MISCONF");
        }
        s.ok(format!("JOBQ.GET jobs {}", job.at(0).text())).field("state").clone().is("active");
        preload.disk_is_full(false);
        eventually("writes are taken again", || !s.call("IDEMP.SEEN s 1h y").is_error());
        s.ok(format!("JOBQ.ACK jobs {} {}", job.at(0).text(), job.at(1).int()));
        rounds += 1;
    }
    let mut s = s;
    eventually("the file is on disk", || s.info("aof_pending_bio_fsync") == "0");
    let before = crate::support::Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(crate::support::Snapshot::of(&s).keys(), before.keys(), "the file is whole");
    figure(format!("{rounds} times full and free again, nothing lost"));
}
