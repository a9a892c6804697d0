//! `docs/performance.md`.

use std::fmt::Write;
use std::fs;

use crate::charts;
use crate::contenders::Bar;
use crate::items::{COUNT, Items};
use crate::latency::{DEPTHS, Latency};
use crate::server::Persistence;

const NOT_MEASURED: &str = "\nMissing as peers, because nothing here fetches or builds them yet: redis-cell, BullMQ, \
     memcached. What `scripts/peers` could not fetch is missing too.\n";

/// One contender's rounds.
pub struct Measured {
    pub name: &'static str,
    pub bar: Option<Bar>,
    /// Median, least and most, for one operation.
    pub micros: f64,
    pub least: f64,
    pub most: f64,
    /// For each of [`DEPTHS`].
    pub latencies: Vec<Latency>,
}

/// All contenders on one server.
pub struct Setting {
    pub persistence: Persistence,
    pub version: String,
    pub measured: Vec<Measured>,
    /// Only where nothing else is written to the disk meanwhile.
    pub items: Vec<Items>,
}

impl Setting {
    pub fn title(&self) -> String {
        let persistence = match self.persistence {
            Persistence::Off => "no persistence",
            Persistence::EverySecond => "appendonly yes, appendfsync everysec",
        };
        format!("{}, {persistence}", self.version)
    }
}

impl Measured {
    /// Whether it is one of our commands.
    pub fn is_ours(&self) -> bool {
        self.bar.as_ref().is_some_and(|bar| bar.most.is_some())
    }
}

pub fn render(settings: &[Setting], operations: usize, rounds: usize) -> String {
    let mut text = String::from("# Performance\n\n");
    let _ = writeln!(
        text,
        "Printed by `make bench` on {}: {}, {} processors.\n\n\
         CPU time of the server's main thread for one operation, commands pipelined 32 deep on 10 connections over\n\
         loopback; medians of {rounds} interleaved rounds of {operations} operations, with the least and the most. Times hold for\n\
         this machine and moment; the ratios, each within one run, are what carries over. A *bar* is the ratio that we want;\n\
         one that is missed is shown as missed.",
        today(),
        processor(),
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    text.push_str(NOT_MEASURED);
    for (number, setting) in settings.iter().enumerate() {
        let title = setting.title();
        let _ = writeln!(text, "\n## {title}\n\n![CPU time of each operation]({})\n", charts::name(number));
        text.push_str(
            "| operation | µs | least–most | ratio | of | bar |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for measured in &setting.measured {
            row(&mut text, setting, measured);
        }
        latencies(&mut text, setting);
        items(&mut text, setting);
    }
    text
}

fn row(text: &mut String, setting: &Setting, measured: &Measured) {
    let Measured { name, micros, least, most, .. } = measured;
    let _ = write!(text, "| {name} | {micros:.2} | {least:.2}–{most:.2} |");
    let reference = measured.bar.as_ref().and_then(|bar| {
        let of = setting.measured.iter().find(|other| other.name == bar.of)?;
        let most = match setting.persistence {
            Persistence::Off => bar.most,
            Persistence::EverySecond => bar.most_with_aof.or(bar.most),
        };
        Some((of, most))
    });
    let _ = match reference {
        None => writeln!(text, " | | |"),
        Some((of, bar)) => {
            let ratio = micros / of.micros;
            let bar = bar.map_or(String::new(), |bar| {
                format!("{bar} {}", if ratio <= bar { "met" } else { "missed" })
            });
            writeln!(text, " {ratio:.2} | {} | {bar} |", of.name)
        }
    };
}

fn items(text: &mut String, setting: &Setting) {
    if setting.items.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{COUNT} items: bytes each in memory and in the RDB file, ms to save all and to fork with all in memory.\n\n\
         | item | bytes | RDB bytes | save | fork |\n| --- | --- | --- | --- | --- |",
    );
    for Items { what, bytes, rdb_bytes, save_ms, fork_ms } in &setting.items {
        let _ = writeln!(text, "| {what} | {bytes:.0} | {rdb_bytes:.0} | {save_ms:.0} | {fork_ms:.1} |");
    }
}

/// What one connection sees; `µs` from sending a batch to its last reply.
fn latencies(text: &mut String, setting: &Setting) {
    for (at, depth) in DEPTHS.iter().enumerate() {
        let _ = writeln!(
            text,
            "\nOne connection, {depth} in flight: operations a second, and µs until all that was sent is answered.\n\n\
             | operation | per second | p50 | p99 | p99.9 |\n| --- | --- | --- | --- | --- |",
        );
        for measured in &setting.measured {
            let Latency { per_second, p50, p99, p999 } = &measured.latencies[at];
            let _ =
                writeln!(text, "| {} | {per_second:.0} | {p50:.0} | {p99:.0} | {p999:.0} |", measured.name);
        }
    }
}

/// The date by the machine's clock, in UTC.
fn today() -> String {
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    date.map_or_else(
        |_| "an unknown day".into(),
        |date| String::from_utf8_lossy(&date.stdout).trim().to_owned(),
    )
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    model.unwrap_or("an unknown processor").to_owned()
}
