//! Files that an earlier version of the module wrote load in this one, with everything that they
//! held.
//!
//! Each folder of `tests/fixtures` holds what one version wrote on Redis 7.0: `dump.rdb` and
//! `commands.aof`. A version whose saved format or whose effects differ adds a folder, and no
//! folder is ever removed. `make fixtures` writes one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Client, Reply, Server, cmd, list, nil, server, server_on_commands, status, text};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Every family's state, with times that outlive the project's next ten years.
fn write(s: &Client) {
    s.ok("RATELIMIT.CHECK limit:window 10/3650d COST 4");
    s.ok("RATELIMIT.CHECK limit:bucket b=10/3650d:bucket COST 3");
    s.ok("RATELIMIT.CHECK limit:several a=10/3650d:fixed b=5/3650d COST 2");
    s.ok("RATELIMIT.CHECK limit:held tokens=100/3650d HOLD call-1 3650d COST 30");
    s.ok("RATELIMIT.LOCK limit:locked 3650d");
    s.ok("RATELIMIT.ACQUIRE limit:leases holder MAX 2 LEASE 3650d");
    s.ok("RATELIMIT.POLICY SET free 3/3650d");
    let token = s.ok("IDEMP.CLAIM claim:done LEASE 1h TTL 3650d PAYLOAD body").at(2).int();
    s.ok(format!("IDEMP.COMPLETE claim:done {token} result META 201 TTL 3650d"));
    let token = s.ok("IDEMP.CLAIM claim:open LEASE 3650d TTL 3650d OWNER worker-1").at(2).int();
    s.ok(format!("IDEMP.EXTEND claim:open {token} LEASE 3650d CHECKPOINT page-7"));
    s.ok("IDEMP.SEEN seen 3650d a b");
    s.ok("JOBQ.PUSH queue first ID one PRIORITY 2 META trace");
    s.ok("JOBQ.PUSH queue second ID two PRIORITY 1 GROUP g");
    s.ok("JOBQ.PUSH queue later ID three DELAY 3650d UNIQUE k UNTIL done");
    s.ok("JOBQ.PUSH queue child ID four AFTER 1 one");
    s.ok("JOBQ.PUSH other held ID active");
    s.ok("JOBQ.POP other LEASE 3650d");
    s.ok(cmd!["JOBQ.CRON", "SET", "other", "leap", "0 0 29 2 *", "payload"]);
    s.ok("JOBQ.PUSH counted p ID n1 NAME mail RETRIES 0 KEEP 3650d");
    let token = s.ok("JOBQ.POP counted LEASE 3650d WORKER w").at(0).at(1).int();
    s.ok(format!("JOBQ.FAIL counted n1 {token} KIND http_500"));
    s.ok("JOBQ.PUSH counted p ID n2");
    s.ok("JOBQ.PUSH counted p ID n3 NAME sms");
    s.ok("JOBQ.UPDATE counted n3 AFTER 1 n2");
    s.ok("JOBQ.CONFIG SET charged group_rate 1/3650d");
    s.ok("JOBQ.PUSH charged p ID c1 COST 3 GROUP t");
    s.ok("JOBQ.PUSH charged p ID c2 COST 5 GROUP t");
    s.ok("JOBQ.POP charged RATE provider 1 a=10/3650d LEASE 3650d");
    s.ok("JOBQ.PAUSE charged GROUP u PUSHES");
    s.ok("CACHE.POLICY SET item: TTL 3650d GRACE 1h");
    s.ok("CACHE.SET item:1 value TAGS 1 red");
    s.ok("CACHE.SET item:2 value TAGS 1 blue");
    s.ok("CACHE.ABSENT item:3 TTL 3650d");
    s.ok("CACHE.INVALIDATE TAG 1 blue");
    s.ok("BREAKER.CONFIG SET tripped min_calls 2 open 3650d max 3650d");
    s.ok("BREAKER.REPORT tripped FAIL 1");
    s.ok("BREAKER.REPORT tripped FAIL 1");
    s.ok("BREAKER.FORCE breaker open FOR 3650d");
}

/// What [`write`] has left, whatever version wrote it.
fn check(s: &Client) {
    let remaining = |key: &str, limit: &str| s.ok(format!("RATELIMIT.PEEK {key} {limit}")).at(2).int();
    assert_eq!(remaining("limit:window", "10/3650d"), 6);
    assert_eq!(remaining("limit:bucket", "b=10/3650d:bucket"), 7);
    assert_eq!(remaining("limit:several", "a=10/3650d:fixed"), 8);
    assert_eq!(remaining("limit:several", "b=5/3650d"), 3);
    s.ok("RATELIMIT.SETTLE limit:held call-1 COST 10");
    assert_eq!(remaining("limit:held", "tokens=100/3650d"), 90);
    s.ok("RATELIMIT.CHECK limit:locked 10/3650d").at(0).clone().is(0);
    s.ok("RATELIMIT.ACQUIRE limit:leases another MAX 1").at(0).clone().is(0);
    assert_eq!(remaining("limit:new", "@free"), 3);
    let done = s.ok("IDEMP.CLAIM claim:done PAYLOAD body");
    done.at(0).clone().is(text("DONE"));
    done.at(1).clone().is(text("result"));
    done.at(5).clone().is(text("201"));
    assert!(s.call("IDEMP.CLAIM claim:done PAYLOAD other").is_error());
    let open = s.ok("IDEMP.CLAIM claim:open OWNER worker-1");
    open.at(0).clone().is(text("CLAIMED"));
    open.at(1).clone().is(text("page-7"));
    s.ok("IDEMP.SEEN seen 3650d a b c").is(list![1, 1, 0]);
    let popped = s.ok("JOBQ.POP queue COUNT 3");
    assert_eq!(popped.items().len(), 2);
    popped.at(0).at(0).clone().is(text("two"));
    popped.at(1).at(0).clone().is(text("one"));
    popped.at(1).at(2).clone().is(text("first"));
    popped.at(1).at(8).clone().is(text("trace"));
    s.ok("JOBQ.PUSH queue x UNIQUE k UNTIL done").at(1).clone().is(text("DUP"));
    let token = popped.at(1).at(1).int();
    s.ok(format!("JOBQ.ACK queue one {token}")).is(status("OK"));
    s.ok("JOBQ.POP queue").at(0).at(0).clone().is(text("four"));
    s.ok("JOBQ.GET other active").field("state").clone().is(text("active"));
    s.ok("JOBQ.CRON RUN other leap");
    s.ok("JOBQ.POP other").at(0).at(2).clone().is(text("payload"));
    if s.ok("EXISTS counted").int() == 1 {
        check_counts(s);
    }
    if s.ok("EXISTS charged").int() == 1 {
        check_charges(s);
    }
    s.ok("CACHE.GET item:1").is(text("value"));
    s.ok("CACHE.GET item:2").is(nil());
    s.ok("CACHE.GETSET item:3").at(0).clone().is(text("ABSENT"));
    s.ok("CACHE.POLICY GET item:").field("ttl").clone().is(text("3650d"));
    s.ok("BREAKER.ALLOW tripped").at(0).clone().is(0);
    s.ok("BREAKER.ALLOW breaker").at(0).clone().is(0);
}

/// What was added to the files later.
fn check_counts(s: &Client) {
    let names = s.ok("JOBQ.STATS counted BY name");
    let row = names.field("rows").at(0);
    row.field("name").clone().is(text("mail"));
    assert_eq!(["dead", "pushed", "failed", "died"].map(|field| row.field(field).int()), [1, 1, 1, 1]);
    let counts = |times: &str| row.field(times).items().iter().map(Reply::int).sum::<i64>();
    assert_eq!((counts("wait"), counts("run")), (1, 1));
    let kinds = s.ok("JOBQ.STATS counted BY kind");
    kinds.field("rows").at(0).field("kind").clone().is(text("http_500"));
    s.ok("JOBQ.GET counted n3").field("waits_for").clone().is(list!["n2"]);
}

/// Of encoding 9 of queues: COST, what a POP with RATE charged, and what groups have of their own.
fn check_charges(s: &Client) {
    let remaining = || s.ok("RATELIMIT.PEEK provider a=10/3650d").at(2).int();
    assert_eq!(remaining(), 7);
    let token = s.ok("JOBQ.GET charged c1").field("token").int();
    s.ok(format!("JOBQ.ACK charged c1 {token} RATE provider COST 1"));
    assert_eq!(remaining(), 9);
    let waits = s.ok("JOBQ.GET charged c2");
    waits.field("cost").clone().is(5);
    assert!(waits.field("blocked_by").text().starts_with("group rate until"), "{waits:?}");
    s.ok("JOBQ.GROUP GET charged u").field("paused").clone().is(text("pops and pushes"));
}

/// Every token that the files hold is below those that are granted now.
fn tokens_go_on(s: &Client) {
    let held = s.ok("JOBQ.GET other active").field("token").int();
    s.ok("JOBQ.PUSH fresh x");
    assert!(s.ok("JOBQ.POP fresh").at(0).at(1).int() > held);
}

#[test]
fn what_is_checked_is_what_was_written() {
    let s = server!();
    write(&s);
    tokens_go_on(&s);
    check(&s);
}

#[test]
fn files_of_every_version_load_with_everything() {
    let mut versions = 0;
    for entry in fs::read_dir(fixtures()).expect("tests/fixtures") {
        let folder = entry.expect("an entry").path();
        versions += 1;
        let read = |name: &str| fs::read(folder.join(name)).expect("a file of the fixture");
        let rdb = read("dump.rdb");
        let s = Server::on_files(&[], &[("dump.rdb", &rdb)]);
        tokens_go_on(&s);
        check(&s);

        let aof = read("commands.aof");
        let s = server_on_commands(&[], &aof);
        tokens_go_on(&s);
        check(&s);
        s.lives();
    }
    assert!(versions > 0, "there are fixtures");
}

/// Writes the fixture of this version into the folder that `WORKGATE_FIXTURE` names; `make
/// fixtures` runs it.
#[test]
#[ignore = "writes files; make fixtures runs it"]
fn write_the_fixture_of_this_version() {
    let folder =
        PathBuf::from(std::env::var_os("WORKGATE_FIXTURE").expect("WORKGATE_FIXTURE names a folder"));
    fs::create_dir_all(&folder).expect("the folder");
    let s = server!("appendonly yes", "appendfsync always");
    write(&s);
    s.ok("SAVE");
    fs::copy(s.directory().join("dump.rdb"), folder.join("dump.rdb")).expect("the RDB file");
    let aof = s.directory().join("appendonlydir/appendonly.aof.1.incr.aof");
    fs::copy(aof, folder.join("commands.aof")).expect("the AOF");
}
