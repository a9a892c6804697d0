//! No folder of production code is so full that its list of files cannot be read at a glance.

use std::collections::BTreeMap;

use super::sources;

const MAX_FILES: usize = 21;
const MAX_LINES: usize = 500;

#[test]
fn no_folder_of_production_code_holds_more_than_21_files() {
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in sources("src") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *files.entry(folder.to_owned()).or_default() += 1;
    }
    files.retain(|folder, count| *count > MAX_FILES && !folder.ends_with("/tests"));
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn no_file_has_more_than_500_lines() {
    let long: Vec<String> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(|folder| sources(folder).into_iter().map(move |(path, text)| (folder, path, text)))
        .filter(|(.., text)| text.lines().count() > MAX_LINES)
        .map(|(folder, path, text)| format!("{folder}/{path}: {}", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join(", "));
}
