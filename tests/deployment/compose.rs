//! The server and the worker of `compose.yaml`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Client, cmd, eventually, list};

use super::docker::{connect, docker, own_name};
use super::setting;

/// A project of its own; taken down, volume included, when dropped.
struct Project {
    name: String,
    port: u16,
    dashboard: u16,
}

impl Project {
    #[track_caller]
    fn up() -> Project {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a loopback port"));
        let [port, dashboard] =
            listeners.map(|listener| listener.local_addr().expect("a bound listener has an address").port());
        let project = Project { name: own_name(), port, dashboard };
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
        command.env("WORKGATE_DASHBOARD_PORT", self.dashboard.to_string());
        command.env("WORKGATE_DASHBOARD_AUTH", "ada:secret");
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

/// The answer of the dashboard to a request for its first page, with these headers.
fn dashboard(port: u16, headers: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    let request = format!("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}\r\n");
    let mut answer = String::new();
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
    answer
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_dashboard_shows_the_queue_to_whoever_has_the_password() {
    let project = Project::up();
    let client = project.client();
    client.ok(cmd!["JOBQ.PUSH", "mail", "Dear Ada", "ID", "welcome"]);
    result(&client, "welcome");
    // ada:secret
    let password = "authorization: Basic YWRhOnNlY3JldA==\r\n";
    eventually("it shows the queue", || dashboard(project.dashboard, password).contains("/queue/mail"));
    assert!(dashboard(project.dashboard, "").starts_with("HTTP/1.1 401"));
    let label = format!("label=com.docker.compose.project={}", project.name);
    let healthy =
        || docker(&["ps", "--quiet", "--filter", &label, "--filter", "health=healthy"]).lines().count();
    eventually("server, worker and dashboard are healthy", || healthy() == 3);
}
