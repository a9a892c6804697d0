//! A server that is full grants nothing that adds to those who wait either. Other reasons to refuse
//! writes: `faults/refused_writes`.

use crate::support::server;

#[test]
fn a_full_server_grants_what_takes_memory_once_there_is_some() {
    let s = server!();
    let [record, entry] = ["IDEMP.CLAIM k LEASE 1h", "CACHE.GETSET c LEASE 1h"].map(|call| s.ok(call));
    let done = s.ok("IDEMP.CLAIM done LEASE 1h").at(2).int();
    s.ok("RATELIMIT.ACQUIRE a holder MAX 1 LEASE 1h");
    s.ok("JOBQ.PUSH q p ID due DELAY 300ms");
    let claim = s.waits("IDEMP.CLAIM k BLOCK 1m LEASE 1h");
    let fill = s.waits("CACHE.GETSET c BLOCK 1m LEASE 1h");
    let place = s.waits("RATELIMIT.ACQUIRE a other MAX 1 BLOCK 1m LEASE 1h");
    let result = s.waits("IDEMP.CLAIM done BLOCK 1m");
    let pop = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    let short = s.waits("IDEMP.CLAIM k BLOCK 2s");
    s.ok("CONFIG SET maxmemory 1");
    s.refuses("IDEMP.CLAIM other BLOCK 1m", "OOM");
    // A result and a job take no memory.
    s.ok(format!("IDEMP.COMPLETE done {done} r"));
    assert_eq!(result.reply().at(0).text(), "DONE");
    assert_eq!(pop.reply().at(0).at(0).text(), "due");
    // A new record, a new entry and another holder's place do.
    s.ok("DEL k c");
    s.ok("RATELIMIT.RELEASE a holder");
    assert_eq!(short.reply().at(0).text(), "BUSY");
    for waiter in [&claim, &fill, &place] {
        waiter.still_waits(&s);
    }
    s.ok("CONFIG SET maxmemory 0");
    assert!(claim.reply().at(2).int() > record.at(2).int());
    assert!(fill.reply().at(2).int() > entry.at(2).int());
    assert_eq!(place.reply().at(0).int(), 1);
}
