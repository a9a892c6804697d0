//! The page that the run writes.

use std::fmt::Write;

use crate::crowd::{CLIENTS, Crashes, ROUNDS, Rounds, Woken};
use crate::memory::Row;

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn page(version: &str, woken: &Rounds, crashes: &Crashes, memory: &[Row]) -> String {
    let mut page = String::new();
    let verdict = |met| if met { "met" } else { "missed" };
    let ms = |rounds: &[Woken]| median(rounds.iter().map(|woken| woken.ms));
    let cpu = |rounds: &[Woken]| median(rounds.iter().map(|woken| woken.cpu_ms));
    let fills = woken.cache.iter().map(|woken| woken.fills).max().unwrap_or_default();
    let _ = write!(
        page,
        "# A crowd at one key, and memory\n\n\
         Printed by `make bench-crowd` with {version}. Times hold for one machine and moment; what carries over is how\n\
         they compare within the run. Medians of {ROUNDS} rounds, taken in turns.\n\n\
         ## {CLIENTS} readers of one cold key\n\n\
         Four processes with 2,500 connections each ask `CACHE.GETSET cold BLOCK 60s` at once; one of them is told to fill,\n\
         and does. Beside it as many clients in `XREAD BLOCK`, woken by one XADD of the same 100 bytes.\n\n\
         | | until the last has its reply | server CPU |\n| --- | --- | --- |\n\
         | CACHE.SET wakes those in GETSET | {:.1} ms | {:.1} ms |\n\
         | XADD wakes those in XREAD | {:.1} ms | {:.1} ms |\n\n\
         - FILLs a round: {fills} (bar: 1, {})\n\
         - waking, as a ratio to XREAD: {:.2} (bar: 1.00, {})\n\
         - fillers that crashed: {}; FILLs in all: {} (bar: at most {}, {}); served then: {}\n\n",
        ms(&woken.cache),
        cpu(&woken.cache),
        ms(&woken.stream),
        cpu(&woken.stream),
        verdict(fills == 1),
        ms(&woken.cache) / ms(&woken.stream),
        verdict(ms(&woken.cache) <= ms(&woken.stream)),
        crashes.crashed,
        crashes.fills,
        crashes.crashed + 1,
        verdict(crashes.fills <= crashes.crashed + 1),
        crashes.served,
    );
    page.push_str(
        "## Memory\n\n`used_memory` over 100,000 keys with names of 13 bytes, the keyspace included; *above* is what is taken \
         beyond the plain key.\n\n| key | bytes | above | bar |\n| --- | --- | --- | --- |\n",
    );
    for row in memory {
        let above = row.above.map_or_else(
            || "| ".to_owned(),
            |(above, most)| format!("{above:.0} | {most:.0} {}", verdict(above.round() <= most)),
        );
        let _ = writeln!(page, "| {} | {:.0} | {above} |", row.what, row.bytes);
    }
    page
}
