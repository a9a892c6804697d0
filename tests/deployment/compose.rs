//! The server and the worker of `compose.yaml`.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Client, cmd, list};

use super::docker::{connect, own_name};
use super::setting;

/// A project of its own; taken down, volume included, when dropped.
struct Project {
    name: String,
    port: u16,
}

impl Project {
    #[track_caller]
    fn up() -> Project {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        drop(listener);
        let project = Project { name: own_name(), port };
        let output = project.compose(&["up", "--detach"]);
        assert!(output.status.success(), "up: {}", String::from_utf8_lossy(&output.stderr));
        project
    }

    fn client(&self) -> Client {
        connect(self.port)
    }

    fn compose(&self, args: &[&str]) -> Output {
        let mut command = compose_program();
        command.args(["--project-name", &self.name]).args(args);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("WORKGATE_TAG", setting("WORKGATE_TEST_TAG")).env("WORKGATE_PORT", self.port.to_string());
        command.output().expect("compose runs")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.compose(&["logs", "--no-color"]);
            eprintln!("--- log of the project\n{}", String::from_utf8_lossy(&log.stdout));
        }
        self.compose(&["down", "--volumes", "--timeout", "5"]);
    }
}

/// `docker compose` where the engine's command line has it, else `docker-compose`.
fn compose_program() -> Command {
    let has_plugin =
        Command::new("docker").args(["compose", "version"]).output().is_ok_and(|o| o.status.success());
    if has_plugin {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    } else {
        Command::new("docker-compose")
    }
}

/// The state of a job, once the worker has finished it.
#[track_caller]
fn result(client: &Client, id: &str) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let reply = client.ok(format!("JOBQ.RESULT mail {id} BLOCK 1s"));
        let parts: Vec<String> = reply.items().iter().map(|part| part.text()).collect();
        if parts.first().is_some_and(|state| state == "done" || state == "dead") {
            return parts;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the job is still {parts:?}");
    }
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn a_pushed_job_is_done_by_the_worker_s_container() {
    let project = Project::up();
    let client = project.client();
    client.ok(cmd!["JOBQ.PUSH", "mail", "Dear Ada", "ID", "welcome"]);
    assert_eq!(result(&client, "welcome"), ["done", "attempt 1 at welcome: Dear Ada\n"]);
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn jobs_are_kept_when_the_containers_are_made_anew() {
    let project = Project::up();
    project.client().ok(cmd!["JOBQ.PUSH", "other", "kept", "ID", "one"]);
    assert!(project.compose(&["down", "--timeout", "10"]).status.success());
    assert!(project.compose(&["up", "--detach"]).status.success());
    project.client().ok(cmd!["JOBQ.PUSH", "other", "kept", "ID", "one"]).is(list!["one", "DUP"]);
}
