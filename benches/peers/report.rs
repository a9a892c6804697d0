//! `docs/benchmarks/performance.md`.

use std::fmt::Write;

use crate::alternatives;
use crate::charts;
use crate::contender::{Bar, Compared};
use crate::latency::{DEPTHS, Latency};
use crate::memory::{COUNT, Item};
use crate::noop_baseline;
use crate::support::server::Persistence;
use crate::support::targets::met;

/// One contender's rounds.
pub struct Measured {
    pub name: &'static str,
    pub ours: bool,
    pub compared: Vec<Compared>,
    /// Median, least and most, for one operation.
    pub micros: f64,
    pub least: f64,
    pub most: f64,
    /// For each of [`DEPTHS`].
    pub latencies: Vec<Latency>,
}

impl Measured {
    /// Whether it only shows what a module's command costs that does nothing.
    pub fn is_noop(&self) -> bool {
        self.name.contains("does nothing")
    }
}

/// All contenders on one server.
pub struct Setting {
    pub persistence: Persistence,
    pub version: String,
    pub measured: Vec<Measured>,
    /// Only where nothing else is written to the disk meanwhile.
    pub items: Vec<Item>,
}

/// What the page says of the run.
pub struct Run {
    pub date: String,
    /// What was measured, on what: a name and its value.
    pub facts: Vec<(&'static str, String)>,
    pub operations: usize,
    pub rounds: usize,
    /// Whether there are notes that are kept by hand.
    pub has_notes: bool,
}

impl Setting {
    pub fn title(&self) -> String {
        let persistence = match self.persistence {
            Persistence::Off => "no persistence",
            Persistence::EverySecond => "appendonly yes, appendfsync everysec",
        };
        format!("{}, {persistence}", self.version)
    }

    fn most(&self, bar: Bar) -> f64 {
        match self.persistence {
            Persistence::EverySecond => bar.with_aof.unwrap_or(bar.most),
            Persistence::Off if self.version.starts_with("Redis 7.0.") => {
                bar.on_redis_7_0.unwrap_or(bar.most)
            }
            Persistence::Off => bar.most,
        }
    }

    /// How many times the cost of the other one, if that was measured.
    pub fn ratio(&self, measured: &Measured, of: &str) -> Option<f64> {
        let other = self.measured.iter().find(|other| other.name == of)?;
        Some(measured.micros / other.micros)
    }

    /// What has no more to do than a module must.
    pub fn twin(&self, measured: &Measured) -> Option<&Measured> {
        let name = noop_baseline::twin_of(measured.name);
        self.measured.iter().find(|other| other.name == name)
    }

    pub fn verdict(&self, ratio: f64, bar: Bar) -> String {
        let most = self.most(bar);
        format!("{most} {}", met(ratio <= most))
    }
}

pub fn render(run: &Run, settings: &[Setting]) -> String {
    let mut text = String::from("# Performance\n\n");
    let _ = writeln!(text, "Printed by `make bench` on {}.\n\n| | |\n| --- | --- |", run.date);
    for (name, value) in &run.facts {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let _ = writeln!(
        text,
        "\nCPU time of the server's main thread for one operation, commands pipelined 32 deep on 10 connections over\n\
         loopback; medians of {} interleaved rounds of {} operations, with the least and the most. Times hold for\n\
         this machine and moment; the ratios, each within one run, are what carries over. [Our own targets](targets.md) say which of\n\
         them we want to be lower.",
        run.rounds, run.operations,
    );
    if run.has_notes {
        text.push_str("\n[What is left, and why](performance-notes.md) is kept by hand.\n");
    }
    alternatives::table(&mut text, settings);
    for (number, setting) in settings.iter().enumerate() {
        let title = setting.title();
        let _ = writeln!(text, "\n## {title}\n\n![CPU time of each operation]({})\n", charts::name(number));
        text.push_str(
            "| operation | µs | least–most | ratio | of | bar |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        setting.measured.iter().for_each(|measured| rows(&mut text, setting, measured));
        latencies(&mut text, setting);
        items(&mut text, setting);
    }
    text
}

/// Bytes above another item, and whether these are few enough.
pub fn above(items: &[Item], item: &Item) -> Option<String> {
    let bound = item.bound.as_ref()?;
    let other = items.iter().find(|other| other.what == bound.of)?;
    let above = (item.bytes - other.bytes).round();
    Some(format!("+{above:.0} of +{:.0} {}", bound.most_above, met(above <= bound.most_above)))
}

fn rows(text: &mut String, setting: &Setting, measured: &Measured) {
    let Measured { name, micros, least, most, .. } = measured;
    let mut cells = format!("{micros:.2} | {least:.2}–{most:.2}");
    let known = measured.compared.iter().filter_map(|compared| {
        let ratio = setting.ratio(measured, compared.of)?;
        let bar = compared.bar.map_or(String::new(), |bar| setting.verdict(ratio, bar));
        Some(format!("{ratio:.2} | {} | {bar}", compared.of))
    });
    let mut known: Vec<String> = known.collect();
    if known.is_empty() {
        known.push("| |".to_owned());
    }
    for compared in known {
        let _ = writeln!(text, "| {name} | {cells} | {compared} |");
        // A second comparison is of the same times.
        cells = "| ".to_owned();
    }
}

fn items(text: &mut String, setting: &Setting) {
    if setting.items.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{COUNT} items: bytes each in memory and in the RDB file, ms to save all and to fork with all in memory.\n\n\
         | item | bytes | RDB bytes | save | fork | bar, bytes |\n| --- | --- | --- | --- | --- | --- |",
    );
    for item in &setting.items {
        let Item { what, bytes, rdb_bytes, save_ms, fork_ms, bound } = item;
        let bar = above(&setting.items, item)
            .zip(bound.as_ref())
            .map_or(String::new(), |(above, bound)| format!("{}: {above}", bound.of));
        let _ =
            writeln!(text, "| {what} | {bytes:.0} | {rdb_bytes:.0} | {save_ms:.0} | {fork_ms:.1} | {bar} |");
    }
}

/// What one connection sees; `µs` from sending a batch to its last reply.
fn latencies(text: &mut String, setting: &Setting) {
    for (at, depth) in DEPTHS.iter().enumerate() {
        let _ = writeln!(
            text,
            "\nOne connection, {depth} in flight: operations a second (median, least and most of the rounds), and µs until \
             all that was sent is answered.\n\n\
             | operation | per second | least–most | p50 | p99 | p99.9 |\n| --- | --- | --- | --- | --- | --- |",
        );
        for measured in &setting.measured {
            let Latency { per_second, least, most, p50, p99, p999 } = &measured.latencies[at];
            let _ = writeln!(
                text,
                "| {} | {per_second:.0} | {least:.0}–{most:.0} | {p50:.0} | {p99:.0} | {p999:.0} |",
                measured.name
            );
        }
    }
}
