//! `workgate push`, `stats`, `dead` and `top`, as an operator types them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Cluster, eventually, server};

/// Runs `workgate WORDS` with this input.
fn workgate(url: &str, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_workgate"))
        .args(words)
        .args(["--redis", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("workgate starts");
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn answer(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_push_may_run_twice_and_tells_what_it_rejects() {
    let s = server!();
    let folder = tempfile::TempDir::new().unwrap();
    let rejected = folder.path().join("rejected");
    let lines = "{\"id\":\"a\",\"n\":1}\n\n{\"id\":2}\nnot json\n{\"n\":3}\n";
    let words = [
        "push",
        "--queue",
        "q",
        "--id-field",
        "id",
        "--name",
        "row",
        "--json",
        "--rejected",
        rejected.to_str().unwrap(),
    ];
    let first = workgate(&s.url(), &words, lines);
    assert_eq!(answer(&first), json!({"lines": 4, "pushed": 2, "known": 0, "rejected": 2}));
    assert_eq!(first.status.code(), Some(1));
    let told = String::from_utf8_lossy(&first.stderr);
    assert!(
        told.contains("line 3 is rejected: no JSON") && told.contains("line 4 is rejected: 'id'"),
        "{told}"
    );
    assert_eq!(std::fs::read_to_string(&rejected).unwrap(), "not json\n{\"n\":3}\n");
    let again = workgate(&s.url(), &words, lines);
    assert_eq!(answer(&again), json!({"lines": 4, "pushed": 0, "known": 2, "rejected": 2}));
    let job = s.ok("JOBQ.GET q a");
    job.field("payload").clone().is("{\"id\":\"a\",\"n\":1}");
    job.field("name").clone().is("row");
}

#[test]
fn many_lines_are_pushed_from_a_file_in_their_order() {
    let s = server!();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("rows.ndjson");
    std::fs::write(&file, (0..2_000).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>()).unwrap();
    let output = workgate(&s.url(), &["push", "--queue", "q", "--json", file.to_str().unwrap()], "");
    assert_eq!(answer(&output)["pushed"], 2_000);
    assert_eq!(output.status.code(), Some(0));
    let jobs = s.ok("JOBQ.POP q COUNT 1000");
    jobs.at(0).at(2).clone().is("{\"n\":0}");
    jobs.at(999).at(2).clone().is("{\"n\":999}");
}

#[test]
fn stats_shows_all_queues_or_those_that_are_named() {
    let s = server!();
    s.ok("JOBQ.PUSH mails a");
    s.ok("JOBQ.PUSH reports a DELAY 1h");
    let all = answer(&workgate(&s.url(), &["stats", "--json"], ""));
    let rows = all.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let row = |queue: &str| rows.iter().find(|row| row["queue"] == queue).unwrap().clone();
    assert_eq!((&row("mails")["ready"], &row("reports")["delayed"]), (&json!(1), &json!(1)));
    let text = workgate(&s.url(), &["stats", "--queue", "mails"], "").stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.lines().nth(1).is_some_and(|row| row.starts_with("mails")) && !text.contains("reports"),
        "{text}"
    );
}

#[test]
fn stats_of_a_cluster_shows_the_queues_of_every_primary() {
    let cluster = Cluster::start();
    for key in ["q:{0}", "q:{1}", "q:{2}", "q:{3}"] {
        cluster.owner(key).ok(format!("JOBQ.PUSH {key} p"));
    }
    let all = answer(&workgate(&cluster.nodes[0].url(), &["stats", "--json"], ""));
    let queues: Vec<&str> =
        all.as_array().unwrap().iter().map(|row| row["queue"].as_str().unwrap()).collect();
    assert_eq!(queues, ["q:{0}", "q:{1}", "q:{2}", "q:{3}"]);
    assert_eq!(all[3]["ready"], 1);
}

#[test]
fn dead_jobs_are_listed_grouped_and_run_again() {
    let s = server!();
    for (id, error) in [("a", "exit 3: no route"), ("b", "exit 3: no name"), ("c", "timeout after 5s")] {
        s.ok(format!("JOBQ.PUSH q p ID {id}"));
        let token = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(crate::support::cmd!["JOBQ.FAIL", "q", id, format!("{token}"), "ERROR", error, "DEAD"]);
    }
    let ask =
        |words: &[&str]| answer(&workgate(&s.url(), &[words, &["--queue", "q", "--json"]].concat(), ""));
    let ids: Vec<String> = ask(&["dead", "list"])
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(
        ask(&["dead", "group"]),
        json!([{"kind": "exit 3", "jobs": 2}, {"kind": "timeout after 5s", "jobs": 1}])
    );
    assert_eq!(ask(&["dead", "redrive", "--id", "c"]), json!({"moved": 1, "left": 2}));
    assert_eq!(
        ask(&["dead", "redrive", "--limit", "1", "--error", "exit 3*"]),
        json!({"moved": 1, "left": 1})
    );
    s.ok("JOBQ.STATS q").field("ready").clone().is(2);
    s.ok("JOBQ.PUSH q p ID d PRIORITY -1");
    let token = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.FAIL q d {token} ERROR refused KIND net DEAD"));
    assert_eq!(ask(&["dead", "group"])[1], json!({"kind": "net", "jobs": 1}));
    assert_eq!(ask(&["dead", "redrive", "--kind", "net"])["moved"], 1);
}

#[test]
fn a_server_that_is_away_ends_them_with_a_word() {
    let output = workgate("redis://127.0.0.1:1", &["stats"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("127.0.0.1:1"), "{output:?}");
}

#[test]
fn top_prints_queues_once_as_a_table_or_as_json() {
    let s = server!();
    s.ok("JOBQ.PUSH mails p");
    s.ok("JOBQ.PUSH reports p DELAY 1h");
    s.ok("JOBQ.PAUSE reports");
    let table = workgate(&s.url(), &["top", "--once"], "");
    assert_eq!(table.status.code(), Some(0), "{table:?}");
    let text = String::from_utf8_lossy(&table.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("queue") && lines.len() == 3, "{text}");
    let json = answer(&workgate(&s.url(), &["top", "--once", "--json"], ""));
    let mut queues = json["queues"].as_array().expect("queues").clone();
    queues.sort_by_key(|queue| queue["queue"].as_str().map(str::to_owned));
    assert_eq!((&queues[0]["queue"], &queues[0]["ready"]), (&"mails".into(), &1.into()));
    assert_eq!((&queues[1]["delayed"], &queues[1]["paused"]), (&1.into(), &true.into()));
    let told = workgate(&s.url(), &["top"], "");
    assert_eq!(told.status.code(), Some(2), "there is no terminal");
}

#[test]
fn top_draws_on_a_terminal_and_obeys_keys() {
    let s = server!();
    for queue in ["mails", "reports"] {
        s.ok(format!("JOBQ.PUSH {queue} p ID {queue}-1"));
        s.ok(format!("JOBQ.POP {queue} WORKER web:{queue}"));
    }
    // A terminal of this size around the program.
    let command = format!(
        "stty cols 120 rows 30; exec {} top --redis {} --every 100ms",
        env!("CARGO_BIN_EXE_workgate"),
        s.url()
    );
    let mut script = std::process::Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("script runs");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let (mut out, told) = (script.stdout.take().expect("output"), seen.clone());
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = std::io::Read::read(&mut out, &mut chunk) {
            told.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
    });
    let shows = |text: &str| seen.lock().unwrap().contains(text);
    let mut keys = script.stdin.take().expect("input");
    let mut press = |key: &str| std::io::Write::write_all(&mut keys, key.as_bytes()).expect("it is typed");
    eventually("it draws what is busy in the first queue", || shows("web:mails"));
    press("j");
    eventually("it draws what is busy in the second", || shows("reports-1"));
    press("s");
    eventually("it sorts otherwise", || shows("depth"));
    press("q");
    eventually("it ends", || script.try_wait().expect("a child").is_some());
    assert_eq!(script.wait().expect("it has").code(), Some(0));
    // The terminal is as it was: the other screen is left again.
    assert!(shows("\u{1b}[?1049h") && shows("\u{1b}[?1049l"));
}
