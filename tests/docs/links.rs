//! The links of a page to files of this repository, to headings in them, and to images.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The targets of all Markdown links in `text` that stay in the repository: `page.md#heading`.
/// Neither code blocks nor code between backticks count.
pub fn relative(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let inside = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    inside.map(str::to_owned).collect()
}

/// The links of `page` that lead to no file, or to a heading that is not in the file.
pub fn broken(page: &Path, text: &str) -> Vec<String> {
    relative(text).into_iter().filter(|target| !leads_somewhere(page, text, target)).collect()
}

fn leads_somewhere(page: &Path, text: &str, target: &str) -> bool {
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, name)| (file, Some(name)));
    let path: PathBuf = page.parent().expect("a page lies in a folder").join(file);
    if !file.is_empty() && !path.exists() {
        return false;
    }
    let Some(heading) = heading else { return !file.is_empty() };
    if file.is_empty() {
        return anchors(text).contains(heading);
    }
    // A line of a source file has no heading; nobody links to one.
    path.extension().is_some_and(|ending| ending == "md")
        && fs::read_to_string(&path).is_ok_and(|text| anchors(&text).contains(heading))
}

/// The names by which a page's headings are linked to, as GitHub makes them: small letters, spaces
/// as hyphens, no other punctuation, and a number behind the second of two equal ones.
fn anchors(text: &str) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        if fenced || !(1..=6).contains(&level) || !heading.starts_with(' ') {
            continue;
        }
        let name = anchor(heading.trim());
        let mut unique = name.clone();
        for number in 1.. {
            if names.insert(unique.clone()) {
                break;
            }
            unique = format!("{name}-{number}");
        }
    }
    names
}

fn anchor(heading: &str) -> String {
    // A link in a heading counts by its label.
    let label: String = heading.split("](").enumerate().fold(String::new(), |label, (index, part)| {
        let part = if index == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) };
        label + part
    });
    let kept = label.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// `text` without its fenced blocks and without what stands between backticks in a line.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // An odd number of backticks leaves the last open; then nothing of the line is code.
            let parts: Vec<&str> = line.split('`').collect();
            let is_paired = parts.len() % 2 == 1;
            let kept = parts.into_iter().enumerate().filter(|(index, _)| !is_paired || index % 2 == 0);
            prose.extend(kept.map(|(_, part)| part));
            prose.push('\n');
        }
    }
    prose
}

#[test]
fn headings_are_named_as_a_reader_of_the_pages_names_them() {
    let page =
        "# JOBQ.ACK and `JOBQ.MACK`\n## Waiting: CHECK … BLOCK\n### Twice\n### Twice\n```\n# code\n```\n#x\n";
    let names = ["jobqack-and-jobqmack", "waiting-check--block", "twice", "twice-1"];
    assert_eq!(anchors(page), HashSet::from(names.map(str::to_owned)));
    assert_eq!(anchor("[Limits](limits.md), and more"), "limits-and-more");
}
