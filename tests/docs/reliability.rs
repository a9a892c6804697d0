//! docs/reliability.md names tests that there are, and that tell a figure.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_page_on_reliability_names_is_there_and_notes_a_figure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reliability.md")).expect("the page");
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with("| ") && line.contains("::")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [promise, test, figures @ ..] = &cells[..] else { panic!("a row of the table: {line}") };
        let test = test.trim_matches('`');
        let (module, name) = test.rsplit_once("::").expect("a module and a name");
        let is_of_program = ["worker::", "serve::"].iter().any(|suite| module.starts_with(suite));
        let suite = if is_of_program { "tests" } else { "tests/blackbox" };
        let path = root.join(suite).join(module.replace("::", "/")).with_extension("rs");
        let source = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{test}: {}: {e}", path.display()));
        let (_, body) = source
            .split_once(&format!("\nfn {name}() {{\n"))
            .filter(|(before, _)| before.rsplit("\n\n").next().is_some_and(|head| head.contains("#[test]")))
            .unwrap_or_else(|| panic!("{} has no test {name}", path.display()));
        let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
        assert!(!promise.is_empty());
        assert!(body.contains("figure(") || body.contains("_under_load("), "{test} notes no figure");
        assert_eq!(figures.len(), 3, "{test}: a figure for each of three servers");
        assert!(figures.iter().any(|figure| !figure.is_empty()), "{test}: run `make reliability`");
        rows += 1;
    }
    assert!(rows > 50, "{rows} promises");
}
