//! The programs of the pages and the helpers that they tell a reader to copy, run beside a server.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::languages::{self, C, GO, JAVA, JAVASCRIPT, Language, PHP, PYTHON, ROOT, RUBY};
use crate::support::server;
use crate::{pages, snippets};

fn run_on_all_pages(language: &Language, at_least: usize) {
    let Some(environment) = languages::environment(language) else { return };
    let mut programs = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let program = snippets::program(&text, language.fence);
        let Some(program) = program.unwrap_or_else(|error| panic!("{}: {error}", page.display())) else {
            continue;
        };
        programs += 1;
        let needs_glide = program.contains("glide_sync");
        let Some(environment) = (match needs_glide {
            true => languages::with_glide(&environment),
            false => Some(environment.clone()),
        }) else {
            continue;
        };
        if let Err(printed) = languages::run(language, &environment, &program, &server!()) {
            panic!("{}: {}: {printed}", page.display(), language.fence);
        }
    }
    assert!(programs >= at_least, "only {programs} pages have {}", language.fence);
}

#[test]
fn the_python_of_every_page_runs() {
    run_on_all_pages(&PYTHON, 15);
}

#[test]
fn the_javascript_of_every_page_runs() {
    run_on_all_pages(&JAVASCRIPT, 12);
}

#[test]
fn the_php_of_every_page_runs() {
    run_on_all_pages(&PHP, 4);
}

#[test]
fn the_ruby_of_every_page_runs() {
    run_on_all_pages(&RUBY, 2);
}

#[test]
fn the_go_of_every_page_runs() {
    run_on_all_pages(&GO, 1);
}

#[test]
fn the_c_of_every_page_runs() {
    run_on_all_pages(&C, 1);
}

#[test]
fn the_java_of_every_page_runs() {
    run_on_all_pages(&JAVA, 1);
}

#[test]
fn a_program_that_fails_is_found() {
    let Some(environment) = languages::environment(&PYTHON) else { return };
    let server = server!();
    let result = |program: &str| languages::run(&PYTHON, &environment, program, &server);
    assert_eq!(result("import redis\nassert redis.Redis(port=6379).ping()\n"), Ok(()));
    assert!(result("assert 1 == 2\n").unwrap_err().contains("AssertionError"));
}

fn run_tests_of_helper(language: &Language, program: &[&str]) {
    let Some(environment) = languages::environment(language) else { return };
    let server = server!();
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).current_dir(ROOT).envs(environment).env("REDIS_URL", server.url());
    languages::verdict(command.output().expect("a program")).unwrap_or_else(|printed| panic!("{printed}"));
}

#[test]
fn the_helper_for_python_does_what_it_says() {
    run_tests_of_helper(&PYTHON, &["python3", "tests/docs/python/test_workgate.py"]);
}

#[test]
fn the_helper_for_node_does_what_it_says() {
    run_tests_of_helper(&JAVASCRIPT, &["node", "--test", "tests/docs/node/workgate.test.mjs"]);
}

/// Strictly: with every type named.
#[test]
fn the_types_of_the_helper_for_python_are_right() {
    let Some(environment) = languages::environment(&PYTHON) else { return };
    let script = Path::new(ROOT).join("scripts/python-clients");
    let fetched = Command::new(script).arg("mypy").stdin(Stdio::null()).output().expect("a script of ours");
    if !fetched.status.success() {
        println!("SKIPPED: {}", String::from_utf8_lossy(&fetched.stderr));
        return;
    }
    let clients = environment.iter().find(|(name, _)| *name == "PYTHONPATH").expect("a path").1.clone();
    let clients = clients.split(':').next().expect("the clients' folder").to_owned();
    let cache = tempfile::TempDir::new().expect("a temporary folder");
    let output = Command::new("python3")
        .args(["-m", "mypy", "--strict", "--follow-imports=silent", "docs/guides/workgate.py", "--cache-dir"])
        .arg(cache.path())
        .current_dir(ROOT)
        .env("PYTHONPATH", String::from_utf8(fetched.stdout).expect("a path").trim())
        .env("MYPYPATH", clients)
        .output()
        .expect("python3");
    languages::verdict(output).unwrap_or_else(|printed| panic!("{printed}"));
}
