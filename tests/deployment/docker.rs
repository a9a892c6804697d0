//! The container engine's command line.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Client, eventually};

use super::setting;

/// The image of this name that is under test.
pub fn image(name: &str) -> String {
    format!("workgate/{name}:{}", setting("WORKGATE_TEST_TAG"))
}

/// What `docker` prints to standard output; it must succeed.
#[track_caller]
pub fn docker(args: &[&str]) -> String {
    let output = try_docker(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {args:?}: {errors}");
    String::from_utf8(output.stdout).expect("docker prints text").trim().to_owned()
}

pub fn try_docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("docker runs")
}

/// A name for something that this test makes and no other does.
pub fn own_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    format!("workgate-test-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

/// A running container; removed when dropped.
pub struct Container {
    name: String,
}

impl Container {
    /// Starts a container of the server's image with a port of its own on the loopback interface.
    #[track_caller]
    pub fn server(options: &[&str], arguments: &[&str]) -> Container {
        let name = own_name();
        let image = image("server");
        let mut all = vec!["run", "--detach", "--name", &name, "--publish", "127.0.0.1:0:6379"];
        all.extend(options);
        all.push(&image);
        all.extend(arguments);
        docker(&all);
        Container { name }
    }

    /// What `command` prints inside.
    #[track_caller]
    pub fn exec(&self, command: &[&str]) -> String {
        let mut all = vec!["exec", &self.name];
        all.extend(command);
        docker(&all)
    }

    /// A field of `docker inspect`, as a Go template.
    #[track_caller]
    pub fn field(&self, template: &str) -> String {
        docker(&["inspect", "--format", template, &self.name])
    }

    /// A connection to the server in the container, once it answers.
    #[track_caller]
    pub fn client(&self) -> Client {
        let published = docker(&["port", &self.name, "6379/tcp"]);
        let port = published.lines().next().and_then(|line| line.rsplit(':').next()?.parse().ok());
        connect(port.unwrap_or_else(|| panic!("no port in '{published}'")))
    }

    /// `docker stop`: SIGTERM, and SIGKILL ten seconds later. The exit status.
    #[track_caller]
    pub fn stop(&self) -> String {
        docker(&["stop", &self.name]);
        self.field("{{.State.ExitCode}}")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = try_docker(&["logs", &self.name]);
            eprintln!("--- log of {}\n{}", self.name, String::from_utf8_lossy(&log.stdout));
        }
        try_docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

/// A connection to the server behind a published port. The engine takes connections to it before
/// the server does.
#[track_caller]
pub fn connect(port: u16) -> Client {
    let mut connected = None;
    eventually("the server in the container answers", || {
        connected = Client::connect(port)
            .ok()
            .filter(|client| client.try_call("PING").is_ok_and(|reply| !reply.is_error()));
        connected.is_some()
    });
    connected.expect("it has answered")
}
