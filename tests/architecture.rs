//! Imports between the layers run one way, and `unsafe` is in `src/module_api/` alone.

use std::fs;
use std::path::{Path, PathBuf};

/// A piece of Rust source: an identifier, or one character of punctuation.
type Token = String;

/// Identifiers and punctuation of a source text, without comments, strings and characters.
fn tokens(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = text.get(at + 1).copied();
        match text[at] {
            '/' if next == Some('/') => at = skip_line(&text, at),
            '/' if next == Some('*') => at = skip_block(&text, at),
            '"' => at = skip_string(&text, at),
            'r' if raw_string_hashes(&text, at + 1).is_some() => at = skip_raw_string(&text, at + 1),
            // A character, not a lifetime: 'a' or '\n'.
            '\'' if next == Some('\\') || text.get(at + 2) == Some(&'\'') => {
                at += if next == Some('\\') { 3 } else { 2 };
                while text.get(at).is_some_and(|c| *c != '\'') {
                    at += 1;
                }
                at += 1;
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = (at..text.len()).find(|i| !(text[*i].is_alphanumeric() || text[*i] == '_'));
                let end = end.unwrap_or(text.len());
                let word: String = text[at..end].iter().collect();
                // b"…" and br"…" are strings: go on at the quote.
                at = end;
                if !(matches!(word.as_str(), "b" | "c") && text.get(at) == Some(&'"')) {
                    if matches!(word.as_str(), "br" | "cr") && raw_string_hashes(&text, at).is_some() {
                        at = skip_raw_string(&text, at);
                    } else {
                        found.push(word);
                    }
                }
            }
            c if c.is_whitespace() => at += 1,
            c => {
                found.push(c.to_string());
                at += 1;
            }
        }
    }
    found
}

fn skip_line(text: &[char], from: usize) -> usize {
    (from..text.len()).find(|at| text[*at] == '\n').unwrap_or(text.len())
}

fn skip_block(text: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn skip_string(text: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The number of `#` of a raw string whose `#`s or quote begin here.
fn raw_string_hashes(text: &[char], from: usize) -> Option<usize> {
    let hashes = text[from.min(text.len())..].iter().take_while(|c| **c == '#').count();
    (text.get(from + hashes) == Some(&'"')).then_some(hashes)
}

fn skip_raw_string(text: &[char], from: usize) -> usize {
    let hashes = raw_string_hashes(text, from).expect("a raw string");
    let mut at = from + hashes + 1;
    while at < text.len() {
        if text[at] == '"' && text[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}

/// The names that follow `crate::` (or enough `super::` to reach it), groups opened: `crate::{a, b::c}` names a and b.
fn layers_named(tokens: &[Token], depth: usize) -> Vec<&str> {
    let mut named = Vec::new();
    let word = |at: usize| tokens.get(at).map_or("", String::as_str);
    let path_sign = |at: usize| word(at) == ":" && word(at + 1) == ":";
    for start in 0..tokens.len() {
        let mut at = start;
        if word(at) == "crate" && path_sign(at + 1) {
            at += 3;
        } else if word(at) == "super" && !(start >= 3 && path_sign(start - 2) && word(start - 3) == "super") {
            let mut ups = 0;
            while word(at) == "super" && path_sign(at + 1) {
                (ups, at) = (ups + 1, at + 3);
            }
            if ups < depth {
                continue;
            }
        } else {
            continue;
        }
        if word(at) != "{" {
            named.push(word(at));
            continue;
        }
        let mut level = 0;
        for inside in at..tokens.len() {
            match word(inside) {
                "{" => level += 1,
                "}" => level -= 1,
                name if level == 1 && matches!(word(inside - 1), "{" | ",") => named.push(name),
                _ => {}
            }
            if level == 0 {
                break;
            }
        }
    }
    named
}

/// What is wrong with a file, by its path below `src/`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut faults = Vec::new();
    let steps = path.trim_end_matches(".rs").split('/');
    let depth = steps.filter(|step| !matches!(*step, "mod" | "lib" | "main")).count();
    let forbidden: &[&str] = match path.split('/').next() {
        Some("domain") => &["module_api", "commands"],
        Some("module_api") => &["domain", "commands"],
        _ => &[],
    };
    for layer in layers_named(&tokens, depth) {
        if forbidden.contains(&layer) {
            faults.push(format!("{path} imports the layer '{layer}'"));
        }
    }
    let names = |word: &str| tokens.iter().any(|token| token == word);
    if path.starts_with("domain/") && names("redis_module") {
        faults.push(format!("{path} knows redis_module"));
    }
    if path.starts_with("bin/") && (names("redis_module") || uses_the_package(&tokens)) {
        faults.push(format!("{path} uses the module's layers"));
    }
    if !path.starts_with("module_api/") && names("unsafe") {
        faults.push(format!("{path} is outside module_api/ and holds unsafe"));
    }
    faults
}

/// `use workgate…`, `extern crate workgate` or `workgate::…`.
fn uses_the_package(tokens: &[Token]) -> bool {
    (0..tokens.len()).filter(|at| tokens[*at] == "workgate").any(|at| {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].as_str());
        let path = tokens[at + 1..].iter().take(2).all(|token| token == ":") && tokens.len() > at + 2;
        path || matches!(before, "use" | "crate")
    })
}

/// All Rust files below `folder`, as (path below it, text).
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).expect("below the folder").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a readable source")));
            }
        }
    }
    found
}

#[test]
fn imports_run_downwards_and_unsafe_stands_in_module_api_only() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.iter().any(|(path, _)| path == "lib.rs"), "the sources were found");
    let faults: Vec<String> = sources.iter().flat_map(|(path, source)| faults(path, source)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_import_that_runs_upwards_is_seen() {
    for (path, source) in [
        ("domain/time.rs", "use crate::module_api::clock;"),
        ("domain/time.rs", "use crate::{domain::token, commands::table};"),
        ("domain/time.rs", "fn f() { crate::module_api::now() }"),
        ("domain/time.rs", "use super::super::module_api::clock;"),
        ("domain/mod.rs", "use super::module_api;"),
        ("domain/jobq/pop.rs", "use redis_module::Context;"),
        ("module_api/key.rs", "use crate::domain::value::Value;"),
        ("module_api/key.rs", "use crate::{\n    module_api::args,\n    commands,\n};"),
        ("bin/workgate/main.rs", "use workgate::domain::time;"),
        ("bin/workgate/main.rs", "fn f() { workgate::domain::time::now() }"),
        ("bin/workgate/main.rs", "extern crate workgate;"),
    ] {
        assert_eq!(faults(path, source).len(), 1, "{path}: {source}");
    }
}

#[test]
fn unsafe_outside_module_api_is_seen() {
    for source in [
        "unsafe { f() }",
        "unsafe impl Send for A {}",
        "#[unsafe(no_mangle)] fn f() {}",
        "let c = '\"'; unsafe {}",
    ] {
        assert_eq!(faults("commands/jobq.rs", source).len(), 1, "{source}");
        assert!(faults("module_api/key.rs", source).is_empty(), "{source}");
    }
}

#[test]
fn what_is_allowed_is_not_reported() {
    for (path, source) in [
        (
            "domain/time.rs",
            "use super::token; // crate::module_api, unsafe\n/* crate::commands /* unsafe */ */",
        ),
        ("domain/jobq/pop.rs", "use super::module_api; use crate::domain::time;"),
        (
            "domain/time.rs",
            r##"const A: &str = "unsafe \" crate::module_api"; const B: &[u8] = br#"unsafe "crate::module_api"#;"##,
        ),
        ("domain/time.rs", "#![forbid(unsafe_code)] fn f<'a>(a: &'a str) -> char { 'u' }"),
        ("module_api/key.rs", "use crate::module_api::args; use redis_module::raw; unsafe {}"),
        ("commands/jobq.rs", "use crate::{domain, module_api};"),
        ("bin/workgate/main.rs", "use crate::module_api; let workgate = 1; println!(\"workgate::domain\");"),
    ] {
        assert_eq!(faults(path, source), Vec::<String>::new(), "{path}: {source}");
    }
}
