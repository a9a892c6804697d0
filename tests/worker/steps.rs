//! A job of many steps, which an interrupted run leaves to the next one.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::chance::Chance;
use crate::handlers::{has, python};
use crate::process::Worker;
use crate::support::{DEADLINE, Server, eventually, server};

const STEPS: usize = 10_000;

/// Each step is a line in a file, and is saved at the server before the next.
const STEPPER: &str = r#"
import os

@job()
def handle(job):
    steps = os.open(job.payload, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for step in range(int(job.progress or 0) + 1, 10001):
        if job.cancelled:
            raise Release()
        os.write(steps, b'%d\n' % step)
        job.save(str(step))
    os.close(steps)
"#;

fn worker(s: &Server, handler: &str) -> Worker {
    let flags =
        ["--queue", "q", "--stdio", handler, "--concurrency", "1", "--lease", "300ms", "--grace", "0s"];
    Worker::run(&s.url(), &flags)
}

fn steps(file: &Path) -> Vec<usize> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.parse().expect("a step")).collect()
}

#[test]
fn a_killed_run_costs_one_step_at_most_and_a_term_costs_nothing() {
    if !has("python3") {
        return;
    }
    let (s, folder) = (server!(), TempDir::new().unwrap());
    let mut chance = Chance::new();
    let file = folder.path().join("steps");
    s.ok("JOBQ.CONFIG SET q retries 1000 backoff fixed:10ms stall_max 1000");
    s.ok(crate::support::cmd!["JOBQ.PUSH", "q", file.display().to_string(), "ID", "job"]);
    let handler = python(&folder, STEPPER);
    let mut w = worker(&s, &handler);
    let (mut handlers, mut workers, mut terms) = (0, 0, 0);
    let begun = std::time::Instant::now();
    let is_done = || s.ok("JOBQ.STATS q").field("done").int() == 1;
    for turn in 0.. {
        // Only a run that goes on is interrupted.
        let before = steps(&file).len();
        eventually("it goes on", || is_done() || steps(&file).len() > before);
        chance.pause(100, 500);
        // Three of each kind; what is left of the steps runs without.
        if is_done() || turn == 9 {
            break;
        }
        match turn % 3 {
            0 => {
                w.kill_a_handler(&mut chance);
                handlers += 1;
            }
            1 => {
                w.signal(Signal::TERM);
                assert_eq!(w.status(), Some(0), "{}", w.log());
                w = worker(&s, &handler);
                terms += 1;
            }
            _ => {
                w.signal(Signal::KILL);
                w = worker(&s, &handler);
                workers += 1;
            }
        }
    }
    while !is_done() {
        assert!(begun.elapsed() < 3 * DEADLINE, "it ends: {} steps\n{}", steps(&file).len(), w.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    steps(&file).into_iter().for_each(|step| *times.entry(step).or_default() += 1);
    assert_eq!(times.len(), STEPS, "every step was done");
    let repeated: usize = times.values().map(|times| times - 1).sum();
    let kills = handlers + workers;
    assert!(repeated <= kills, "{repeated} steps were repeated by {kills} kills and {terms} terms");
    let job = s.ok("JOBQ.GET q job");
    let attempt = job.field("attempt").int();
    assert_eq!(attempt, 1 + handlers as i64, "only a handler's death is charged: {job:?}");
    assert!(job.field("stalls").int() <= workers as i64, "{job:?}");
    drop(w);
}
