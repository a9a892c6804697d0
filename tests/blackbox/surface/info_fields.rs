//! The fields of INFO that docs/guides/operations.md explains are those that the server shows.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::server;

/// The names in backquotes in the second column of the guide's table.
fn fields_of_the_guide() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/operations.md");
    let text = std::fs::read_to_string(path).expect("the guide");
    let chapter = text.split("\n## ").find(|chapter| chapter.starts_with("What `INFO` says"));
    let rows = chapter.expect("a chapter on INFO").lines().filter(|line| line.starts_with('|')).skip(2);
    let names = rows.flat_map(|row| row.split('|').nth(2).expect("a second column").split('`'));
    names.map(str::trim).filter(|name| !name.is_empty() && *name != ",").map(str::to_owned).collect()
}

#[test]
fn the_guide_explains_every_field_of_info_and_no_other() {
    let s = server!();
    let info = s.ok("INFO workgate").text();
    let names = info.lines().filter_map(|line| line.strip_prefix("workgate_")?.split(':').next());
    let shown: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(shown.len() >= 7, "{info}");
    assert_eq!(shown, fields_of_the_guide());
}
