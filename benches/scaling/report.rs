//! The page that the run writes.

use std::fmt::Write;

use crate::charts::{self, grouped};
use crate::cpu_meter::Longest;
use crate::drain::Drain;
use crate::job_kinds::{KINDS, Kind};
use crate::queue::Queue;
use crate::ratelimit_check::Checks;
use crate::server_stats::{Call, SlowCall};
use crate::support::machine;
use crate::support::targets::{Bars, met};

/// The largest ratio of a verb's cost to its cost in the smallest queue.
const GROWTH: f64 = 3.0;
/// Bytes of a waiting job of 200 bytes.
const BYTES: f64 = 310.0;

pub struct Run<'a> {
    pub version: String,
    pub queues: &'a [Queue],
    pub drain: &'a Drain,
    pub keys: &'a [Checks],
}

pub fn page(run: &Run) -> String {
    let mut page = format!(
        "# Scaling\n\nPrinted by `make bench-scaling` on {} with {}: {}.\n\
         Server CPU of one call in microseconds (commands pipelined 32 deep), as one queue of jobs with 200 bytes grows.\n\
         Times hold for one machine and moment; what carries over is how they grow. All was done twice in a server, and the costs\n\
         are those of the second time, when its memory had been touched; a call counts as long when it was so both times. The slow log\n\
         goes by the clock on the wall: it also has the calls in which the machine gave the processor to somebody else.\n\n",
        machine::today(),
        run.version,
        machine::machine(),
    );
    page.push_str(&bars(run).section());
    for kind in KINDS {
        verbs(&mut page, kind, &of(run.queues, kind));
    }
    drained(&mut page, run.drain);
    memory(&mut page, run.queues);
    checks(&mut page, run.keys);
    page
}

pub fn of(queues: &[Queue], kind: Kind) -> Vec<&Queue> {
    queues.iter().filter(|queue| queue.kind == kind).collect()
}

/// Each verb's cost in the largest queue, as a ratio to that in the smallest.
fn growth<'a>(queues: &'a [&Queue]) -> impl Iterator<Item = (&'static str, f64)> + 'a {
    let ends = queues.first().zip(queues.last());
    ends.into_iter().flat_map(|(first, last)| {
        first.verbs.iter().zip(&last.verbs).map(|((verb, less), (_, more))| (*verb, more / less))
    })
}

fn bars(run: &Run) -> Bars {
    let mut bars = Bars::default();
    for kind in KINDS {
        let queues = of(run.queues, kind);
        let Some((verb, most)) = growth(&queues).max_by(|one, other| one.1.total_cmp(&other.1)) else {
            continue;
        };
        let (least, largest) = (queues[0].jobs, queues[queues.len() - 1].jobs);
        let what = format!(
            "{}: cost at {} jobs as a ratio to that at {}; the most is {verb}",
            kind.title(),
            grouped(largest),
            grouped(least)
        );
        bars.add(&what, most, GROWTH);
        let over: usize = queues.iter().map(|queue| queue.longest.over).sum();
        bars.add(&format!("{}: calls of more than 5 ms of CPU", kind.title()), over as f64, 0.0);
    }
    let drain = run.drain;
    let what = format!("{} jobs due in one second: calls of more than 5 ms of CPU", grouped(drain.jobs));
    bars.add(&what, drain.longest.over as f64, 0.0);
    if let Some(bytes) = bytes_of_a_million(run.queues) {
        bars.add("bytes of a waiting job with 200 bytes, over 1,000,000", bytes.round(), BYTES);
    }
    bars
}

fn bytes_of_a_million(queues: &[Queue]) -> Option<f64> {
    let million = queues.iter().find(|queue| queue.jobs == 1_000_000 && queue.kind == Kind::Ready);
    million?.storage.as_ref().map(|storage| storage.bytes)
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
    let _ = writeln!(page, "## {}\n\n![Cost of each verb]({})\n", kind.title(), charts::name(kind));
    let sizes = queues.iter().map(|queue| grouped(queue.jobs));
    head(page, "jobs", sizes.chain(["growth".to_owned(), "bar".to_owned()]));
    for ((at, (verb, _)), (_, growth)) in first.verbs.iter().enumerate().zip(growth(queues)) {
        let costs = queues.iter().map(|queue| format!("{:.2}", queue.verbs[at].1));
        let bar = format!("{GROWTH} {}", met(growth <= GROWTH));
        row(page, verb, costs.chain([format!("{growth:.2}"), bar]));
    }
    let slow: Vec<&SlowCall> = queues.iter().flat_map(|queue| &queue.slow_calls).collect();
    slow_calls(page, queues.iter().map(|queue| queue.longest), &slow);
    let _ = writeln!(page, "By the server's own count, at {} jobs (filling included):\n", grouped(last.jobs));
    calls(page, &last.calls);
}

fn slow_calls(page: &mut String, longest: impl Iterator<Item = Longest>, calls: &[&SlowCall]) {
    let longest = longest.fold(Longest::default(), Longest::and);
    let _ = write!(
        page,
        "\nCalls of more than 5 ms of the server's CPU: {} (bar: 0, {}); the longest, or the longest 32 of those that were sent\n\
         together, took {:.1} ms. In the slow log, which goes by the clock on the wall: {}",
        longest.over,
        met(longest.over == 0),
        longest.ms,
        calls.len(),
    );
    for SlowCall { command, ms } in calls.iter().take(10) {
        let _ = write!(page, "; {command} {ms:.1} ms");
    }
    page.push_str(".\n\n");
}

fn calls(page: &mut String, calls: &[Call]) {
    head(page, "command", ["calls", "mean µs", "p99.9 µs"].into_iter().map(str::to_owned));
    for Call { command, calls, mean, p999 } in calls {
        row(page, command, [calls.to_string(), format!("{mean:.2}"), format!("{p999:.0}")].into_iter());
    }
    page.push('\n');
}

/// Upper ends of the histogram's bins, in microseconds.
const BINS: [u64; 8] = [50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000];

fn drained(page: &mut String, drain: &Drain) {
    let Drain { jobs, seconds, longest, slow_calls: slow, calls: counted, pings } = drain;
    let _ = write!(
        page,
        "## {} jobs due in the same second\n\nOne worker takes and acknowledges 1,000 at a time, and has them all done {seconds:.1} s \
         after the first one was due.\n",
        grouped(*jobs)
    );
    slow_calls(page, [*longest].into_iter(), &slow.iter().collect::<Vec<_>>());
    calls(page, counted);
    let micros = |quantile| pings.value_at_quantile(quantile) as f64 / 1e3;
    let _ = writeln!(
        page,
        "A PING every 100 µs or so meanwhile, from another connection; {} of them: p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs,\n\
         the longest {:.0} µs.\n",
        pings.len(),
        micros(0.5),
        micros(0.99),
        micros(0.999),
        pings.max() as f64 / 1e3
    );
    head(page, "PING took up to", ["how many", "so far"].into_iter().map(str::to_owned));
    let mut below = 0;
    for most in BINS.into_iter().map(Some).chain([None]) {
        let name = most.map_or("longer".to_owned(), |most| format!("{} µs", grouped(most as usize)));
        let so_far = most.map_or(pings.len(), |most| pings.count_between(0, most * 1_000));
        let part = 100.0 * so_far as f64 / pings.len() as f64;
        row(page, &name, [(so_far - below).to_string(), format!("{part:.2} %")].into_iter());
        below = so_far;
    }
    page.push('\n');
}

fn memory(page: &mut String, queues: &[Queue]) {
    page.push_str("## Memory, RDB files and forks\n\nA list of the same payloads beside it; bytes are those of one job.\n\n");
    let columns =
        ["bytes", "in a list", "RDB", "RDB of a list", "SAVE s", "of a list s", "save and load s", "fork ms"];
    head(page, "jobs", columns.into_iter().map(str::to_owned));
    for queue in queues {
        let Some(storage) = &queue.storage else { continue };
        let cells = [
            format!("{:.0}", storage.bytes),
            format!("{:.0}", storage.list.bytes),
            format!("{:.0}", storage.rdb_bytes),
            format!("{:.0}", storage.list.rdb_bytes),
            format!("{:.2}", storage.save_s),
            format!("{:.2}", storage.list.save_s),
            format!("{:.2}", storage.reload_s),
            format!("{:.1}", storage.fork_ms),
        ];
        row(page, &format!("{} {}", grouped(queue.jobs), queue.kind.word()), cells.into_iter());
    }
}

fn checks(page: &mut String, keys: &[Checks]) {
    page.push_str("\n## RATELIMIT.CHECK over many keys\n\n");
    head(page, "keys", ["CHECK", "INCR", "ratio"].into_iter().map(str::to_owned));
    for checks in keys {
        let ratio = checks.check_us / checks.incr_us;
        let cells = [checks.check_us, checks.incr_us, ratio].map(|cell| format!("{cell:.2}"));
        row(page, &grouped(checks.keys), cells.into_iter());
    }
}
