//! Stock cluster clients and the commands that must reach every primary.

use std::path::Path;
use std::process::Command;

use redis::cluster::ClusterClient;
use redis::{Value, cmd};

use crate::support::{Cluster, Reply, server};

/// Runs a script of `tests/clients` against the cluster, with the client that
/// `scripts/python-clients` fetches.
fn runs(cluster: &Cluster, client: &str, script: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fetched =
        Command::new(root.join("scripts/python-clients")).arg(client).output().expect("a script of ours");
    if !fetched.status.success() {
        eprintln!("skipped: {}", String::from_utf8_lossy(&fetched.stderr).trim_end());
        return;
    }
    let folder = String::from_utf8_lossy(&fetched.stdout).trim_end().to_owned();
    let ran = Command::new("python3")
        .arg(root.join("tests/clients").join(script))
        .args(cluster.nodes.iter().map(|node| node.port().to_string()))
        .env("PYTHONPATH", folder)
        .output()
        .expect("python3 runs");
    assert!(ran.status.success(), "{script}:\n{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn redis_py_heeds_the_tips_when_it_is_told_to() {
    runs(&Cluster::start(), "redis", "redis_py.py");
}

#[test]
fn glide_reaches_every_primary_by_its_route() {
    runs(&Cluster::start(), "glide", "glide.py");
}

/// The crate heeds no tips: without a route the command goes to the owner of its first argument as
/// a key. A change of this lets the docs drop the route.
#[test]
fn the_redis_crate_needs_a_route_to_reach_every_primary() {
    let cluster = Cluster::start();
    let client = ClusterClient::new(vec![cluster.nodes[0].url()]).expect("valid addresses");
    let mut c = client.get_connection().expect("a connection to the cluster");
    let set = cmd("CACHE.POLICY").arg("SET").arg("page:").arg("TTL").arg("1h").query::<Value>(&mut c);
    assert_eq!(set.expect("it is set"), Value::Okay);
    let holders = cluster.nodes.iter().filter(|node| !node.ok("CACHE.POLICY LIST").items().is_empty());
    assert_eq!(holders.count(), 1);
}

#[test]
fn the_tips_stand_where_clients_look() {
    let s = server!();
    let tips = |row: &Reply| row.at(7).items().iter().map(Reply::text).collect::<Vec<_>>();
    let mut tipped = vec![];
    let all = s.ok("COMMAND LIST FILTERBY MODULE workgate");
    for name in all.items().iter().filter(|name| !name.text().contains('|')) {
        let info = s.ok(format!("COMMAND INFO {}", name.text())).at(0).clone();
        let subcommands = info.at(9).items();
        let of_all = subcommands.iter().filter(|row| !tips(row).is_empty());
        for row in of_all.clone() {
            assert_eq!(tips(row), ["request_policy:all_shards", "response_policy:all_succeeded"]);
        }
        // Clients look up the first word of a command; a container of what must reach all says so
        // itself.
        assert_eq!(of_all.count() > 0, !tips(&info).is_empty(), "{}", name.text());
        if !tips(&info).is_empty() {
            assert_eq!(tips(&info), ["request_policy:all_shards"], "{}", name.text());
            tipped.push(name.text());
        }
    }
    tipped.sort();
    assert_eq!(tipped, ["cache.invalidate", "cache.policy", "ratelimit.policy"]);
}
