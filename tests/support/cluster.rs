//! Three primaries that share the slots.

use std::net::TcpListener;

use super::eventually::eventually;
use super::test_server::Server;

/// A cluster of one's own for one test.
pub struct Cluster {
    pub nodes: Vec<Server>,
}

const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

impl Cluster {
    /// Starts three primaries with the module and waits until each knows the others.
    pub fn start() -> Cluster {
        Cluster::start_with(&[])
    }

    /// The same, with these options of each server.
    pub fn start_with(options: &[&str]) -> Cluster {
        let buses: Vec<u16> = SLOTS.iter().map(|_| free_port()).collect();
        let nodes: Vec<Server> = buses
            .iter()
            .map(|bus| {
                Server::start(&[&["cluster-enabled yes", &format!("cluster-port {bus}")], options].concat())
            })
            .collect();
        for (node, (first, last)) in nodes.iter().zip(SLOTS) {
            node.ok(format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
        }
        for (node, bus) in nodes.iter().zip(&buses).skip(1) {
            nodes[0].ok(format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()));
        }
        eventually("all know all slots", || {
            nodes.iter().all(|node| {
                let info = node.ok("CLUSTER INFO").text();
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
        });
        Cluster { nodes }
    }

    /// A replica of the node with this number.
    pub fn add_replica(&self, of: usize) -> Server {
        let bus = free_port();
        let replica = Server::start(&["cluster-enabled yes", &format!("cluster-port {bus}")]);
        let primary = &self.nodes[of];
        let id = primary.ok("CLUSTER MYID").text();
        let count = primary.ok("CLUSTER NODES").text().lines().count() + 1;
        let field = format!("cluster_known_nodes:{count}\r");
        let known = |node: &Server| node.ok("CLUSTER INFO").text().contains(&field);
        primary.ok(format!("CLUSTER MEET 127.0.0.1 {} {bus}", replica.port()));
        eventually("all know the replica", || self.nodes.iter().all(known) && known(&replica));
        replica.ok(format!("CLUSTER REPLICATE {id}"));
        eventually("it is connected", || replica.info("role") == "slave");
        // Else it does not know, when its primary dies, whose slots it takes over.
        let all = "cluster_slots_assigned:16384\r";
        eventually("it knows all slots", || replica.ok("CLUSTER INFO").text().contains(all));
        primary.in_step_with(&replica);
        replica
    }

    /// The node that owns the key's slot.
    pub fn owner(&self, key: &str) -> &Server {
        let slot = self.nodes[0].ok(format!("CLUSTER KEYSLOT {key}")).int() as u16;
        let at = SLOTS.iter().position(|(first, last)| (*first..=*last).contains(&slot));
        &self.nodes[at.expect("every slot has an owner")]
    }

    /// A key of each node, in their order, that begins with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.nodes
            .iter()
            .map(|node| {
                let mut keys = (0..).map(|number| format!("{prefix}{number}"));
                keys.find(|key| self.owner(key).port() == node.port()).expect("a key of the node")
            })
            .collect()
    }
}

/// For the nodes' own talk: by default it is the port plus 10,000, which may be too high.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("a bound listener has an address").port()
}
