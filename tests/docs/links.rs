//! The links of a page to files of this repository.

use std::path::{Path, PathBuf};

/// The targets of all relative Markdown links in `text`, without their anchors.
pub fn relative(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let files = targets.map(|target| target.split('#').next().unwrap_or_default());
    files.filter(|file| !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:")).collect()
}

/// The links of `page` that lead to no file.
pub fn broken(page: &Path, text: &str) -> Vec<PathBuf> {
    let folder = page.parent().expect("a page lies in a folder");
    relative(text).into_iter().map(|file| folder.join(file)).filter(|file| !file.exists()).collect()
}
