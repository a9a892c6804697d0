//! The examples in the README, CONTRIBUTING and the docs, run against a real server.
//!
//! A block fenced as `redis` holds what a reader types at `redis-cli` (lines that begin with `> `)
//! and what it prints. `<name>` is a part that differs from run to run: the first time it takes
//! what is there, later it is the same, in commands too; `<ms>` and `<text>` match anything each
//! time. `shell` says how blocks of shell lines are run, `snippets` how programs are.

mod examples;
mod figures;
mod languages;
mod links;
mod programs;
mod reference;
mod reliability;
mod shell;
mod snippets;
#[path = "../support/mod.rs"]
mod support;
mod transcript;

use std::path::{Path, PathBuf};
use std::time::Duration;

use shell::{Block, Handling, Shell};
use support::server;
use transcript::Transcript;

fn pages() -> Vec<PathBuf> {
    fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                collect(&path, pages);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root.join(name)).to_vec();
    collect(&root.join("docs"), &mut pages);
    pages
}

#[test]
fn every_example_answers_as_the_page_says() {
    examples_typed_with(Duration::ZERO);
}

/// A reader takes time to type: no answer may hang on two commands falling into the same
/// millisecond.
#[test]
fn every_example_answers_so_for_a_slower_reader_too() {
    examples_typed_with(Duration::from_millis(7));
}

fn examples_typed_with(pause: Duration) {
    let mut examples = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let transcript = Transcript::of(&text);
        if transcript.steps.is_empty() {
            continue;
        }
        let server = server!();
        examples += transcript.steps.len();
        let difference = transcript.replay(|command| {
            std::thread::sleep(pause);
            server.call(command)
        });
        if let Err(difference) = difference {
            panic!("{}: {difference}", page.display());
        }
    }
    assert!(examples > 8, "only {examples} examples were found: is the fence still called redis?");
}

#[test]
fn an_example_that_says_something_else_is_found() {
    let server = server!();
    let replay = |page: &str| Transcript::of(page).replay(|command| server.call(command));
    let fenced = |body: &str| format!("text\n```redis\n{body}```\n> not a command\n");
    assert_eq!(
        replay(&fenced(
            "> SET a 'x y'\nOK\n> GET a\n\"x y\"\n> INCR n\n(integer) <n>\n> ECHO <n>\n\"<n>\"\n"
        )),
        Ok(())
    );
    assert!(replay(&fenced("> PING\nOK\n")).unwrap_err().contains("line 3"));
    assert!(replay(&fenced("> INCR m\n(integer) <m>\n> INCR m\n(integer) <m>\n")).is_err());
    assert!(replay(&fenced("> PING\nPONG\nmore\n")).is_err());
    assert!(replay(&fenced("> MGET a b\n1) \"x y\"\n2) (nil)\n> NOSUCH\n(error) ERR <text>\n")).is_ok());
}

#[test]
fn every_shell_line_does_what_the_page_says() {
    let mut run = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let blocks = Block::of(&text).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        if blocks.is_empty() {
            continue;
        }
        let shell = Shell::beside(server!());
        for block in blocks {
            run += usize::from(block.handling != Handling::NotRun);
            if let Err(difference) = shell.run(&block) {
                panic!("{}: line {}: {difference}", page.display(), block.line);
            }
        }
    }
    assert!(run > 4, "only {run} blocks were run: is the fence still called sh?");
}

#[test]
fn a_shell_line_that_fails_is_found() {
    let shell = Shell::beside(server!());
    let result = |page: &str| {
        let blocks = Block::of(page)?;
        blocks.iter().try_for_each(|block| shell.run(block))
    };
    assert_eq!(result("```sh\ntrue\ntest -n 6379\n```\n"), Ok(()));
    assert_eq!(result("<!-- shell: not run, it fails -->\n```sh\nfalse\n```\n"), Ok(()));
    assert_eq!(result("<!-- shell: until ready -->\n```sh\necho ready; sleep 600\n```\n"), Ok(()));
    assert!(result("```sh\nfalse\n```\n").is_err());
    assert!(result("```sh\ntrue\nnosuchprogram\ntrue\n```\n").is_err());
    assert!(result("<!-- shell: until ready -->\n```sh\ntrue\n```\n").is_err());
    assert!(result("<!-- shell: run by .ci/run -->\n```sh\nmake nothing\n```\n").is_err());
    assert!(result("<!-- shell: sometimes -->\n```sh\ntrue\n```\n").is_err());
}

/// Whoever measures anew draws anew: `scripts/cost-chart`.
#[test]
fn the_chart_of_the_readme_shows_the_figures_of_the_benchmark() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let drawn = std::process::Command::new(root.join("scripts/cost-chart")).arg("--print").output();
    let drawn = String::from_utf8(drawn.expect("a script of ours").stdout).expect("text");
    assert!(drawn.contains("BullMQ") && drawn.contains("redis-cell"), "{drawn}");
    let chart = std::fs::read_to_string(root.join("docs/images/cost.svg")).expect("the chart");
    assert!(drawn == chart, "run scripts/cost-chart: docs/images/cost.svg shows other figures");
}

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_that_is_there() {
    let mut links = 0;
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        links += links::relative(&text).len();
        broken.extend(links::broken(&page, &text).into_iter().map(|link| (page.display().to_string(), link)));
    }
    assert_eq!(broken, []);
    assert!(links > 100, "only {links} links were found");
}

#[test]
fn a_link_to_a_missing_file_or_heading_is_found() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let links = "# Here\n[a](Cargo.toml) [b](https://example.org/x) [c](#here) [d](missing.md) ![e](missing.png) \
                 `[f](missing.md)` [g](#there) [h](SECURITY.md#nowhere)\n```\n[i](missing.md)\n```\n";
    assert_eq!(links::broken(&page, links), ["missing.md", "missing.png", "#there", "SECURITY.md#nowhere"]);
}

/// Pages that a reader takes in at one sitting.
#[test]
fn no_page_of_commands_is_longer_than_400_lines() {
    let pages =
        pages().into_iter().filter(|page| page.components().any(|part| part.as_os_str() == "commands"));
    for page in pages {
        let lines = std::fs::read_to_string(&page).expect("a page").lines().count();
        assert!(lines <= 400, "{} has {lines} lines: give a part of it a page of its own", page.display());
    }
}

#[test]
fn every_guide_stands_in_the_index() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let index = links::relative(&std::fs::read_to_string(docs.join("README.md")).expect("the index"));
    let listed: Vec<PathBuf> =
        index.iter().map(|link| docs.join(link.split('#').next().unwrap_or(link))).collect();
    let guides = pages().into_iter().filter(|page| page.parent() == Some(&docs.join("guides")));
    assert_eq!(guides.filter(|guide| !listed.contains(guide)).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// A page that docs/README.md and the pages it names do not name is found by nobody.
#[test]
fn every_page_can_be_reached_from_the_index() {
    let index =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/README.md").canonicalize().expect("the index");
    let mut seen = std::collections::HashSet::from([index.clone()]);
    let mut open = vec![index];
    while let Some(page) = open.pop() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let files = links::relative(&text);
        let files =
            files.iter().filter_map(|link| link.split('#').next()).filter(|file| file.ends_with(".md"));
        let found = files.filter_map(|file| page.parent().expect("a folder").join(file).canonicalize().ok());
        open.extend(found.filter(|page| seen.insert(page.clone())));
    }
    let missing: Vec<PathBuf> = pages().into_iter().filter(|page| !seen.contains(page)).collect();
    assert_eq!(missing, Vec::<PathBuf>::new());
}
