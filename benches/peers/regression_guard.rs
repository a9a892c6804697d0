//! The committed table of instruction ratios, and what is compared with it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// How much above the table a ratio may come out: two counts of the same program differ by less.
const TOLERANCE: f64 = 0.04;

pub fn write(table: &Path, ratios: &[(&str, f64)]) -> Result<(), String> {
    let mut text = String::from(
        "# Instructions of a command as a ratio to its peer's; `make bench-guard` compares, `make bench-accept` writes.\n",
    );
    for (name, ratio) in ratios {
        let _ = writeln!(text, "{ratio:.3}  {name}");
    }
    fs::write(table, text).map_err(|error| format!("{}: {error}", table.display()))
}

/// An error names every command that costs more than the table says.
pub fn check(table: &Path, ratios: &[(&str, f64)]) -> Result<(), String> {
    let text = fs::read_to_string(table).map_err(|error| format!("{}: {error}", table.display()))?;
    let mut faults = Vec::new();
    for (name, ratio) in ratios {
        match accepted(&text, name) {
            None => faults.push(format!("{name}: is not in the table")),
            Some(accepted) if *ratio > accepted * (1.0 + TOLERANCE) => {
                faults.push(format!("{name}: {ratio:.3}, the table has {accepted:.3}"));
            }
            Some(_) => {}
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more instructions than {} allows (`make bench-accept` writes it anew, where that is meant):\n  {}",
        table.display(),
        faults.join("\n  ")
    ))
}

fn accepted(table: &str, name: &str) -> Option<f64> {
    table.lines().find_map(|line| {
        let (ratio, named) = line.split_once("  ")?;
        (named == name).then(|| ratio.parse().ok())?
    })
}
