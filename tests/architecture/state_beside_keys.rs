//! docs/ARCHITECTURE.md names every static that can change.

use std::collections::BTreeSet;
use std::fs;

use super::source::{Source, Static};
use super::sources;

/// Types of statics that never change, and of those that the page names as a group: settings and
/// counters.
const OTHERS: [&str; 6] =
    ["FieldRule", "raw::RedisModuleCommandInfoVersion", "Number", "Switch", "Text", "Counter"];

/// The statics of a file that its type lets change, as (name, file without `.rs`).
fn changeable(path: &str, source: &Source) -> Vec<(String, String)> {
    let is_changeable =
        |it: &&Static| !it.type_text.starts_with('&') && !OTHERS.contains(&it.type_text.as_str());
    let file = path.trim_end_matches(".rs").to_owned();
    source.statics.iter().filter(is_changeable).map(|it| (it.name.clone(), file.clone())).collect()
}

/// The rows of the table: each name of the first cell with the file of the second.
fn documented(page: &str) -> BTreeSet<(String, String)> {
    let rows = page.split("| static | file |").nth(1).expect("the table of the statics");
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let file = cells[2].trim_matches('`').to_owned();
        let names = cells[1].split(',').map(|name| name.trim().trim_matches('`').to_owned());
        names.map(|name| (name, file.clone())).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn the_page_names_every_static_that_can_change_and_no_other() {
    let sources = sources("src");
    let library = sources.iter().filter(|(path, _)| !path.starts_with("bin/"));
    let found: BTreeSet<_> =
        library.flat_map(|(path, text)| changeable(path, &Source::parse(path, text))).collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ARCHITECTURE.md");
    let documented = documented(&fs::read_to_string(page).expect("the page"));
    let missing: Vec<_> = found.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&found).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in the page: {missing:?}; not in src: {gone:?}");
}

#[test]
fn a_static_is_seen_wherever_it_stands() {
    for text in [
        "static A: AtomicU8 = AtomicU8::new(0);",
        "pub(crate) static A: MainThread<Option<B>> = MainThread::new(None);",
        "fn f() { static A: OnceLock<&'static str> = OnceLock::new(); }",
        "macro_rules! m { () => { static A: $crate::C = $crate::C::new(); } }",
    ] {
        let seen = changeable("f/g.rs", &Source::parse("f/g.rs", text));
        assert_eq!(seen, [("A".to_owned(), "f/g".to_owned())], "{text}");
    }
    for text in [
        "static A: &[u8] = &[1];",
        "static A: Number = Number::new(1);",
        "fn f(a: &'static str, b: u8) {}",
        "macro_rules! m { () => { const A: &'static std::ffi::CStr = c\"\"; } }",
        "#[cfg(test)] static A: AtomicU8 = AtomicU8::new(0);",
    ] {
        assert_eq!(changeable("f/g.rs", &Source::parse("f/g.rs", text)), [], "{text}");
    }
}
