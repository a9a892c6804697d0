//! The summary as a newcomer reads it.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::accounting::equations::{Equation, Reconciliation};

/// How long things took.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until the last delivery was acknowledged.
    pub fed: Duration,
    /// Until the last job was done or dead.
    pub finished: Duration,
}

/// Room for a count.
const COUNT_WIDTH: usize = 9;

/// The table of equations, and whether all of them hold.
pub fn summary(totals: &Reconciliation, latency: &Histogram<u64>, times: Times) -> (String, bool) {
    let equations = totals.equations();
    let broken: Vec<&Equation> = equations.iter().filter(|equation| !equation.holds()).collect();
    let width = equations.iter().map(|equation| equation.left.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for equation in &equations {
        let _ = writeln!(text, "{}", row(equation, width));
    }
    let _ = writeln!(
        text,
        "\n  acknowledgement  p50 {}  p99 {}  max {}  ({} deliveries in {:.1} s; all jobs finished after {:.1} s)\n",
        ms(latency.value_at_quantile(0.5)),
        ms(latency.value_at_quantile(0.99)),
        ms(latency.max()),
        grouped(totals.deliveries),
        times.fed.as_secs_f64(),
        times.finished.as_secs_f64(),
    );
    if broken.is_empty() {
        let _ = writeln!(text, "  Everything adds up.");
    }
    for equation in &broken {
        let sum: u64 = equation.right.iter().map(|term| term.count).sum();
        let _ = writeln!(
            text,
            "  DOES NOT ADD UP: {} is {} by {}, but {} by {}.",
            equation.left.name,
            grouped(equation.left.count),
            equation.left_from,
            grouped(sum),
            equation.right_from,
        );
    }
    (text, broken.is_empty())
}

fn row(equation: &Equation, width: usize) -> String {
    let mark = if equation.holds() { "✓" } else { "✗" };
    let right: Vec<String> =
        equation.right.iter().map(|term| format!("{} {}", grouped(term.count), term.name)).collect();
    let left = equation.left;
    let count = grouped(left.count);
    let both = width + 1 + COUNT_WIDTH;
    format!(
        "  {mark} {:width$} {count:>COUNT_WIDTH$} = {}\n    {:>both$}   {}",
        left.name,
        right.join(" + "),
        equation.left_from,
        equation.right_from,
    )
}

/// Microseconds as milliseconds.
fn ms(micros: u64) -> String {
    format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
}

/// `12345` as `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let mut text = digits[..head].to_owned();
    for start in (head..digits.len()).step_by(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&digits[start..start + 3]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals() -> Reconciliation {
        Reconciliation {
            deliveries: 10,
            broken: Some(1),
            accepted: 5,
            duplicates: 1,
            mismatched: 1,
            limited: 2,
            malformed: 1,
            retries: 3,
            planned_dead: 1,
            customers: 2,
            done: 4,
            dead: 1,
            runs: 8,
            distinct_runs: 8,
            intact_runs: 8,
            loads: 2,
            most_loads: 1,
        }
    }

    fn shown(totals: &Reconciliation) -> (String, bool) {
        let mut latency = Histogram::new(3).unwrap();
        latency.record(1_500).unwrap();
        summary(totals, &latency, Times { fed: Duration::from_secs(1), finished: Duration::from_secs(2) })
    }

    #[test]
    fn totals_that_agree_are_shown_as_such() {
        let (text, adds_up) = shown(&totals());
        assert!(adds_up && text.contains("Everything adds up") && !text.contains('✗'), "{text}");
        assert!(text.contains("p50 1.5 ms"), "{text}");
    }

    #[test]
    fn the_line_that_does_not_add_up_is_named() {
        let (text, adds_up) =
            shown(&Reconciliation { runs: 9, distinct_runs: 9, intact_runs: 9, ..totals() });
        assert!(!adds_up && !text.contains("Everything"), "{text}");
        assert!(
            text.contains("DOES NOT ADD UP: handler runs is 9 by runs file, but 8 by JOBQ.STATS"),
            "{text}"
        );
        assert_eq!(text.matches('✗').count(), 1, "{text}");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
    }
}
