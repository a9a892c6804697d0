//! The pods of examples/kubernetes, as containers.

use std::path::Path;
use std::process::Command;

use super::setting;

#[test]
#[ignore = "needs the images: make test-docker"]
fn the_pods_of_the_manifests_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fetched = Command::new(root.join("scripts/python-clients")).arg("kubernetes").output();
    let fetched = fetched.expect("a script of ours");
    if !fetched.status.success() {
        println!("SKIPPED: {}", String::from_utf8_lossy(&fetched.stderr));
        return;
    }
    let output = Command::new("python3")
        .arg(root.join("tests/deployment/kubernetes.py"))
        .env("PYTHONPATH", String::from_utf8(fetched.stdout).expect("a path").trim())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WORKGATE_TEST_TAG", setting("WORKGATE_TEST_TAG"))
        .output()
        .expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
