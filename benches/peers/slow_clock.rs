//! Builds the slow clock that is preloaded into a server under callgrind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = include_str!("slow_clock.c");

/// Compiles it with the machine's `cc`, and returns where it is.
pub fn build() -> Result<PathBuf, String> {
    let folder = std::env::temp_dir();
    let stem = format!("workgate-slow-clock-{}", std::process::id());
    let (source, library) = (folder.join(format!("{stem}.c")), folder.join(format!("{stem}.so")));
    fs::write(&source, SOURCE).map_err(|error| format!("{}: {error}", source.display()))?;
    let compiled =
        Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    let _ = fs::remove_file(&source);
    match compiled {
        Ok(status) if status.success() => Ok(library),
        Ok(status) => Err(format!("cc could not compile the slow clock ({status})")),
        Err(error) => Err(format!("cc: {error}")),
    }
}
