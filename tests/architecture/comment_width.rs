//! Comments wrap at 100 columns. Tables and drawings may be wider.

use super::sources;

fn too_wide(line: &str) -> bool {
    let text = line.trim_start();
    let is_drawn = text.contains('|') || text.trim_start_matches(['/', '!']).trim().contains("  ");
    text.starts_with("//") && line.chars().count() > 100 && !is_drawn
}

#[test]
fn comments_wrap_at_100_columns() {
    let wide: Vec<String> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(|folder| sources(folder).into_iter().map(move |(path, text)| (folder, path, text)))
        .flat_map(|(folder, path, text)| {
            let lines: Vec<String> = text.lines().filter(|line| too_wide(line)).map(str::to_owned).collect();
            lines.into_iter().map(move |line| format!("{folder}/{path}: {line}"))
        })
        .collect();
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

#[test]
fn a_comment_that_is_too_wide_is_seen() {
    let words = "word ".repeat(20);
    assert!(too_wide(&format!("    // {words}")));
    assert!(too_wide(&format!("//! {words}")));
    assert!(!too_wide(&format!("    let a = 1; // {words}")));
    assert!(!too_wide(&format!("/// | a | {words} |")));
    assert!(!too_wide("// a word"));
}
