//! MOVE, COPY and RENAME of queues and of other keys, while there is a queue: the client stays in
//! its database, replica and append-only file follow, and a queue is known under its new name.

use crate::support::{Client, Server, Snapshot, cmd, eventually, figure, list, server, status};

/// The databases that `CLIENT INFO` shows.
fn db_of(client: &Client) -> String {
    let info = client.ok("CLIENT INFO").text();
    info.split(' ').find_map(|field| field.strip_prefix("db=")).expect("a database").to_owned()
}

/// Moves and copies in every way; after each, writes where the client must still be.
fn move_around(client: &Client) {
    client.ok("JOBQ.PUSH q p ID one");
    let written = |key: &str| {
        assert_eq!(db_of(client), "0", "{key}");
        client.ok(format!("SET {key} x"));
    };
    client.ok("SET a 1");
    client.ok("MOVE a 3").is(1);
    written("after:move");
    client.ok("SET b 1");
    client.ok("COPY b c DB 2").is(1);
    written("after:copy");
    client.transaction([
        "SET d 1",
        "MOVE d 3",
        "SET after:multi x",
        "COPY b e DB 4",
        "SET after:multi:copy x",
    ]);
    written("after:exec");
    let script =
        "redis.call('SET', 'f', 1) redis.call('MOVE', 'f', 3) return redis.call('SET', 'after:script', 'x')";
    client.ok(cmd!["EVAL", script, 0]);
    written("after:eval");
    client.ok("COPY q q DB 5").is(1);
    client.ok("MOVE q 6").is(1);
    client.ok("JOBQ.PUSH r p ID two");
    client.ok("RENAME r renamed");
    written("after:queues");
    client.ok("DBSIZE").is(10);
}

#[test]
fn a_client_that_moves_or_copies_stays_in_its_database_and_others_follow() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    move_around(&s);
    s.in_step_with(&r);
    let before = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), before);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s).keys(), before.keys());
    figure(format!(
        "{} keys moved and copied between 7 databases: client, replica and file are where they should be",
        before.len()
    ));
}

fn queues(s: &Server, db: i32) -> Vec<String> {
    s.transaction([format!("SELECT {db}"), "JOBQ.QUEUES".to_owned(), "SELECT 0".to_owned()])[1]
        .at(1)
        .items()
        .iter()
        .map(|name| name.text())
        .collect()
}

#[test]
fn a_queue_that_was_moved_or_renamed_is_known_where_it_is_now() {
    let s = server!();
    let r = s.replica(&[]);
    move_around(&s);
    // Others that the search for moved queues passes by.
    s.pipeline((0..3_000).map(|key| format!("SET other:{key} x")));
    s.in_step_with(&r);
    for server in [&s, &r] {
        for (db, name) in [(0, "renamed"), (5, "q"), (6, "q")] {
            eventually("the queue is known", || queues(server, db) == [name]);
        }
    }
}

#[test]
fn a_schedule_of_a_moved_queue_makes_its_runs_there() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "often", "@every 1s", "p"]).is(status("OK"));
    s.ok("MOVE q 2").is(1);
    s.ok("SELECT 2");
    s.ok("RENAME q there");
    // Nobody asks the queue, so only the timer makes the run.
    eventually("a run is made", || s.ok("JOBQ.STATS there").field("pushed").int() > 0);
    s.ok("JOBQ.POP q").is(list![]);
}
