//! The bars of a page: each page lists its own at its top, and docs/benchmarks/performance.md
//! quotes them.

use std::fmt::Write;

const HEADING: &str = "## Bars\n\n";

pub fn met(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

#[derive(Default)]
#[allow(dead_code)] // a benchmark writes such a section or quotes it
pub struct Bars(String);

#[allow(dead_code)]
impl Bars {
    /// What is measured, how it came out, and the most that it may be.
    pub fn add(&mut self, what: &str, measured: f64, most: f64) {
        let number =
            |value: f64| if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
        let _ = writeln!(
            self.0,
            "| {what} | {} | {} | {} |",
            number(measured),
            number(most),
            met(measured <= most)
        );
    }

    /// With an empty line at its end.
    pub fn section(&self) -> String {
        format!("{HEADING}| | measured | at most | |\n| --- | --- | --- | --- |\n{}\n", self.0)
    }
}

/// The table in a page's own section.
#[allow(dead_code)]
pub fn section(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(HEADING)?;
    Some(rest.split("\n## ").next().unwrap_or(rest).trim_end())
}
