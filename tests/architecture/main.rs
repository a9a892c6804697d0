//! Guards the layers of `src/`: imports run one way, no files import each other in a circle, and
//! `unsafe` is in `src/module_api/` alone. Compares what the process holds beside the keyspace with
//! docs/ARCHITECTURE.md.

mod comment_width;
mod folder_size;
mod imports;
mod source;
mod state_beside_keys;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Crate, circles};
use source::Source;

const FAMILIES: [&str; 5] = ["breaker", "cache", "idemp", "jobq", "ratelimit"];

/// What a layer may import besides itself.
fn allowed(layer: &str) -> &'static [&'static str] {
    match layer {
        "domain" | "module_api" => &[],
        "runtime" => &["domain", "module_api"],
        "commands" => &["domain", "module_api", "runtime"],
        "fuzzing" => &["commands", "domain", "module_api"],
        _ => &["commands", "domain", "fuzzing", "module_api", "runtime"],
    }
}

fn layer_of(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// Imports that run upwards, and those of a family by the runtime.
fn wrong_imports(imports: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let all = imports.iter().flat_map(|(from, all)| all.iter().map(|to| (*from, *to)));
    let is_wrong = |from: &str, to: &str| {
        let (layer, imported) = (layer_of(from), layer_of(to));
        let is_family = imported == "domain" && to.split('/').nth(1).is_some_and(|it| FAMILIES.contains(&it));
        layer != imported && !allowed(layer).contains(&imported) || layer == "runtime" && is_family
    };
    all.filter(|(from, to)| is_wrong(from, to)).map(|(from, to)| format!("{from} imports {to}")).collect()
}

/// What is wrong with a file by itself.
fn wrong_words(path: &str, source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    if path.starts_with("domain/") && source.names("redis_module") {
        faults.push(format!("{path} knows redis_module"));
    }
    if path.starts_with("bin/") && (source.names("redis_module") || uses_the_package(source)) {
        faults.push(format!("{path} uses the module's layers"));
    }
    if !path.starts_with("module_api/") && source.names("unsafe") {
        faults.push(format!("{path} is outside module_api/ and holds unsafe"));
    }
    faults
}

/// `use workgate…` or `workgate::…`.
fn uses_the_package(source: &Source) -> bool {
    let imports = source.imports.iter().map(|import| &import.path);
    let paths = source.paths.iter().filter(|path| path.len() > 1);
    imports.chain(paths).any(|path| path[0] == "workgate")
}

/// All Rust files below `folder`, as (path below it, text).
fn sources(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders: Vec<PathBuf> = vec![folder.clone()];
    let mut found = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&folder).expect("below the folder").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a readable source")));
            }
        }
    }
    assert!(!found.is_empty(), "{} holds sources", folder.display());
    found
}

fn library() -> Crate {
    let sources = sources("src");
    assert!(sources.iter().any(|(path, _)| path == "lib.rs"), "the sources were found");
    let of_library = sources.iter().filter(|(path, _)| !path.starts_with("bin/"));
    Crate::new(of_library.map(|(path, text)| (path.as_str(), text.as_str())))
}

fn crate_of(files: &[(&'static str, &'static str)]) -> Crate {
    Crate::new(files.iter().copied())
}

fn shown(circles: &[Vec<String>]) -> String {
    circles.iter().map(|circle| circle.join(" -> ") + "\n").collect()
}

#[test]
fn imports_of_the_library_run_downwards() {
    let library = library();
    let wrong = wrong_imports(&library.imports());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_of_the_library_import_each_other_in_a_circle() {
    let library = library();
    let found = circles(&library.imports());
    assert!(found.is_empty(), "\n{}", shown(&found));
}

#[test]
fn unsafe_stands_in_module_api_and_the_programs_use_no_layer() {
    let faults: Vec<String> = sources("src")
        .iter()
        .flat_map(|(path, text)| wrong_words(path, &Source::parse(path, text)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_import_that_runs_upwards_is_seen() {
    let others = [
        ("lib.rs", ""),
        ("commands/mod.rs", "pub fn table() {}"),
        ("commands/table/mod.rs", "pub struct A;"),
        ("module_api/mod.rs", ""),
        ("module_api/clock.rs", "pub fn now() {}"),
        ("domain/mod.rs", ""),
        ("domain/token.rs", ""),
        ("domain/jobq/mod.rs", "pub struct Queue;"),
        ("runtime/mod.rs", ""),
    ];
    for (path, text) in [
        ("domain/time.rs", "use crate::module_api::clock;"),
        ("domain/time.rs", "use crate::{domain::token, commands::table};"),
        ("domain/time.rs", "fn f() { crate::module_api::clock::now() }"),
        ("domain/time.rs", "fn f() { use crate::module_api::clock::now; now() }"),
        ("domain/time.rs", "fn f() { matches!(1, crate::commands::A) }"),
        ("domain/time.rs", "use super::super::module_api::clock;"),
        ("module_api/key.rs", "use crate::domain::token;"),
        ("module_api/key.rs", "use crate::{\n    module_api::clock,\n    commands,\n};"),
        ("runtime/commit.rs", "use crate::commands::table::A;"),
        ("runtime/commit.rs", "use crate::domain::jobq::Queue;"),
        ("runtime/commit.rs", "macro_rules! m { () => { $crate::domain::jobq::Queue } }"),
    ] {
        let mut files = others.to_vec();
        files.push((path, text));
        let wrong = wrong_imports(&crate_of(&files).imports()).len();
        assert_eq!(wrong, 1, "{path}: {text}");
    }
}

#[test]
fn a_planted_circle_is_seen_also_by_way_of_a_pub_use() {
    let direct =
        [("lib.rs", ""), ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", "fn f(_: crate::a::A) {}")];
    let by_facade = [
        ("lib.rs", ""),
        ("f/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("f/a.rs", "use super::B; pub struct A;"),
        ("f/b.rs", "use crate::f; pub struct B(f::A);"),
    ];
    let by_parent = [
        ("lib.rs", ""),
        ("f/mod.rs", "mod a; use a::A; pub struct P(A);"),
        ("f/a.rs", "use super::P; pub struct A;"),
    ];
    for (files, circle) in [
        (&direct[..], "a.rs -> b.rs\n"),
        (&by_facade, "f/a.rs -> f/b.rs\n"),
        (&by_parent, "f/a.rs -> f/mod.rs\n"),
    ] {
        assert_eq!(shown(&circles(&crate_of(files).imports())), circle);
    }
}

#[test]
fn what_only_passes_a_name_on_or_only_tests_need_is_no_circle() {
    for files in [
        // The child needs a constant of its parent, which passes the child's name on.
        [
            ("lib.rs", ""),
            ("f/mod.rs", "mod a; pub use a::A; pub const MAX: u8 = 1;"),
            ("f/a.rs", "use super::MAX;"),
        ],
        [
            ("lib.rs", ""),
            ("a.rs", "pub struct A; #[cfg(test)] use crate::b::B;"),
            ("b.rs", "use crate::a::A;"),
        ],
        [("lib.rs", ""), ("a.rs", "#[cfg(test)] mod tests { use crate::b; }"), ("b.rs", "use crate::a::A;")],
        [("lib.rs", ""), ("a.rs", "const T: &str = \"crate::b\"; // crate::b"), ("b.rs", "use crate::a::T;")],
    ] {
        let found = circles(&crate_of(&files).imports());
        assert!(found.is_empty(), "{}", shown(&found));
    }
}

#[test]
fn unsafe_outside_module_api_and_a_foreign_layer_in_a_program_are_seen() {
    for (path, text) in [
        ("commands/jobq.rs", "fn f() { unsafe { g() } }"),
        ("commands/jobq.rs", "unsafe impl Send for A {}"),
        ("commands/jobq.rs", "#[unsafe(no_mangle)] fn f() {}"),
        ("commands/jobq.rs", "m! { unsafe {} }"),
        ("domain/jobq/pop.rs", "use redis_module::Context;"),
        ("bin/workgate/main.rs", "use workgate::domain::time;"),
        ("bin/workgate/main.rs", "fn f() { workgate::domain::time::now() }"),
    ] {
        assert_eq!(wrong_words(path, &Source::parse(path, text)).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("module_api/key.rs", "fn f() { unsafe { g() } }"),
        ("domain/time.rs", "#![forbid(unsafe_code)] // unsafe\nconst A: &str = \"unsafe\";"),
        ("bin/workgate/main.rs", "fn f() { let workgate = 1; println!(\"workgate::domain\"); }"),
    ] {
        assert_eq!(wrong_words(path, &Source::parse(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}
