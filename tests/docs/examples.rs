//! What lies in examples/ for other systems: tests in Python, with packages of PyPI.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::languages::{self, ROOT};
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
