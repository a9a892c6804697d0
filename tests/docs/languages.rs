//! How a program of each language is run, and what it needs. A test whose language or client is not
//! on this machine prints SKIPPED and why.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::Server;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A language of the pages with what one of its programs needs.
pub struct Language {
    pub fence: &'static str,
    /// The program's file, and the shell line that runs it.
    file: &'static str,
    run: &'static str,
    /// A variable, and the script that prints what it is to hold.
    clients: Option<(&'static str, &'static str)>,
    /// Succeeds where the client is installed.
    probe: &'static str,
    complete: fn(String) -> String,
}

const BARE: Language =
    Language { fence: "", file: "", run: "", clients: None, probe: "true", complete: |program| program };

pub const PYTHON: Language = Language {
    fence: "python",
    file: "page.py",
    run: "python3 page.py",
    clients: Some(("PYTHONPATH", "python-clients")),
    ..BARE
};

pub const JAVASCRIPT: Language = Language {
    fence: "js",
    file: "page.mjs",
    run: "node page.mjs",
    clients: Some(("NODE_PATH", "node-clients")),
    complete: require_from_node_path,
    ..BARE
};

pub const PHP: Language = Language {
    fence: "php",
    file: "page.php",
    run: "php -d zend.assertions=1 -d assert.exception=1 page.php",
    probe: "php -r 'exit(extension_loaded(\"redis\") ? 0 : 1);'",
    complete: |program| format!("<?php\n{program}"),
    ..BARE
};

pub const RUBY: Language = Language {
    fence: "ruby",
    file: "page.rb",
    run: "ruby page.rb",
    probe: "ruby -e 'require \"redis\"'",
    ..BARE
};

pub const GO: Language = Language {
    fence: "go",
    file: "page.go",
    run: "go run page.go",
    clients: Some(("GOPATH", "go-clients")),
    ..BARE
};

pub const C: Language = Language {
    fence: "c",
    file: "page.c",
    run: "cc -Wall -Werror page.c -lhiredis -o page && ./page",
    probe: "echo '#include <hiredis/hiredis.h>' | cc -E - >/dev/null",
    ..BARE
};

pub const JAVA: Language = Language {
    fence: "java",
    file: "Page.java",
    run: "javac Page.java && java Main",
    probe: "javac -version",
    ..BARE
};

/// A module imports packages from folders above it alone, never from NODE_PATH.
pub fn require_from_node_path(program: String) -> String {
    program.replace(
        r#"import { createClient } from "redis";"#,
        "import { createRequire } from \"node:module\";\n\
         const { createClient } = createRequire(import.meta.url)(\"redis\");",
    )
}

/// What a script of ours prints: where it has put the clients. `None`, with a line that says why,
/// where they cannot be had.
fn clients(script: &str, name: Option<&str>) -> Option<String> {
    let mut fetching = Command::new(Path::new(ROOT).join("scripts").join(script));
    let fetched = fetching.args(name).output().expect("a script of ours");
    if !fetched.status.success() {
        println!("SKIPPED: {}", String::from_utf8_lossy(&fetched.stderr));
        return None;
    }
    Some(String::from_utf8(fetched.stdout).expect("a path").trim().to_owned())
}

/// A page with GLIDE needs that beside the clients of all pages; `None` where it cannot be had.
pub fn with_glide(environment: &[(&'static str, String)]) -> Option<Vec<(&'static str, String)>> {
    let glide = clients("python-clients", Some("glide"))?;
    let mut environment = environment.to_vec();
    for (_, path) in environment.iter_mut().filter(|(name, _)| *name == "PYTHONPATH") {
        *path += &format!(":{glide}");
    }
    Some(environment)
}

/// What the clients of a language need in the environment; `None` where they cannot be had.
pub fn environment(language: &Language) -> Option<Vec<(&'static str, String)>> {
    let probed = Command::new("sh").args(["-c", language.probe]).output().expect("a shell");
    if !probed.status.success() {
        println!("SKIPPED: '{}' fails here", language.probe);
        return None;
    }
    let Some((variable, script)) = language.clients else { return Some(vec![]) };
    let mut path = clients(script, None)?;
    if language.fence == "python" {
        path += &format!(":{ROOT}/docs/guides:{ROOT}/examples/python");
    }
    Some(vec![(variable, path), ("PYTHONDONTWRITEBYTECODE", "1".into()), ("GO111MODULE", "off".into())])
}

/// Runs a program beside a server whose port takes the place of 6379 in it; the error says what it
/// printed.
pub fn run(
    language: &Language,
    environment: &[(&'static str, String)],
    program: &str,
    server: &Server,
) -> Result<(), String> {
    let folder = TempDir::new().expect("a temporary folder");
    let program = (language.complete)(program.replace("6379", &server.port().to_string()));
    fs::write(folder.path().join(language.file), program).expect("the program");
    let guides = Path::new(ROOT).join("docs/guides");
    fs::copy(guides.join("workgate.mjs"), folder.path().join("workgate.mjs")).expect("the helper");
    let mut command = Command::new("timeout");
    command.args(["100", "sh", "-c", language.run]).current_dir(folder.path());
    command.envs(environment.iter().map(|(name, value)| (name, value))).env("REDIS_URL", server.url());
    verdict(command.output().expect("a shell"))
}

pub fn verdict(output: Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{}\n{out}{err}", output.status))
}
