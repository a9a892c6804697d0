//! A benchmark that writes one page: its options, and what becomes of the page.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub struct Options {
    pub server: PathBuf,
    pub module: PathBuf,
    report: Option<PathBuf>,
}

impl Options {
    /// Where the page goes, and its pictures.
    #[allow(dead_code)] // not every page has pictures
    pub fn folder(&self) -> Option<&Path> {
        self.report.as_deref().and_then(Path::parent)
    }
}

/// Reads the options, measures, prints the page and writes it where `--report` says. `target` is
/// how make calls it; `more` takes an option of its own with its value, and tells whether there is
/// such a one.
pub fn run(
    target: &str,
    words: impl Iterator<Item = String>,
    more: impl FnMut(&str, &str) -> Result<bool, String>,
    measure: impl FnOnce(&Options) -> Result<String, String>,
) -> ExitCode {
    let written = options(target, words, more).and_then(|options| {
        let page = measure(&options)?;
        print!("{page}");
        match &options.report {
            Some(path) => std::fs::write(path, page).map_err(|error| format!("writing the report: {error}")),
            None => Ok(()),
        }
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{target}: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn options(
    target: &str,
    mut words: impl Iterator<Item = String>,
    mut more: impl FnMut(&str, &str) -> Result<bool, String>,
) -> Result<Options, String> {
    let (mut server, mut module, mut report) = (None, None, None);
    while let Some(word) = words.next() {
        // What cargo itself gives to every benchmark.
        if word == "--bench" {
            continue;
        }
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        match word.as_str() {
            "--server" => server = Some(PathBuf::from(value)),
            "--module" => module = Some(PathBuf::from(value)),
            "--report" => report = Some(PathBuf::from(value)),
            other if more(other, &value)? => {}
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    let missing = |name: &str| format!("{name} is missing: run make {target}");
    Ok(Options {
        server: server.ok_or_else(|| missing("--server"))?,
        module: module.ok_or_else(|| missing("--module"))?,
        report,
    })
}
