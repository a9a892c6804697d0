//! What a user would pick instead, as times the cost of ours: the first table of the page.

use std::fmt::Write;

use crate::report::{Measured, Setting};
use crate::support::server::Persistence;

/// What others publish of themselves. These figures were measured on other machines, and are no
/// part of the run.
const PUBLISHED: &str = "\
Sidekiq's README says that Sidekiq 7.0.3 ran 500,000 jobs that do nothing in 21.3 s, in one process of 30 threads with Ruby 3.2 and YJIT, at a network latency of 1 ms: 23,500 jobs a second. \
The workers of BullMQ, chasquimq, arq and SAQ are measured beside ours on [the worker's page](worker.md), in one run. redis-cell 0.2.2, of 2019, is the newest on \
crates.io; it does not replicate what it takes, so a replica that is promoted has forgotten it.";

/// What of ours does the same, and the others.
fn rows(setting: &Setting) -> Vec<(&Measured, &Measured)> {
    let ours = setting.measured.iter().filter(|one| one.ours);
    let others = |ours: &'static str| {
        let same = move |other: &&Measured| {
            !other.ours && !other.is_noop() && other.compared.iter().any(|compared| compared.of == ours)
        };
        setting.measured.iter().filter(same)
    };
    ours.flat_map(|one| others(one.name).map(move |other| (one, other))).collect()
}

pub fn table(text: &mut String, settings: &[Setting]) {
    let Some(first) = settings.first() else { return };
    text.push_str("\n## What you would use instead\n\n![Times the cost of ours](../images/cost.svg)\n\n");
    text.push_str(
        "How many times as much CPU time of the server the other one takes. The last columns are of one connection with one \
         command in flight on the first of the servers: µs until the answer, ours and theirs, of which most is the network's.\n\n",
    );
    text.push_str("| ours | instead |");
    for setting in settings {
        let persistence = if setting.persistence == Persistence::Off { "" } else { ", everysec" };
        let _ = write!(text, " {}{persistence} |", setting.version);
    }
    text.push_str(" p50, ours and theirs | p99, ours and theirs |\n");
    let _ = writeln!(text, "|{}", " --- |".repeat(settings.len() + 4));
    for (ours, other) in rows(first) {
        let _ = write!(text, "| {} | {} |", ours.name, other.name);
        for setting in settings {
            let micros = |name| setting.measured.iter().find(|one| one.name == name).map(|one| one.micros);
            let ratio = micros(other.name).zip(micros(ours.name)).map(|(other, ours)| other / ours);
            let _ = write!(text, " {} |", ratio.map_or(String::new(), |ratio| format!("{ratio:.1}")));
        }
        let [ours, other] = [ours, other].map(|one| one.latencies[0]);
        let _ = writeln!(text, " {:.0} / {:.0} | {:.0} / {:.0} |", ours.p50, other.p50, ours.p99, other.p99);
    }
    let _ = writeln!(text, "\n{PUBLISHED}");
}
