//! `docs/benchmarks/targets.md`: what we want, and what is missed.

use std::fmt::Write;

use crate::report::{Setting, above};
use crate::support::server::Persistence;
use crate::support::targets;

/// `pages` have bars of their own: the file's name and the text.
pub fn render(date: &str, settings: &[Setting], pages: &[(&'static str, String)]) -> String {
    let mut text = String::from("# Our own targets\n\n");
    let _ = writeln!(
        text,
        "Printed by `make bench` on {date}, from [what it measured](performance.md). A *bar* is the ratio that we want; one that is\n\
         missed is shown as missed. [What is left, and why](performance-notes.md) is kept by hand.\n\n## Beside the server's own commands",
    );
    bars(&mut text, settings);
    for (file, page) in pages {
        quote(&mut text, file, page);
    }
    text
}

/// Every bar, in every setting.
fn bars(text: &mut String, settings: &[Setting]) {
    text.push_str(
        "\nThe ratio measured, and the most that it is to be. In brackets: the ratio of a module's command that asks the\n\
         server for the same and replies as much, but does nothing ([benches/noop_module](../../benches/noop_module/lib.rs)): no module can\n\
         go below that.\n\n| operation | of |",
    );
    for setting in settings {
        let persistence = if setting.persistence == Persistence::Off { "" } else { ", everysec" };
        let _ = write!(text, " {}{persistence} |", setting.version);
    }
    let _ = writeln!(text, "\n|{}", " --- |".repeat(settings.len() + 2));
    let Some(first) = settings.first() else { return };
    for (row, measured) in first.measured.iter().enumerate() {
        for (column, compared) in measured.compared.iter().enumerate() {
            let Some(bar) = compared.bar else { continue };
            let _ = write!(text, "| {} | {} |", measured.name, compared.of);
            for setting in settings {
                let one = &setting.measured[row];
                let of = one.compared[column].of;
                let mut cell = setting
                    .ratio(one, of)
                    .map_or(String::new(), |ratio| format!("{ratio:.2} of {}", setting.verdict(ratio, bar)));
                if let Some(least) = setting.twin(one).and_then(|twin| setting.ratio(twin, of)) {
                    let _ = write!(cell, " ({least:.2})");
                }
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
    }
    for (row, item) in first.items.iter().enumerate() {
        let Some(bound) = &item.bound else { continue };
        let _ = write!(text, "| {}, bytes | {} |", item.what, bound.of);
        for setting in settings {
            let cell = setting.items.get(row).and_then(|item| above(&setting.items, item));
            let _ = write!(text, " {} |", cell.unwrap_or_default());
        }
        text.push('\n');
    }
}

fn quote(text: &mut String, file: &str, page: &str) {
    let Some(bars) = targets::section(page) else { return };
    let printed = page.lines().find(|line| line.starts_with("Printed by")).unwrap_or_default();
    let title = page.lines().next().unwrap_or_default().trim_start_matches("# ");
    let _ = writeln!(text, "\n## {title}\n\nFrom [{file}]({file}). {printed}\n\n{bars}");
}
