//! The machine and the day, as pages name them.

use std::fs;
use std::process::Command;

fn said(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The date by the machine's clock, in UTC.
pub fn today() -> String {
    said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(|| "an unknown day".into())
}

/// Such as "AMD EPYC, 2 processors, Linux 6.1".
pub fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let system = said("uname", &["-sr"]).unwrap_or_else(|| "an unknown system".into());
    format!(
        "{}, {} processors, {system}",
        model.unwrap_or("an unknown processor"),
        std::thread::available_parallelism().map_or(0, usize::from)
    )
}
