//! The image `workgate/worker`.

use super::docker::{docker, image};

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_worker_says_its_version() {
    let printed = docker(&["run", "--rm", &image("worker"), "--version"]);
    assert_eq!(printed, format!("workgate {}", env!("CARGO_PKG_VERSION")));
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_worker_is_not_root() {
    let printed = docker(&["run", "--rm", "--entrypoint", "id", &image("worker"), "-u"]);
    assert_eq!(printed, "65532");
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_worker_has_no_server_and_no_module_beside_it() {
    let command = "command -v redis-server valkey-server redis-cli; find / -xdev -name '*workgate*' -not -path '/proc/*'";
    let printed =
        docker(&["run", "--rm", "--user", "0", "--entrypoint", "sh", &image("worker"), "-c", command]);
    let mut found: Vec<&str> = printed.lines().collect();
    found.sort_unstable();
    assert_eq!(found, ["/usr/local/bin/workgate", "/usr/share/doc/workgate"]);
}

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_image_asks_the_worker_for_its_health() {
    let check = docker(&["inspect", "--format", "{{json .Config.Healthcheck.Test}}", &image("worker")]);
    assert_eq!(check, r#"["CMD","workgate","health"]"#);
}
