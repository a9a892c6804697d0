//! `/healthz` and `/readyz`.

use crate::program::Served;
use crate::support::{eventually, server};

#[test]
fn serve_is_ready_while_its_server_answers() {
    let mut s = server!();
    let served = Served::start(&s.url(), &[]);
    assert_eq!((served.get("/healthz").status, served.get("/readyz").status), (200, 200));
    s.kill();
    eventually("it is not ready", || served.get("/readyz").status == 503);
    assert!(served.get("/readyz").body.contains("the server does not answer"));
    assert_eq!(served.get("/healthz").status, 200);
    assert!(served.get("/metrics").body.contains("\nworkgate_up 0.0\n"));
    s.revive();
    eventually("it is ready again", || served.get("/readyz").status == 200);
    assert!(served.get("/metrics").body.contains("\nworkgate_up 1.0\n"));
}

#[test]
fn serve_may_start_before_its_server_and_ends_when_told() {
    let mut s = server!();
    s.kill();
    let mut served = Served::start(&s.url(), &[]);
    assert_eq!((served.get("/healthz").status, served.get("/readyz").status), (200, 503));
    s.revive();
    eventually("it is ready", || served.get("/readyz").status == 200);
    served.terminate();
    assert_eq!(served.status(), Some(0));
}

#[test]
fn a_worker_that_stops_is_not_ready_and_lives() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let folder = tempfile::TempDir::new().unwrap();
    let go = folder.path().join("go");
    let handler = format!("until test -e {}; do sleep 0.02; done", go.display());
    let url = s.url();
    let words =
        ["work", "--redis", &url, "--queue", "q", "--listen", "127.0.0.1:0", "--exec", handler.as_str()];
    let mut worker = Served::run(&words);
    eventually("the job runs", || s.ok("JOBQ.STATS q").field("active").int() == 1);
    eventually("it is ready", || worker.get("/readyz").status == 200);
    worker.terminate();
    eventually("it is not ready", || worker.get("/readyz").status == 503);
    assert!(worker.get("/readyz").body.contains("takes no more jobs"));
    assert_eq!(worker.get("/healthz").status, 200);
    std::fs::write(&go, "").unwrap();
    assert_eq!(worker.status(), Some(0));
}

/// `workgate health` with these flags: its exit status, and what it prints.
fn health(flags: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_workgate"))
        .arg("health")
        .args(flags)
        .output()
        .expect("workgate starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn health_asks_what_a_container_s_check_asks() {
    let mut s = server!();
    let served = Served::start(&s.url(), &["--basic-auth", "ada:secret"]);
    let port = served.port.to_string();
    assert_eq!(health(&["--at", &port]), (Some(0), "ok\n".into()));
    assert_eq!(health(&["--at", &port, "--ready"]), (Some(0), "ready\n".into()));
    s.kill();
    eventually("it is not ready", || health(&["--at", &port, "--ready"]).0 == Some(1));
    assert!(health(&["--at", &port, "--ready"]).1.contains("the server does not answer"));
    assert_eq!(health(&["--at", &port]).0, Some(0));
    drop(served);
    let (status, said) = health(&["--at", &port]);
    assert!(status == Some(1) && said.contains(&format!("127.0.0.1:{port}/healthz")), "{said}");
}
