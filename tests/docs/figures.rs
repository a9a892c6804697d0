//! The checklist's bytes of an item are those of the pages that benchmarks write.

use std::fs;
use std::path::Path;

/// What a benchmark may differ from the checklist, in percent: allocators differ by that much.
const TOLERANCE: u64 = 10;

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn the_checklist_has_the_bytes_that_were_measured() {
    let guides = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    let page = fs::read_to_string(guides.join("production.md")).expect("the checklist");
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with("| ") && line.contains("](../benchmarks/")) {
        let [item, bytes, link] = cells(line)[..] else { continue };
        let Ok(bytes) = bytes.parse::<u64>() else { continue };
        let (_, source) = link.split_once('(').expect("a link");
        let source = fs::read_to_string(guides.join(source.trim_end_matches(')'))).expect("the benchmark");
        let measured = source
            .lines()
            .map(cells)
            .find_map(|row| (row.first() == Some(&item)).then(|| row.get(1)?.parse::<u64>().ok())?);
        let measured = measured.unwrap_or_else(|| panic!("{link} has no row '{item}'"));
        assert!(
            bytes.abs_diff(measured) * 100 <= measured * TOLERANCE,
            "{item}: {bytes}, measured {measured}"
        );
        rows += 1;
    }
    assert!(rows > 5, "{rows} rows");
}
