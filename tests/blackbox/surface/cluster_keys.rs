//! Where the nodes of a cluster send each command: by the slots of all keys that it names.

use super::every_command::CALLS;
use crate::support::{Cluster, Reply, figure};

/// Every call that names two keys, of the hash tags `{A}` and `{B}`.
const OF_TWO_KEYS: [&str; 7] = [
    "JOBQ.POP {A}q ALSO 1 {B}q",
    "JOBQ.POP {A}q RATE {B}s 1 10/1h",
    "JOBQ.ACK {A}q id 5 RESULT r RATE {B}s COST 1",
    "JOBQ.FAIL {A}q id 5 RATE {B}s COST 1",
    "RATELIMIT.MCHECK {A}u ALSO 1 {B}u 1 10/1m 1 10/1m",
    "CACHE.EXPIRE {A}c {B}c",
    "RATELIMIT.MCHECK {A}u ALSO 2 {A}v {B}u 1 10/1m 1 10/1m 1 10/1m",
];

fn is_sent_on(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if ["MOVED", "ASK", "CROSSSLOT"].iter().any(|word| text.starts_with(word)))
}

#[test]
fn every_command_is_redirected_to_the_owner_of_its_keys_which_share_a_slot() {
    let cluster = Cluster::start();
    let keys = cluster.keys("k:");
    let (away, home) = (&cluster.nodes[0], &cluster.nodes[1]);
    let slot = home.ok(format!("CLUSTER KEYSLOT {}", keys[1])).int();
    let redirection = format!("MOVED {slot} 127.0.0.1:{}", home.port());
    for (_, call) in CALLS {
        let call = call.replace("KEY", &keys[1]);
        assert_eq!(away.call(&call[..]), Reply::Error(redirection.clone()), "{call}");
        home.ok("FLUSHALL");
        let reply = home.call(&call[..]);
        assert!(!is_sent_on(&reply), "{call}: {reply:?}");
    }
    let owner = cluster.owner("{A}");
    for call in OF_TWO_KEYS {
        owner.ok("FLUSHALL");
        let words: Vec<String> = format!("COMMAND GETKEYS {call}").split(' ').map(str::to_owned).collect();
        assert!(owner.ok(words.join(" ")).items().len() >= 2, "{call} names two keys");
        owner.refuses(call, "CROSSSLOT");
        let together = call.replace("{B}", "{A}");
        let reply = owner.call(&together[..]);
        assert!(!is_sent_on(&reply), "{together}: {reply:?}");
    }
    figure(format!(
        "{} calls sent to the owner of their slot, {} calls of two slots refused and of one hash tag taken",
        CALLS.len(),
        OF_TWO_KEYS.len()
    ));
}
