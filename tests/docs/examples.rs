//! What lies in examples/: for other systems, and a whole webhook. The tests are in Python.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::languages::{self, JAVASCRIPT, PYTHON, ROOT};
use crate::support::server;

/// Runs a test of tests/docs/python with what scripts/python-clients fetches by that name; says why
/// not where it cannot be had.
fn run(test: &str, packages: &str) {
    let script = Path::new(ROOT).join("scripts/python-clients");
    let fetched = Command::new(script).arg(packages).stdin(Stdio::null()).output().expect("a script of ours");
    if !fetched.status.success() {
        println!("SKIPPED: {}", String::from_utf8_lossy(&fetched.stderr));
        return;
    }
    let server = server!();
    let output = Command::new("python3")
        .arg(Path::new(ROOT).join("tests/docs/python").join(test))
        .env("PYTHONPATH", String::from_utf8(fetched.stdout).expect("a path").trim())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("REDIS_URL", server.url())
        .env("WORKGATE", env!("CARGO_BIN_EXE_workgate"))
        .output()
        .expect("python3");
    languages::verdict(output).unwrap_or_else(|printed| panic!("{printed}"));
}

/// On queues that BullMQ's own package has written.
#[test]
fn a_queue_of_bullmq_moves_with_all_that_its_jobs_have() {
    run("test_drain_bullmq.py", "bullmq");
}

/// By the schemas of Kubernetes, by each other, and by the programs that they start.
#[test]
fn the_manifests_for_kubernetes_are_what_the_programs_need() {
    run("test_kubernetes.py", "kubernetes");
}

/// Starts a web server and a worker by a command, and asks them over HTTP.
fn drive_webhook(command: &[&str], environment: Vec<(&'static str, String)>) {
    let Some(driver) = languages::environment(&PYTHON) else { return };
    let server = server!();
    let output = Command::new("python3")
        .arg("tests/docs/python/test_chat_webhook.py")
        .args(command)
        .current_dir(ROOT)
        .envs(driver)
        .envs(environment)
        .env("REDIS_URL", server.url())
        .stdin(Stdio::null())
        .output()
        .expect("python3");
    languages::verdict(output).unwrap_or_else(|printed| panic!("{printed}"));
}

#[test]
fn the_webhook_in_python_is_answered_once_and_within_its_quota() {
    drive_webhook(&["python3", "examples/python/chat_webhook.py"], vec![]);
}

#[test]
fn the_webhook_in_node_is_answered_once_and_within_its_quota() {
    let Some(environment) = languages::environment(&JAVASCRIPT) else { return };
    let root = Path::new(ROOT);
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let helper = root.join("docs/guides/workgate.mjs");
    std::fs::copy(helper, folder.path().join("workgate.mjs")).expect("the helper");
    let example = std::fs::read_to_string(root.join("examples/node/chat-webhook.mjs")).expect("the example");
    let copy = folder.path().join("chat-webhook.mjs");
    std::fs::write(&copy, languages::require_from_node_path(example)).expect("the example");
    drive_webhook(&["node", &copy.display().to_string()], environment);
}

/// A whole back end in 60 lines: what the page says of the two.
#[test]
fn the_webhooks_have_at_most_sixty_lines() {
    for example in ["examples/python/chat_webhook.py", "examples/node/chat-webhook.mjs"] {
        let lines =
            std::fs::read_to_string(Path::new(ROOT).join(example)).expect("the example").lines().count();
        assert!(lines <= 60, "{example} has {lines} lines");
    }
}
