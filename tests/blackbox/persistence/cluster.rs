//! Three primaries, and a stock cluster client that does what the docs say: it sends what belongs
//! to no key to each of them.

use redis::cluster::{ClusterClient, ClusterConnection};
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::{Cmd, Value, cmd};

use crate::support::{Cluster, any, cmd as call, eventually, figure, list, nil, token};

fn connect(cluster: &Cluster) -> ClusterConnection {
    let client = ClusterClient::new(vec![cluster.nodes[0].url()]).expect("valid addresses");
    client.get_connection().expect("a connection to the cluster")
}

/// The loop over the primaries that the docs show.
fn everywhere(c: &mut ClusterConnection, command: &Cmd) -> Value {
    let all = (MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::AllSucceeded));
    c.route_command(command, RoutingInfo::MultiNode(all)).expect("every primary agrees")
}

#[test]
fn a_policy_that_is_set_everywhere_rules_all_keys() {
    let cluster = Cluster::start();
    let mut c = connect(&cluster);
    let keys = cluster.keys("user:");
    everywhere(&mut c, cmd("RATELIMIT.POLICY").arg("SET").arg("ai").arg("calls=10/1m"));
    for key in &keys {
        let (taken, limit, left): (u64, u64, u64) = {
            let reply: Vec<Value> =
                cmd("RATELIMIT.CHECK").arg(key).arg("@ai").query(&mut c).expect("a check");
            let number = |at: usize| redis::from_redis_value(reply[at].clone()).expect("a number");
            (number(0), number(1), number(2))
        };
        assert_eq!((taken, limit, left), (1, 10, 9), "{key}");
    }
    for node in &cluster.nodes {
        node.ok("RATELIMIT.POLICY GET ai").is(list!["calls=10/1m"]);
    }
    everywhere(&mut c, cmd("RATELIMIT.POLICY").arg("DEL").arg("ai"));
    let error =
        cmd("RATELIMIT.CHECK").arg(&keys[2]).arg("@ai").query::<Value>(&mut c).expect_err("no policy");
    assert_eq!(error.code(), Some("NOPOLICY"));
    figure(format!("a policy on {} primaries, set and deleted by one loop", cluster.nodes.len()));
}

#[test]
fn an_invalidation_that_is_sent_everywhere_reaches_all_keys() {
    let cluster = Cluster::start();
    let mut c = connect(&cluster);
    let (tagged, prefixed, kept) = (cluster.keys("a:"), cluster.keys("page:"), cluster.keys("kept:"));
    let set = |c: &mut ClusterConnection, key: &str, tag: &str| {
        let stored: u64 =
            cmd("CACHE.SET").arg(key).arg("v").arg("TAGS").arg(1).arg(tag).query(c).expect("a store");
        assert_eq!(stored, 1);
    };
    for ((tagged, prefixed), kept) in tagged.iter().zip(&prefixed).zip(&kept) {
        set(&mut c, tagged, "author:ada");
        set(&mut c, prefixed, "other");
        set(&mut c, kept, "other");
    }
    everywhere(&mut c, cmd("CACHE.INVALIDATE").arg("TAG").arg(1).arg("author:ada"));
    everywhere(&mut c, cmd("CACHE.INVALIDATE").arg("PREFIX").arg(1).arg("page:"));
    for (node, key) in cluster.nodes.iter().zip(&kept) {
        node.ok(format!("CACHE.GET {key}")).is("v");
    }
    for (node, (tagged, prefixed)) in cluster.nodes.iter().zip(tagged.iter().zip(&prefixed)) {
        node.ok(format!("CACHE.GET {tagged}")).is(nil());
        node.ok(format!("CACHE.GET {prefixed}")).is(nil());
    }
    figure(format!(
        "marks of 2 kinds on {} primaries: what they name is gone, the rest is there",
        cluster.nodes.len()
    ));
}

#[test]
fn a_value_that_moves_with_its_slot_takes_its_invalidation_along() {
    let cluster = Cluster::start();
    let [from, to, _] = &cluster.nodes[..] else { panic!("three nodes") };
    let key = &cluster.keys("moves:")[0];
    let slot = from.ok(format!("CLUSTER KEYSLOT {key}")).int();
    from.ok(format!("CACHE.SET {key} v TTL 1h GRACE 30m TAGS 1 t"));
    // Only the node that the value leaves has heard of it.
    from.ok("CACHE.INVALIDATE TAG 1 t");
    let [source, target] = [from, to].map(|node| node.ok("CLUSTER MYID").text());
    let atomic = from.call(format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {target}"));
    if atomic.is_error() {
        to.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {source}"));
        from.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {target}"));
        from.ok(format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port()));
        for node in [to, from] {
            node.ok(format!("CLUSTER SETSLOT {slot} NODE {target}"));
        }
    }
    eventually("the slot has moved", || to.call(format!("CACHE.GET {key}")) == crate::support::Reply::Nil);
    to.ok(format!("CACHE.GETSET {key}")).is(list!["REFRESH", "v", token(), any()]);
}

#[test]
fn a_node_that_imports_a_queue_makes_no_runs_before_the_slot_is_its_own() {
    let cluster = Cluster::start();
    let [from, to, _] = &cluster.nodes[..] else { panic!("three nodes") };
    let key = &cluster.keys("reports:")[0];
    let slot = from.ok(format!("CLUSTER KEYSLOT {key}")).int();
    from.ok(call!["JOBQ.CRON", "SET", key, "s", "0 * * * *", "p"]);
    let due = from.ok(format!("JOBQ.CRON LIST {key}")).at(0).field("next_ms").int();
    let [source, target] = [from, to].map(|node| node.ok("CLUSTER MYID").text());
    to.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {source}"));
    from.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {target}"));
    from.ok(format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port()));
    // Its time has come, and the slot is not this node's yet.
    to.ok(format!("WORKGATE.TEST CLOCK {}", due - to.now()));
    to.goes_on(300);
    to.ok("ASKING");
    to.ok(format!("JOBQ.STATS {key}")).field("pushed").clone().is(0);
    for node in [to, from] {
        node.ok(format!("CLUSTER SETSLOT {slot} NODE {target}"));
    }
    eventually("it is made", || to.ok(format!("JOBQ.STATS {key}")).field("pushed").int() == 1);
    to.ok(format!("JOBQ.POP {key}")).at(0).at(0).clone().is(format!("s@{due}").as_str());
    assert_eq!(from.info("workgate_queues_with_schedules"), "0");
}
