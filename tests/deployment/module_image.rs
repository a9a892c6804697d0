//! The image `workgate/module`.

use std::process::{Command, Stdio};

use super::docker::{docker, image, try_docker};

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_module_s_image_holds_the_module_and_the_licences_alone() {
    // The image has no program, so that the container is made but never started.
    let container = docker(&["create", &image("module"), "none"]);
    let files = files_of(&container);
    try_docker(&["rm", &container]);
    assert_eq!(files, ["LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY", "libworkgate.so"]);
}

/// The files of a container, but for those that the engine itself lays.
fn files_of(container: &str) -> Vec<String> {
    let mut export = Command::new("docker")
        .args(["export", container])
        .stdout(Stdio::piped())
        .spawn()
        .expect("docker runs");
    let archive = export.stdout.take().expect("its output is a pipe");
    let listed =
        Command::new("tar").args(["--list", "--file", "-"]).stdin(archive).output().expect("tar runs");
    assert!(export.wait().expect("docker export ends").success());
    let listed = String::from_utf8(listed.stdout).expect("names are text");
    let by_engine = |name: &&str| {
        name.ends_with('/') || [".dockerenv", "dev/", "etc/"].iter().any(|laid| name.starts_with(laid))
    };
    let mut files: Vec<String> = listed.lines().filter(|name| !by_engine(name)).map(str::to_owned).collect();
    files.sort_unstable();
    files
}
