//! `docs/performance.md`.

use std::fmt::Write;
use std::fs;

use crate::contenders::Bar;
use crate::latency::{DEPTHS, Latency};
use crate::server::Persistence;

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
    for setting in settings {
        let persistence = match setting.persistence {
            Persistence::Off => "no persistence",
            Persistence::EverySecond => "`appendonly yes`, `appendfsync everysec`",
        };
        let _ = writeln!(text, "\n## {}, {persistence}\n", setting.version);
        text.push_str(
            "| operation | µs | least–most | ratio | of | bar |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for measured in &setting.measured {
            row(&mut text, setting, measured);
        }
        latencies(&mut text, setting);
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
