//! Slots that move between the nodes of a cluster, and a primary that dies, while clients of every
//! family are at work.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::{
    Cluster, Load, Random, Reply, Server, Snapshot, Told, eventually, figure, list, scaled,
};

/// The keys of the load that every client uses.
const SHARED: [&str; 14] = [
    "jobs0", "jobs1", "jobs2", "seen0", "seen1", "seen2", "seen3", "seen4", "limit0", "limit1", "limit2",
    "limit3", "limit4", "breaker",
];

fn slot_of(node: &Server, key: &str) -> u16 {
    node.ok(format!("CLUSTER KEYSLOT {key}")).int() as u16
}

fn owns(node: &Server, slot: u16) -> bool {
    let own = node.ok("CLUSTER MYID").text();
    node.ok("CLUSTER SLOTS").items().iter().any(|range| {
        let within = (range.at(0).int()..=range.at(1).int()).contains(&i64::from(slot));
        within && range.at(2).at(2).text() == own
    })
}

fn all_know(cluster: &Cluster, slot: u16, owner: &Server) {
    let id = owner.ok("CLUSTER MYID").text();
    eventually("all nodes know whose the slot is", || {
        cluster.nodes.iter().all(|node| {
            node.ok("CLUSTER SLOTS").items().iter().any(|range| {
                let within = (range.at(0).int()..=range.at(1).int()).contains(&i64::from(slot));
                within && range.at(2).at(2).text() == id
            })
        })
    });
}

/// Key by key, as `redis-cli --cluster reshard` does.
fn move_key_by_key(cluster: &Cluster, slot: u16, from: &Server, to: &Server) {
    let [source, target] = [from, to].map(|node| node.ok("CLUSTER MYID").text());
    to.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {source}"));
    from.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {target}"));
    loop {
        let keys = from.ok(format!("CLUSTER GETKEYSINSLOT {slot} 10"));
        if keys.items().is_empty() {
            break;
        }
        for key in keys.items() {
            from.ok(format!("MIGRATE 127.0.0.1 {} {} 0 5000", to.port(), key.text()));
        }
    }
    to.ok(format!("CLUSTER SETSLOT {slot} NODE {target}"));
    for node in &cluster.nodes {
        node.ok(format!("CLUSTER SETSLOT {slot} NODE {target}"));
    }
    all_know(cluster, slot, to);
}

/// Whether the server can move a slot as a whole (Valkey 9).
fn is_atomic(node: &Server) -> bool {
    !node.call("CLUSTER GETSLOTMIGRATIONS").is_error()
}

fn begin_to_move(slot: u16, from: &Server, to: &Server) {
    let target = to.ok("CLUSTER MYID").text();
    from.ok(format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {target}"));
}

fn move_as_a_whole(cluster: &Cluster, slot: u16, from: &Server, to: &Server) {
    begin_to_move(slot, from, to);
    eventually("the slot has moved", || owns(to, slot));
    all_know(cluster, slot, to);
}

type Move = fn(&Cluster, u16, &Server, &Server);

/// A hash tag of each node, in their order.
fn a_tag_of_each(cluster: &Cluster) -> Vec<String> {
    let mut tags = (0..).map(|number| format!("{{t{number}}}"));
    let of = |node: &Server| tags.find(|tag| cluster.owner(tag).port() == node.port()).expect("a tag");
    cluster.nodes.iter().map(of).collect()
}

/// Slots with keys of every type, their owners with replicas.
#[track_caller]
fn every_type_moves_under_load(how: Move) {
    let cluster = Cluster::start();
    let replicas: Vec<Server> = (0..3).map(|node| cluster.add_replica(node)).collect();
    let mut random = Random::of_this_run();
    let ports: Vec<u16> = cluster.nodes.iter().map(Server::port).collect();
    let load = Load::start(&ports, 2, "c");
    let tags = a_tag_of_each(&cluster);
    let in_one_slot: Vec<Load> = tags.iter().map(|tag| Load::start(&ports, 1, &format!("{tag}c"))).collect();
    load.goes_on(100);
    let keys = SHARED.iter().copied().chain(tags.iter().map(String::as_str));
    let slots: BTreeSet<u16> = keys.map(|key| slot_of(&cluster.nodes[0], key)).collect();
    let mut moved = 0;
    for _ in 0..scaled(1) {
        for slot in &slots {
            let from = cluster.nodes.iter().position(|node| owns(node, *slot)).expect("an owner");
            let to = (from + 1 + random.below(2)) % 3;
            how(&cluster, *slot, &cluster.nodes[from], &cluster.nodes[to]);
            moved += 1;
            load.goes_on(20);
        }
    }
    let mut told = load.stop();
    in_one_slot.into_iter().for_each(|load| told.join(load.stop()));
    told.each_token_of_a_key_came_once();
    let lost = told.lost(&ports);
    assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
    replicas_are_equal(&cluster, &replicas);
    figure(format!(
        "{moved} slots moved under {} answers: 0 lost, no token twice, 3 replicas equal",
        told.facts.len()
    ));
}

#[track_caller]
fn replicas_are_equal(cluster: &Cluster, replicas: &[Server]) {
    for (node, replica) in cluster.nodes.iter().zip(replicas) {
        replica.ok("READONLY");
        eventually("a replica holds what its primary holds", || {
            node.in_step_with(replica);
            let same = Snapshot::of(node) == Snapshot::of(replica);
            node.in_step_with(replica);
            same
        });
        node.lives();
        replica.lives();
    }
}

/// Tags of the slots from 0 on, which `redis-cli --cluster reshard` moves first.
fn tags_below(node: &Server, slots: i64, count: usize) -> Vec<String> {
    let tags: Vec<String> = (0..20_000).map(|number| format!("{{r{number}}}")).collect();
    let found = node.pipeline(tags.iter().map(|tag| format!("CLUSTER KEYSLOT {tag}")));
    let below = tags.into_iter().zip(found).filter(|(_, slot)| slot.int() < slots);
    below.map(|(tag, _)| tag).take(count).collect()
}

#[test]
fn redis_cli_reshards_every_type_under_load_and_nothing_is_lost() {
    const SLOTS: i64 = 40;
    if Command::new("redis-cli").arg("--version").output().is_err() {
        return println!("skipped: there is no redis-cli");
    }
    let cluster = Cluster::start();
    let replicas: Vec<Server> = (0..3).map(|node| cluster.add_replica(node)).collect();
    let ports: Vec<u16> = cluster.nodes.iter().map(Server::port).collect();
    let tags = tags_below(&cluster.nodes[0], SLOTS, 3);
    let loads: Vec<Load> = tags.iter().map(|tag| Load::start(&ports, 2, &format!("{tag}c"))).collect();
    let mut moved = 0;
    // There, and back again.
    for (from, to) in [(0, 1), (1, 0)] {
        loads.iter().for_each(|load| load.goes_on(100));
        let [source, target] = [from, to].map(|node: usize| cluster.nodes[node].ok("CLUSTER MYID").text());
        let address = format!("127.0.0.1:{}", cluster.nodes[0].port());
        let slots = SLOTS.to_string();
        let ran = Command::new("redis-cli")
            .args(["--cluster", "reshard", &address, "--cluster-from", &source, "--cluster-to", &target])
            .args(["--cluster-slots", &slots, "--cluster-yes", "--cluster-timeout", "20000"])
            .output()
            .expect("redis-cli runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
        for slot in 0..SLOTS as u16 {
            all_know(&cluster, slot, &cluster.nodes[to]);
        }
        moved += SLOTS;
    }
    loads.iter().for_each(|load| load.goes_on(100));
    let mut told = Told::default();
    loads.into_iter().for_each(|load| told.join(load.stop()));
    told.each_token_of_a_key_came_once();
    let lost = told.lost(&ports);
    assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
    replicas_are_equal(&cluster, &replicas);
    figure(format!(
        "{moved} slots moved by redis-cli under {} answers: 0 lost, no token twice, 3 replicas equal",
        told.facts.len()
    ));
}

#[test]
fn every_type_moves_key_by_key_under_load_and_nothing_is_lost() {
    every_type_moves_under_load(move_key_by_key);
}

#[test]
fn every_type_moves_atomically_under_load_and_nothing_is_lost() {
    let cluster = Cluster::start();
    if !is_atomic(&cluster.nodes[0]) {
        println!("skipped: the server has no atomic slot migration");
        return;
    }
    drop(cluster);
    every_type_moves_under_load(move_as_a_whole);
}

#[test]
fn an_atomic_migration_leaves_policies_marks_clock_and_copies_of_the_target_alone() {
    let cluster = Cluster::start_with(&["appendonly yes", "appendfsync always", "aof-use-rdb-preamble no"]);
    let [from, to, _] = &cluster.nodes[..] else { panic!("three nodes") };
    if !is_atomic(from) {
        println!("skipped: the server has no atomic slot migration");
        return;
    }
    let replica = cluster.add_replica(1);
    let tag = tag_of(from);
    let slot = slot_of(from, &tag);
    let key = |name: &str| format!("{tag}{name}");
    from.ok("RATELIMIT.POLICY SET ai calls=10/1h");
    to.ok("RATELIMIT.POLICY SET ai calls=77/1h");
    from.ok("CACHE.POLICY SET page: TTL 1h");
    to.ok("CACHE.POLICY SET other: TTL 2h");
    from.ok(format!("CACHE.SET {} v TTL 1h GRACE 30m TAGS 1 t", key("stale")));
    from.ok(format!("CACHE.SET {} v TTL 1h TAGS 1 kept", key("entry")));
    from.ok("CACHE.INVALIDATE TAG 1 t");
    to.ok(format!("CACHE.SET {} v TTL 1h TAGS 1 mine", cluster.keys("own:")[1]));
    to.ok("CACHE.INVALIDATE TAG 1 mine");
    from.ok(format!("RATELIMIT.CHECK {} 5/1h COST 2", key("limit")));
    from.ok(format!("RATELIMIT.ACQUIRE {} me MAX 1 LEASE 1d", key("places")));
    let claim = from.ok(format!("IDEMP.CLAIM {} LEASE 1d", key("claim"))).at(2).int();
    from.ok(format!("IDEMP.SEEN {} 1d x", key("seen")));
    from.ok(format!("BREAKER.FORCE {} open FOR 1h", key("breaker")));
    for id in 0..500 {
        from.ok(format!("JOBQ.PUSH {} {} ID j{id}", key("jobs"), "x".repeat(300)));
    }
    let job = from.ok(format!("JOBQ.POP {} LEASE 1d", key("jobs"))).at(0).clone();
    let waiter = from.waits(format!("IDEMP.CLAIM {} BLOCK 1m", key("claim")));
    let empty = from.waits(format!("JOBQ.POP {} BLOCK 1m", key("empty")));
    let tables = |node: &Server| {
        let tags = node.info("workgate_invalidated_tags");
        (node.ok("RATELIMIT.POLICY LIST"), node.ok("CACHE.POLICY LIST"), tags)
    };
    let before = tables(to);
    let token = to.ok(format!("IDEMP.CLAIM {}", cluster.keys("mine:")[1])).at(2).int();
    let ports: Vec<u16> = cluster.nodes.iter().map(Server::port).collect();
    let load = Load::start(&ports, 3, &format!("{tag}c"));
    load.goes_on(100);
    move_as_a_whole(&cluster, slot, from, to);
    load.goes_on(100);
    let told = load.stop();
    told.each_token_of_a_key_came_once();
    let lost = told.lost(&ports);
    assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
    assert_eq!(tables(to), before, "the tables of the target are its own");
    for waiter in [&waiter, &empty] {
        let reply = waiter.reply();
        assert!(reply.is_error() && reply.text().starts_with("MOVED"), "{reply:?}");
    }
    // What was granted by the source holds at the target, whose next tokens are above all.
    to.ok(format!("IDEMP.COMPLETE {} {claim} r", key("claim")));
    to.ok(format!("JOBQ.ACK {} {} {}", key("jobs"), job.at(0).text(), job.at(1).int()));
    let next = to.ok(format!("JOBQ.POP {} LEASE 1d", key("jobs"))).at(0).at(1).int();
    assert!(next > token.max(claim).max(job.at(1).int()));
    to.ok(format!("JOBQ.STATS {}", key("jobs"))).field("pushed").clone().is(500);
    to.ok(format!("RATELIMIT.CHECK {} 5/1h", key("limit"))).at(2).clone().is(2);
    to.ok(format!("RATELIMIT.ACQUIRE {} you MAX 1", key("places"))).at(0).clone().is(0);
    to.ok(format!("IDEMP.SEEN {} 1d x", key("seen"))).is(list![1]);
    to.ok(format!("BREAKER.ALLOW {}", key("breaker"))).at(0).clone().is(0);
    to.ok(format!("CACHE.GET {}", key("entry"))).is("v");
    assert_eq!(to.ok(format!("CACHE.GET {}", key("stale"))), Reply::Nil, "the mark of the source went along");
    from.ok("DBSIZE").is(0);
    replica.ok("READONLY");
    to.in_step_with(&replica);
    let (copy, own) = (Snapshot::of(&replica), Snapshot::of(to));
    let differences = copy.differences(&own);
    assert!(copy == own, "the target's replica differs in {differences:?}");
    let held = Snapshot::of(to);
    drop((waiter, empty, replica));
    let mut nodes = cluster.nodes;
    let mut target = nodes.remove(1);
    target.crash_and_restart();
    eventually("it is of the cluster again", || {
        target.ok("CLUSTER INFO").text().contains("cluster_state:ok")
    });
    assert_eq!(Snapshot::of(&target).keys(), held.keys(), "the target's append-only file");
    assert_eq!(target.ok("RATELIMIT.POLICY GET ai"), before_policy(), "its policy too");
    figure(format!(
        "1 slot with every type moved under {} answers, 0 lost; replica and append-only file of the target are \
         equal to it",
        told.facts.len()
    ));
}

fn before_policy() -> Reply {
    Reply::Array(vec![Reply::Bulk(b"calls=77/1h".to_vec())])
}

/// A hash tag of the first node.
fn tag_of(node: &Server) -> String {
    let mut tags = (0..).map(|number| format!("{{t{number}}}"));
    tags.find(|tag| slot_of(node, tag) <= 5460).expect("a tag")
}

#[test]
fn a_cancelled_atomic_migration_leaves_nothing_at_the_target() {
    let cluster = Cluster::start();
    let [from, to, _] = &cluster.nodes[..] else { panic!("three nodes") };
    if !is_atomic(from) {
        println!("skipped: the server has no atomic slot migration");
        return;
    }
    let tag = tag_of(from);
    for id in 0..2_000 {
        from.ok(format!("JOBQ.PUSH {tag}jobs {} ID j{id}", "x".repeat(500)));
    }
    from.ok("JOBQ.CRON SET {}jobs s every".replace("{}", &tag).replace("s every", "tick @yearly p"));
    let before = to.ok("DBSIZE");
    begin_to_move(slot_of(from, &tag), from, to);
    // Whether it was in time or not: the slot has one owner, which has it whole.
    let cancelled = !from.call("CLUSTER CANCELSLOTMIGRATIONS").is_error();
    if cancelled {
        eventually("nothing is left of it", || {
            to.ok("DBSIZE") == before && to.info("workgate_queues") == "0"
        });
        from.ok(format!("JOBQ.STATS {tag}jobs")).field("pushed").clone().is(2_000);
    }
    move_as_a_whole(&cluster, slot_of(from, &tag), from, to);
    to.ok(format!("JOBQ.STATS {tag}jobs")).field("pushed").clone().is(2_000);
    eventually("the source has forgotten the queue", || from.info("workgate_queues") == "0");
}

#[test]
fn a_primary_that_dies_under_load_is_followed_by_its_replica() {
    let mut cluster = Cluster::start_with(&["cluster-node-timeout 1500"]);
    let replica = cluster.add_replica(0);
    let mut ports: Vec<u16> = cluster.nodes.iter().map(Server::port).collect();
    ports.push(replica.port());
    let load = Load::start(&ports, 4, "c");
    load.goes_on(200);
    cluster.nodes[0].kill();
    eventually("the replica has taken over", || replica.info("role") == "master");
    load.goes_on(200);
    let told = load.stop();
    told.each_token_of_a_key_came_once();
    let alive: Vec<u16> = ports[1..].to_vec();
    let lost = told.lost(&alive).len();
    replica.lives();
    figure(format!(
        "1 of 3 primaries lost under {} answers: {lost} of them lost, no token twice",
        told.facts.len()
    ));
}
