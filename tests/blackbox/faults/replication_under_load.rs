//! Replicas, promotions and cut links while clients of every family are at work.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{
    Client, Link, Load, Program, Random, Server, Snapshot, Told, eventually, figure, scaled, server,
};

/// How many clients are at work.
const CLIENTS: usize = 4;

#[track_caller]
fn equal(primary: &Server, replica: &Server) {
    primary.in_step_with(replica);
    // What becomes due meanwhile is decided by the primary and follows.
    eventually("both hold the same", || {
        let (one, other) = (Snapshot::of(primary), Snapshot::of(replica));
        let same = one == other;
        if !same {
            let differ = one.differences(&other);
            eprintln!(
                "they differ in {} of {} keys: {:?}",
                differ.len(),
                one.len(),
                differ.iter().take(9).collect::<Vec<_>>()
            );
        }
        primary.in_step_with(replica);
        same
    });
    primary.lives();
    replica.lives();
}

/// No job is held with two tokens: the token that counts is the one of the last grant there.
#[track_caller]
fn held_once(s: &Client, told: &Told) {
    let queues: BTreeSet<&str> =
        told.handed_out.iter().filter_map(|(job, _)| Some(job.split_once(' ')?.0)).collect();
    for queue in queues {
        let active = s.ok(format!("JOBQ.LIST {queue} active COUNT 1000"));
        for job in active.at(1).items() {
            let (id, token) = (job.field("id").text(), job.field("token").int());
            let name = format!("{queue} {id}");
            let later = told.handed_out.iter().filter(|(job, other)| *job == name && *other > token);
            assert_eq!(later.count(), 0, "{name} was handed out again behind {token}");
        }
    }
}

#[test]
fn a_promotion_by_hand_after_a_crash_loses_only_what_was_not_sent() {
    let (mut answers, mut lost) = (0, 0);
    let rounds = scaled(2);
    for round in 0..rounds {
        let mut s = server!();
        let r = s.replica(&[]);
        let load = Load::start(&[s.port(), r.port()], CLIENTS, "c");
        load.goes_on(200 + 100 * round);
        s.kill();
        r.ok("REPLICAOF NO ONE");
        load.goes_on(200);
        let told = load.stop();
        told.each_token_came_once();
        held_once(&r, &told);
        answers += told.facts.len();
        lost += told.lost(&[r.port()]).len();
        r.lives();
    }
    figure(format!("{rounds} promotions, {answers} answers, {lost} lost, no token twice"));
}

#[test]
fn what_has_reached_a_replica_by_wait_survives_a_promotion() {
    let mut answers = 0;
    let rounds = scaled(2);
    for round in 0..rounds {
        let mut s = server!();
        let r = s.replica(&[]);
        let load = Load::start_with_wait(&[s.port()], CLIENTS, "c");
        load.goes_on(150 + 100 * round);
        s.kill();
        let told = load.stop();
        r.ok("REPLICAOF NO ONE");
        told.each_token_came_once();
        held_once(&r, &told);
        let lost = told.lost(&[r.port()]);
        assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
        answers += told.facts.len();
        r.lives();
    }
    figure(format!("{rounds} promotions, {answers} answers that WAIT confirmed, 0 lost"));
}

#[test]
fn orderly_failovers_under_load_lose_nothing() {
    let s = server!();
    let r = s.replica(&[]);
    let load = Load::start(&[s.port(), r.port()], CLIENTS, "c");
    let rounds = scaled(4);
    for round in 0..rounds {
        let (from, to) = if round % 2 == 0 { (&s, &r) } else { (&r, &s) };
        load.goes_on(100);
        // Refused while the replica is not in step.
        eventually("it begins", || !from.call("FAILOVER").is_error());
        eventually("the replica has taken over", || to.info("role") == "master");
        eventually("the former primary follows", || from.info("role") == "slave");
        load.goes_on(100);
        eventually("it is connected", || from.info("master_link_status") == "up");
    }
    let told = load.stop();
    told.each_token_came_once();
    let (primary, replica) = if rounds.is_multiple_of(2) { (&s, &r) } else { (&r, &s) };
    let lost = told.lost(&[primary.port()]);
    assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
    held_once(primary, &told);
    equal(primary, replica);
    figure(format!("{rounds} failovers, {} answers, 0 lost, no token twice", told.facts.len()));
}

#[test]
fn a_graceful_shutdown_under_load_leaves_all_with_the_replica() {
    let mut answers = 0;
    for _ in 0..scaled(1) {
        let mut s = server!();
        let r = s.replica(&[]);
        let load = Load::start(&[s.port(), r.port()], CLIENTS, "c");
        load.goes_on(200);
        s.shuts_down();
        r.ok("REPLICAOF NO ONE");
        load.goes_on(100);
        let told = load.stop();
        told.each_token_came_once();
        held_once(&r, &told);
        let lost = told.lost(&[r.port()]);
        assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
        r.lives();
        answers += told.facts.len();
    }
    figure(format!("{} shutdowns, {answers} answers, 0 lost", scaled(1)));
}

#[test]
fn pauses_of_writes_under_load_lose_nothing() {
    let s = server!();
    let r = s.replica(&[]);
    let load = Load::start(&[s.port()], CLIENTS, "c");
    for _ in 0..scaled(5) {
        load.goes_on(100);
        s.ok("CLIENT PAUSE 100 WRITE");
        // Jobs and leases become due meanwhile.
        s.goes_on(60);
    }
    load.goes_on(100);
    let told = load.stop();
    told.each_token_came_once();
    assert!(told.lost(&[s.port()]).is_empty());
    equal(&s, &r);
    figure(format!("{} pauses, {} answers, 0 lost", scaled(5), told.facts.len()));
}

#[test]
fn links_that_break_under_load_end_in_equal_copies() {
    let mut random = Random::of_this_run();
    let mut s = server!("repl-backlog-size 10mb");
    let link = Link::to(s.port());
    let near = s.replica(&["appendonly yes", "appendfsync always"]);
    let follow = format!("REPLICAOF 127.0.0.1 {}", link.port());
    near.ok(&follow[..]);
    let far = near.replica(&[]);
    let load = Load::start(&[s.port()], CLIENTS, "c");
    let breaks = scaled(3);
    for nth in 0..breaks {
        load.goes_on(30 + random.below(60));
        match nth % 3 {
            0 => drop(s.ok("CLIENT KILL TYPE replica")),
            1 => {
                link.cut();
                load.goes_on(60);
                link.heal();
            }
            // It forgets what it follows: a full resynchronisation.
            _ => {
                near.ok("REPLICAOF NO ONE");
                near.ok(&follow[..]);
            }
        }
        eventually("the replica is back", || near.info("master_link_status") == "up");
    }
    let told = load.stop();
    told.each_token_came_once();
    let (full, partial) = (s.info("sync_full"), s.info("sync_partial_ok"));
    equal(&s, &near);
    equal(&near, &far);
    let before = Snapshot::of(&s);
    let mut near = near;
    near.crash_and_restart();
    equal(&s, &near);
    assert_eq!(Snapshot::of(&near).keys(), before.keys(), "the replica's own append-only file");
    assert!(
        full.parse::<u32>().is_ok_and(|full| full >= 2) && partial != "0",
        "{full} full, {partial} partial"
    );
    s.kill();
    figure(format!(
        "{breaks} breaks ({full} full, {partial} partial synchronisations) under {} answers: primary, replica, its \
         own append-only file and a replica of it are equal",
        told.facts.len()
    ));
}

#[test]
fn every_way_of_a_full_synchronisation_under_load_gives_an_equal_copy() {
    let mut done = 0;
    for _ in 0..scaled(1) {
        for diskless in ["yes", "no"] {
            for load_mode in ["disabled", "swapdb"] {
                let s = server!(format!("repl-diskless-sync {diskless}").as_str());
                let r = s.replica(&[&format!("repl-diskless-load {load_mode}")]);
                let load = Load::start(&[s.port()], 2, "c");
                load.goes_on(100);
                // With what it holds already.
                r.ok("REPLICAOF NO ONE");
                r.ok(format!("REPLICAOF 127.0.0.1 {}", s.port()));
                load.goes_on(50);
                eventually("it is synchronised", || r.info("master_link_status") == "up");
                load.goes_on(50);
                load.stop();
                equal(&s, &r);
                done += 1;
            }
        }
    }
    figure(format!("{done} full synchronisations under load, all copies equal"));
}

#[test]
fn a_primary_that_was_cut_off_comes_back_as_a_replica_and_no_token_came_twice() {
    let s = server!();
    let link = Link::to(s.port());
    let r = s.replica(&[]);
    r.ok(format!("REPLICAOF 127.0.0.1 {}", link.port()));
    s.in_step_with(&r);
    let mut told = Told::default();
    let both = Load::start(&[s.port()], CLIENTS, "before");
    both.goes_on(100);
    link.cut();
    both.goes_on(100);
    r.ok("REPLICAOF NO ONE");
    // Both are primaries now, each with clients.
    let new = Load::start(&[r.port()], CLIENTS, "after");
    both.goes_on(100);
    new.goes_on(100);
    told.join(both.stop());
    let after = new.stop();
    let kept = after.lost(&[r.port()]);
    assert!(kept.is_empty(), "what the new primary answered stays: {:?}", kept.first());
    told.join(after);
    told.each_token_came_once();
    s.ok(format!("REPLICAOF 127.0.0.1 {}", r.port()));
    equal(&r, &s);
    held_once(&r, &told);
    figure(format!(
        "{} answers of both sides, {} of the cut-off one lost, no token twice",
        told.facts.len(),
        told.lost(&[r.port()]).len()
    ));
}

/// A Sentinel of its own.
struct Sentinel {
    child: Child,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Sentinel {
    fn over(primary: &Server) -> Option<Sentinel> {
        let Program::Path(path) = Program::found() else { return None };
        let folder = tempfile::TempDir::new().expect("a temporary directory");
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let file = folder.path().join("sentinel.conf");
        let lines = [
            format!("port {port}"),
            format!("dir {}", folder.path().display()),
            format!("sentinel monitor main 127.0.0.1 {} 1", primary.port()),
            "sentinel down-after-milliseconds main 500".to_owned(),
            "sentinel failover-timeout main 3000".to_owned(),
        ];
        fs::write(&file, lines.join("\n") + "\n").expect("a file");
        let child = Command::new(path)
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server's program is a Sentinel too");
        let mut client = None;
        eventually("the Sentinel answers", || {
            client = Client::connect(port).ok().filter(|client| client.try_call("PING").is_ok());
            client.is_some()
        });
        client.map(|client| Sentinel { child, client, _folder: folder })
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_sentinel_promotes_a_replica_under_load() {
    let mut s = server!();
    let mut r = s.replica(&[]);
    let Some(sentinel) = Sentinel::over(&s) else {
        println!("skipped: no Sentinel in a container");
        return;
    };
    let load = Load::start(&[s.port(), r.port()], CLIENTS, "c");
    eventually("the Sentinel knows the replica", || {
        sentinel.client.ok("SENTINEL REPLICAS main").items().iter().any(|replica| {
            replica.field("port").text() == r.port().to_string()
                && replica.field("master-link-status").text() == "ok"
        })
    });
    load.goes_on(200);
    s.kill();
    eventually("the replica is promoted", || {
        // A Sentinel closes the connections of clients.
        r.reconnect();
        matches!(r.try_call("ROLE"), Ok(role) if role.at(0).text() == "master")
    });
    load.goes_on(200);
    let told = load.stop();
    told.each_token_came_once();
    r.reconnect();
    held_once(&r, &told);
    let lost = told.lost(&[r.port()]).len();
    r.lives();
    figure(format!("1 promotion by Sentinel, {} answers, {lost} lost, no token twice", told.facts.len()));
}

#[test]
fn a_primary_without_room_for_more_takes_what_frees_and_goes_on() {
    let s = server!("maxmemory-policy noeviction");
    let r = s.replica(&[]);
    let load = Load::start(&[s.port()], 2, "c");
    load.goes_on(200);
    let told = load.stop();
    for id in 0..60 {
        s.ok(format!("JOBQ.PUSH jobs{} p ID left{id}", id % 3));
    }
    s.ok("CONFIG SET maxmemory 1");
    let mut refused = 0;
    for call in [
        "JOBQ.PUSH jobs0 p",
        "JOBQ.MPUSH jobs0 1 p",
        "IDEMP.CLAIM new",
        "CACHE.SET new v",
        "CACHE.GETSET new",
        "IDEMP.SEEN seen0 1d new",
        "RATELIMIT.CHECK new 5/1h",
        "RATELIMIT.ACQUIRE new me MAX 1",
        "BREAKER.CONFIG SET new open 1h",
    ] {
        s.refuses(call, "OOM");
        refused += 1;
    }
    let mut drained = 0;
    eventually("the queues are drained", || {
        let mut popped = 0;
        for queue in ["jobs0", "jobs1", "jobs2"] {
            let jobs = s.ok(format!("JOBQ.POP {queue} COUNT 10"));
            for job in jobs.items() {
                s.ok(format!("JOBQ.ACK {queue} {} {}", job.at(0).text(), job.at(1).int()));
                popped += 1;
            }
        }
        drained += popped;
        popped == 0
    });
    s.ok("CONFIG SET maxmemory 0");
    s.ok("JOBQ.PUSH jobs0 p");
    s.goes_on(Duration::from_millis(5).as_millis() as i64);
    equal(&s, &r);
    assert!(told.lost(&[s.port()]).is_empty());
    figure(format!("{refused} kinds of writes refused, {drained} jobs drained while full, nothing lost"));
}
