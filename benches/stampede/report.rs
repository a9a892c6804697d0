//! The page that the run writes.

use std::fmt::Write;

use crate::memory::{Part, Row};
use crate::stampede::{CLIENTS, Crashes, ROUNDS, Rounds, Woken};
use crate::support::machine;
use crate::support::targets::{Bars, met};

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn page(version: &str, woken: &Rounds, crashes: &Crashes, memory: &[Row], parts: &[Part]) -> String {
    let mut page = String::new();
    let ms = |rounds: &[Woken]| median(rounds.iter().map(|woken| woken.ms));
    let cpu = |rounds: &[Woken]| median(rounds.iter().map(|woken| woken.cpu_ms));
    let fills = woken.cache.iter().map(|woken| woken.fills).max().unwrap_or_default();
    let mut bars = Bars::default();
    let ratio = ms(&woken.cache) / ms(&woken.stream);
    bars.add("FILLs of a round", fills as f64, 1.0);
    bars.add("waking the readers of a cold key, as a ratio to XREAD", ratio, 1.0);
    bars.add(
        &format!("FILLs when {} fillers crash", crashes.crashed),
        crashes.fills as f64,
        (crashes.crashed + 1) as f64,
    );
    for row in memory {
        if let Some((above, most)) = row.above {
            bars.add(&format!("{}: bytes above a plain key", row.what), above.round(), most);
        }
    }
    for part in parts {
        if let Some(most) = part.most {
            bars.add(&format!("{}: bytes", part.what), part.bytes.round(), most);
        }
    }
    let _ = write!(
        page,
        "# A cache stampede, and memory\n\n\
         Printed by `make bench-stampede` on {} with {version}: {}.\n\
         Times hold for one machine and moment; what carries over is how\n\
         they compare within the run. Medians of {ROUNDS} rounds, taken in turns.\n\n\
         {}\
         ## {CLIENTS} readers of one cold key\n\n\
         Four processes with 2,500 connections each ask `CACHE.GETSET cold BLOCK 60s` at once; one of them is told to fill,\n\
         and does. Beside it as many clients in `XREAD BLOCK`, woken by one XADD of the same 100 bytes.\n\n\
         | | until the last has its reply | server CPU |\n| --- | --- | --- |\n\
         | CACHE.SET wakes those in GETSET | {:.1} ms | {:.1} ms |\n\
         | XADD wakes those in XREAD | {:.1} ms | {:.1} ms |\n\n\
         Then {} fillers crash one after the other: each time the lease runs out and one other is told to fill. {} FILLs in\n\
         all, {} readers served.\n\n",
        machine::today(),
        machine::machine(),
        bars.section(),
        ms(&woken.cache),
        cpu(&woken.cache),
        ms(&woken.stream),
        cpu(&woken.stream),
        crashes.crashed,
        crashes.fills,
        crashes.served,
    );
    page.push_str(
        "## Memory\n\n`used_memory` over 100,000 keys with names of 13 bytes, the keyspace included; *above* is what is taken \
         beyond the plain key.\n\n| key | bytes | above | bar |\n| --- | --- | --- | --- |\n",
    );
    for row in memory {
        let above = row.above.map_or_else(
            || "| ".to_owned(),
            |(above, most)| format!("{above:.0} | {most:.0} {}", met(above.round() <= most)),
        );
        let _ = writeln!(page, "| {} | {:.0} | {above} |", row.what, row.bytes);
    }
    page.push_str("\nWithin a key, of 100,000 of them:\n\n| | bytes | bar |\n| --- | --- | --- |\n");
    for Part { what, bytes, most } in parts {
        let bar = most.map_or(String::new(), |most| format!("{most:.0} {}", met(bytes.round() <= most)));
        let _ = writeln!(page, "| {what} | {bytes:.0} | {bar} |");
    }
    page
}
