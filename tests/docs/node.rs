//! JavaScript that the guides offer, run where a Node with node-redis can be had.

use std::path::Path;
use std::process::Command;

use crate::support::server;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// NODE_PATH with node-redis; `None`, with a line that says why, where there is none.
fn node_path() -> Option<String> {
    let fetched = Command::new(Path::new(ROOT).join("scripts/node-clients")).output();
    let fetched = fetched.expect("a script of ours");
    if !fetched.status.success() {
        println!("SKIPPED: {}", String::from_utf8_lossy(&fetched.stderr));
        return None;
    }
    Some(String::from_utf8(fetched.stdout).expect("a path").trim().to_owned())
}

#[test]
fn the_helper_of_the_guides_does_what_it_says() {
    let Some(path) = node_path() else { return };
    let server = server!();
    let output = Command::new("node")
        .args(["--test", "tests/docs/node/workgate.test.mjs"])
        .current_dir(ROOT)
        .env("NODE_PATH", path)
        .env("REDIS_URL", server.url())
        .output()
        .expect("node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The `js` blocks of the page, one after the other.
#[test]
fn the_page_about_node_runs_as_it_stands() {
    let Some(path) = node_path() else { return };
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/guides/node.md")).expect("the page");
    let blocks = page.split("```js\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let server = server!();
    let program = blocks.collect::<Vec<_>>().join("\n").replace("6379", &server.port().to_string());
    // A module imports packages from folders above it alone, never from NODE_PATH.
    let program = program.replace(
        r#"import { createClient } from "redis";"#,
        "import { createRequire } from \"node:module\";\n\
         const { createClient } = createRequire(import.meta.url)(\"redis\");",
    );
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    std::fs::copy(Path::new(ROOT).join("docs/guides/workgate.mjs"), folder.path().join("workgate.mjs"))
        .expect("the helper");
    std::fs::write(folder.path().join("page.mjs"), program).expect("the program");
    let output = Command::new("node")
        .arg("page.mjs")
        .current_dir(folder.path())
        .env("NODE_PATH", path)
        .output()
        .expect("node");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let job = "evt_1 {\"to\":\"ada@example.com\"} attempt 1\n";
    assert_eq!(printed, format!("{{\"ok\":true}}\n{{\"ok\":true}}\n{{\"name\":\"Ada\"}}\n{job}"));
}
