//! The image `workgate/server`.

use crate::support::{eventually, list};

use super::docker::{Container, docker, image, own_name, try_docker};

/// A named volume; removed when dropped.
struct Volume(String);

impl Volume {
    fn new() -> Volume {
        Volume(docker(&["volume", "create", &own_name()]))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        try_docker(&["volume", "rm", "--force", &self.0]);
    }
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn a_container_without_options_serves_the_commands_of_the_module() {
    let container = Container::server(&[], &[]);
    let client = container.client();
    client.ok("JOBQ.PUSH mail hello ID one").is(list!["one", "NEW"]);
    client.ok("RATELIMIT.CHECK user 10/1m");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn a_container_becomes_healthy() {
    let container = Container::server(&[], &[]);
    eventually("the container is healthy", || container.field("{{.State.Health.Status}}") == "healthy");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn a_server_that_asks_for_a_password_is_healthy_too() {
    let container = Container::server(&[], &["--requirepass", "secret"]);
    eventually("the container is healthy", || container.field("{{.State.Health.Status}}") == "healthy");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_server_is_the_first_process_and_not_root() {
    let container = Container::server(&[], &[]);
    container.client();
    assert_eq!(container.exec(&["stat", "--format", "%u", "/proc/1"]), "999");
    let process = container.exec(&["cat", "/proc/1/comm"]);
    assert!(process.ends_with("-server"), "the first process is {process}");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn options_of_the_command_line_reach_the_server() {
    let container = Container::server(&[], &["--maxmemory", "100mb", "--workgate.policy-file", ""]);
    let client = container.client();
    client.ok("CONFIG GET maxmemory").field("maxmemory").clone().is("104857600");
    client.ok("JOBQ.QUEUES");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn a_configuration_file_reaches_the_server() {
    let folder = tempfile::TempDir::new().expect("a temporary directory");
    let file = folder.path().join("server.conf");
    std::fs::write(&file, "maxmemory 200mb\nprotected-mode no\n").expect("the file is written");
    open_to_all(folder.path());
    let mount = format!("{}:/conf:ro", folder.path().display());
    let container = Container::server(&["--volume", &mount], &["/conf/server.conf"]);
    let client = container.client();
    client.ok("CONFIG GET maxmemory").field("maxmemory").clone().is("209715200");
    client.ok("JOBQ.QUEUES");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn another_command_is_run_as_it_is() {
    let printed = docker(&["run", "--rm", &image("server"), "sh", "-c", "echo own command"]);
    assert_eq!(printed, "own command");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn a_job_outlives_its_container_in_the_volume() {
    let volume = Volume::new();
    let mount = format!("{}:/data", volume.0);
    let append_only = &["--appendonly", "yes"];
    let first = Container::server(&["--volume", &mount], append_only);
    first.client().ok("JOBQ.PUSH mail hello ID one");
    assert_eq!(first.stop(), "0", "the server was ended by SIGTERM");
    drop(first);
    let second = Container::server(&["--volume", &mount], append_only);
    second.client().ok("JOBQ.PUSH mail hello ID one").is(list!["one", "DUP"]);
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn every_image_says_its_version() {
    for name in ["server", "worker", "module"] {
        let template = r#"{{index .Config.Labels "org.opencontainers.image.version"}}"#;
        let version = docker(&["image", "inspect", "--format", template, &image(name)]);
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "the image {name}");
    }
}

/// Lets the user of the container read what a test has put into its own folder.
fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .expect("the folder is the test's own");
}
