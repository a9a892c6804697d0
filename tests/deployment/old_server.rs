//! A server whose module API is too old.

use std::fs::{File, read_to_string};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{eventually, module};

use super::setting;

#[test]
#[ignore = "needs a Redis 6.2: make test-matrix"]
fn redis_6_2_refuses_the_module_and_says_what_is_needed() {
    let folder = TempDir::new().expect("a temporary directory");
    let log = folder.path().join("log");
    let mut server = Command::new(setting("WORKGATE_OLD_SERVER"))
        .args(["--port", "0", "--unixsocket"])
        .arg(folder.path().join("socket"))
        .arg("--dir")
        .arg(folder.path())
        .arg("--loadmodule")
        .arg(module())
        .stdin(Stdio::null())
        .stdout(File::create(&log).expect("a log"))
        .spawn()
        .expect("the server starts");
    let mut ended = None;
    eventually("the server gives up", || {
        ended = server.try_wait().expect("a child");
        ended.is_some()
    });
    let log = read_to_string(&log).expect("the log is read");
    assert!(!ended.expect("it has ended").success(), "the server went on:\n{log}");
    let message =
        "<workgate> workgate: needs Redis 7.0 or newer, or Valkey 8.0 or newer; this server is version 6.2.";
    assert!(log.contains(message), "the log does not say it:\n{log}");
}
