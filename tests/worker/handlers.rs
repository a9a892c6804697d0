//! Handlers in several languages, run by the worker beside a real server.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::Worker;
use crate::support::{Client, eventually, server};

fn example(path: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(path).display().to_string()
}

pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no {program} here");
        return false;
    }
    true
}

/// The example handler sends one mail, refuses one, and gives one back uncharged.
fn handles_mails(flags: &[&str]) {
    let s = server!();
    s.ok(r#"JOBQ.PUSH mails {"to":"ada"} ID good NAME mail"#);
    s.ok(r#"JOBQ.PUSH mails {"cc":"ada"} ID bad NAME mail"#);
    s.ok(r#"JOBQ.PUSH mails {"to":"bob","throttled":true} ID throttled NAME mail"#);
    let mut all = vec!["--queue", "mails"];
    all.extend(flags);
    let w = Worker::run(&s.url(), &all);
    let counts = |state| s.ok("JOBQ.STATS mails").field(state).int();
    eventually("each has ended", || (counts("done"), counts("dead"), counts("delayed")) == (1, 1, 1));
    s.ok("JOBQ.RESULT mails good").at(1).clone().is("sent to ada");
    let bad = s.ok("JOBQ.GET mails bad");
    assert!(bad.field("error").text().contains("no address"), "{bad:?}");
    bad.field("kind").clone().is("payload");
    let throttled = s.ok("JOBQ.GET mails throttled");
    assert_eq!(throttled.field("attempt").int(), 1, "not charged");
    let wait = throttled.field("due_ms").int() - s.now();
    assert!((3_000..=6_000).contains(&wait), "6 s are 6 s: {wait} ms left");
    drop(w);
}

#[test]
fn a_shell_handler_says_on_descriptor_3_how_a_job_ended() {
    handles_mails(&["--exec", &example("shell/mails.sh")]);
}

#[test]
fn a_python_handler_is_one_file_with_a_decorator() {
    if has("python3") {
        handles_mails(&["--stdio", &format!("python3 {}", example("python/mails.py"))]);
        handles_mails(&["--stdio", &format!("python3 {}", example("python/mails.py")), "--batch", "10"]);
    }
}

#[test]
fn a_node_handler_is_one_file() {
    if has("node") {
        handles_mails(&["--stdio", &format!("node {}", example("node/mails.mjs"))]);
    }
}

#[test]
fn a_php_handler_speaks_the_protocol() {
    if has("php") {
        handles_mails(&["--stdio", &format!("php {}", example("php/mails.php"))]);
    }
}

#[test]
fn a_go_handler_speaks_the_protocol() {
    if Command::new("go").arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        handles_mails(&["--stdio", &format!("go run {}", example("go/mails.go"))]);
    } else {
        eprintln!("skipped: no go here");
    }
}

/// A handler of Python lines, in a file of its own.
pub fn python(folder: &tempfile::TempDir, body: &str) -> String {
    let file = folder.path().join("handler.py");
    let head =
        format!("import sys\nsys.path.insert(0, {:?})\nfrom workgate_handler import *\n", example("python"));
    std::fs::write(&file, format!("{head}{body}\nrun()\n")).expect("a file");
    format!("python3 {}", file.display())
}

fn push(s: &Client, count: usize) {
    s.pipeline((0..count).map(|id| format!("JOBQ.PUSH q p{id} ID {id} RETRIES 3 BACKOFF fixed:50ms")));
}

#[test]
fn a_child_that_dies_fails_its_own_jobs_and_is_started_again() {
    if !has("python3") {
        return;
    }
    let (s, folder) = (server!(), tempfile::TempDir::new().unwrap());
    push(&s, 20);
    let handler = python(
        &folder,
        "@job()\ndef handle(job):\n    if job.id == '7' and job.attempt == 1:\n        print('no way', file=sys.stderr, flush=True)\n        import os; os._exit(3)\n    return 'ran'",
    );
    let mut w =
        Worker::run(&s.url(), &["--queue", "q", "--stdio", &handler, "--concurrency", "2", "--until-empty"]);
    assert!(w.ends(), "{}", w.log());
    let counts = s.ok("JOBQ.STATS q");
    assert_eq!((counts.field("done").int(), counts.field("retried").int()), (20, 1));
    assert!(w.log().contains("handler ended, exit 3: no way"), "{}", w.log());
}

#[test]
fn progress_is_kept_and_a_log_is_written_before_the_job_ends() {
    if !has("python3") {
        return;
    }
    let (s, folder) = (server!(), tempfile::TempDir::new().unwrap());
    push(&s, 1);
    let handler = python(
        &folder,
        "@job()\ndef handle(job):\n    job.save(b'\\xff step 1')\n    job.log('half')\n    job.extend('10m')\n    return b'\\x00\\xff'",
    );
    let mut w = Worker::run(&s.url(), &["--queue", "q", "--stdio", &handler, "--until-empty"]);
    assert!(w.ends(), "{}", w.log());
    let job = s.ok("JOBQ.GET q 0");
    job.field("progress").clone().is(&b"\xff step 1"[..]);
    assert!(format!("{:?}", job.field("log")).contains("half"), "{job:?}");
    s.ok("JOBQ.RESULT q 0").at(1).clone().is(&b"\0\xff"[..]);
}

#[test]
fn a_cancel_reaches_a_handler_within_a_second_whatever_the_lease() {
    if !has("python3") {
        return;
    }
    let (s, folder) = (server!(), tempfile::TempDir::new().unwrap());
    push(&s, 1);
    let handler = python(
        &folder,
        "import time\n@job()\ndef handle(job):\n    job.log('begun')\n    while not job.cancelled:\n        time.sleep(0.01)\n    raise Dead('stopped: ' + job.cancelled)",
    );
    let w = Worker::run(&s.url(), &["--queue", "q", "--stdio", &handler, "--lease", "1h"]);
    eventually("it runs", || format!("{:?}", s.ok("JOBQ.GET q 0").field("log")).contains("begun"));
    s.ok("JOBQ.CANCEL q 0");
    let begun = std::time::Instant::now();
    eventually("it is gone", || s.ok("JOBQ.STATS q").field("active").int() == 0);
    // A second, and what a busy machine takes.
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}\n{}", begun.elapsed(), w.log());
}

#[test]
fn what_is_no_message_fails_the_job_and_names_the_fault() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID 0 RETRIES 0");
    let handler = r#"echo '{"type":"ready","protocol":1}'; read hello; read job; echo nonsense; sleep 60"#;
    let mut w =
        Worker::run(&s.url(), &["--queue", "q", "--stdio", handler, "--concurrency", "1", "--until-empty"]);
    assert!(w.ends(), "{}", w.log());
    let error = s.ok("JOBQ.GET q 0").field("error").text();
    assert!(error.contains("no message") && error.contains("nonsense"), "{error}");
    s.ok("JOBQ.STATS q").field("dead").clone().is(1);
}
