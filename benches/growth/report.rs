//! The page that the run writes.

use std::fmt::Write;

use crate::checks::Checks;
use crate::jobs::{Kind, Queue};

pub fn page(version: &str, queues: &[Queue], keys: &[Checks]) -> String {
    let mut page = format!(
        "# Growth\n\nPrinted by `make bench-growth` with {version}: server CPU of one call in microseconds (commands pipelined 32 deep), \
         as one queue of jobs with 200 bytes grows. Times hold for one machine and moment; what carries over is how they grow.\n\n"
    );
    for kind in [Kind::Ready, Kind::Delayed] {
        let of_kind: Vec<&Queue> = queues.iter().filter(|queue| queue.kind == kind).collect();
        verbs(&mut page, kind, &of_kind);
    }
    memory(&mut page, queues);
    checks(&mut page, keys);
    page
}

fn row(page: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(page, "| {name} | {} |", cells.join(" | "));
}

fn head(page: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(page, "| {first} | {} |", cells.join(" | "));
    let _ = writeln!(page, "|{}", " --- |".repeat(cells.len() + 1));
}

fn verbs(page: &mut String, kind: Kind, queues: &[&Queue]) {
    let (Some(first), Some(last)) = (queues.first(), queues.last()) else { return };
    let _ = writeln!(page, "## Jobs {}\n", kind.word());
    let sizes = queues.iter().map(|queue| queue.jobs.to_string());
    head(page, "jobs", sizes.chain(["growth".to_owned(), "bar".to_owned()]));
    for (at, (verb, least)) in first.verbs.iter().enumerate() {
        let cost = |queue: &&Queue| format!("{:.2}", queue.verbs[at].1);
        let growth = last.verbs[at].1 / least;
        let bar = if growth <= 3.0 { "3.0 met" } else { "3.0 missed" };
        row(page, verb, queues.iter().map(cost).chain([format!("{growth:.2}"), bar.to_owned()]));
    }
    let slow: i64 = queues.iter().map(|queue| queue.slow_calls).sum();
    let _ =
        writeln!(page, "\nCalls of more than 5 ms in the slow log: {slow} (bar: 0, {})\n", met(slow == 0));
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn memory(page: &mut String, queues: &[Queue]) {
    page.push_str("## Memory, RDB files and forks\n\nA list of the same payloads beside it; bytes are those of one job.\n\n");
    let columns =
        ["bytes", "in a list", "RDB", "RDB of a list", "SAVE s", "of a list s", "save and load s", "fork ms"];
    head(page, "jobs", columns.into_iter().map(str::to_owned));
    for queue in queues {
        let cells = [
            format!("{:.0}", queue.bytes_a_job),
            format!("{:.0}", queue.list_bytes),
            format!("{:.0}", queue.rdb_bytes / queue.jobs as f64),
            format!("{:.0}", queue.list_rdb_bytes),
            format!("{:.2}", queue.save_s),
            format!("{:.2}", queue.list_save_s),
            format!("{:.2}", queue.reload_s),
            format!("{:.1}", queue.fork_ms),
        ];
        row(page, &format!("{} {}", queue.jobs, queue.kind.word()), cells.into_iter());
    }
    let million = queues.iter().find(|queue| queue.jobs == 1_000_000 && queue.kind == Kind::Ready);
    if let Some(queue) = million {
        let bytes = queue.bytes_a_job;
        let _ = writeln!(
            page,
            "\nBytes of a waiting job with 200 bytes, over 1,000,000: {bytes:.0} (bar: 310, {})",
            met(bytes <= 310.0)
        );
    }
}

fn checks(page: &mut String, keys: &[Checks]) {
    page.push_str("\n## RATELIMIT.CHECK over many keys\n\n");
    head(page, "keys", ["CHECK", "INCR", "ratio"].into_iter().map(str::to_owned));
    for checks in keys {
        let ratio = checks.check_us / checks.incr_us;
        let cells = [checks.check_us, checks.incr_us, ratio].map(|cell| format!("{cell:.2}"));
        row(page, &checks.keys.to_string(), cells.into_iter());
    }
}
