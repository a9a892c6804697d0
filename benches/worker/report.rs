//! The page.

use std::fmt::Write;

use hdrhistogram::Histogram;

use crate::support::machine;
use crate::{Round, handlers, latency, million, rivals};

pub struct Measured {
    pub server: String,
    pub jobs: usize,
    pub rounds: Vec<Round>,
    /// With a line in the log for each job.
    pub logged: million::Outcome,
    pub handlers: handlers::Rates,
    pub latency: latency::Latency,
}

/// How a bar is read.
enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// The bars of the page, with what came out.
#[derive(Default)]
struct Bars(String);

impl Bars {
    fn add(&mut self, what: &str, measured: f64, bar: Bar) {
        let number = |value: f64| {
            if value >= 100.0 { thousands(value) } else { format!("{value:.2}").replace(".00", "") }
        };
        let (words, met) = match bar {
            Bar::AtLeast(bar) => (format!("at least {}", number(bar)), measured >= bar),
            Bar::AtMost(bar) => (format!("at most {}", number(bar)), measured <= bar),
        };
        let met = if met { "met" } else { "missed" };
        let _ = writeln!(self.0, "| {what} | {} | {words} | {met} |", number(measured));
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e6
}

pub fn page(measured: &Measured) -> String {
    let mut bars = Bars::default();
    let through = throughput(measured, &mut bars);
    let handlers = kinds(measured, &mut bars);
    let latency = latencies(&measured.latency, &mut bars);
    format!(
        "# The worker\n\n\
         `make bench-worker` prints this page. A bar is a ratio within one round, or what it says; rates are those of this machine,\n\
         on which the server, the worker and what pushes share the processors.\n\n{}, {}, {}\n\n\
         ## A million jobs\n\n{through}\n## Handlers\n\n{handlers}\n## How soon\n\n{latency}\n\
         ## Bars\n\n| | measured | bar | |\n| --- | --- | --- | --- |\n{}",
        measured.server,
        machine::machine(),
        machine::today(),
        bars.0,
    )
}

fn throughput(measured: &Measured, bars: &mut Bars) -> String {
    let rounds = &measured.rounds;
    let ours = |read: fn(&million::Outcome) -> f64| median(rounds.iter().map(|round| read(&round.ours)));
    let mut rows = String::new();
    let incr = median(rounds.iter().map(|round| round.incr));
    let _ = writeln!(rows, "| INCR, 50 connections, one command at a time | {} | | | |", thousands(incr));
    let _ = writeln!(
        rows,
        "| **`workgate work`**, {} jobs | **{}** | {} | {:.2} | {:.2} |",
        thousands(measured.jobs as f64),
        thousands(ours(million::Outcome::rate)),
        thousands(ours(|ours| ours.jobs as f64 / ours.work_seconds)),
        ours(|ours| ours.server_us),
        ours(|ours| ours.worker_us),
    );
    let logged = &measured.logged;
    let _ = writeln!(
        rows,
        "| the same with a line in the log for each, {} jobs | {} | {} | {:.2} | {:.2} |",
        thousands(logged.jobs as f64),
        thousands(logged.rate()),
        thousands(logged.jobs as f64 / logged.work_seconds),
        logged.server_us,
        logged.worker_us,
    );
    bars.add(
        "A million jobs beside INCR, times its rate",
        median(rounds.iter().map(|round| round.ours.rate() / round.incr)),
        Bar::AtLeast(3.0),
    );
    for (place, rival) in rivals::ALL.iter().enumerate() {
        let pairs: Vec<(&Round, rivals::Outcome)> =
            rounds.iter().filter_map(|round| Some((round, round.rivals[place]?))).collect();
        if pairs.is_empty() {
            let _ = writeln!(rows, "| {} | not measured | | | |", rival.name);
            continue;
        }
        let of = |read: fn(&rivals::Outcome) -> f64| median(pairs.iter().map(|(_, outcome)| read(outcome)));
        let _ = writeln!(
            rows,
            "| {}, {} jobs | {} | {} | {:.2} | |",
            rival.name,
            thousands(of(|outcome| outcome.jobs as f64)),
            thousands(of(rivals::Outcome::rate)),
            thousands(of(|outcome| outcome.jobs as f64 / outcome.work_seconds)),
            of(|outcome| outcome.server_us),
        );
        if let Some(bar) = rival.bar {
            let ratio = median(pairs.iter().map(|(round, outcome)| round.ours.rate() / outcome.rate()));
            bars.add(&format!("Times the rate of {}", rival.name), ratio, Bar::AtLeast(bar));
        }
    }
    bars.add("The server's µs a job, from push to ack", ours(|ours| ours.server_us), Bar::AtMost(1.5));
    let seconds = ours(|ours| ours.push_seconds + ours.work_seconds);
    format!(
        "Jobs of 100 bytes are pushed, 500 in a call. A worker is then started whose handler does nothing\n\
         (`--concurrency 8 --batch 250`, built for this benchmark alone), takes them by the fetch path that every handler has,\n\
         acknowledges them and ends. No job was lost, and none was run twice: else there would be no page.\n\
         The median of {} rounds took {seconds:.2} s.\n\n\
         | | jobs a second, from the first push to the last ack | the worker alone, with its start | server, µs a job | worker, µs a job |\n\
         | --- | --- | --- | --- | --- |\n{rows}",
        rounds.len(),
    )
}

fn kinds(measured: &Measured, bars: &mut Bars) -> String {
    let mut rows = String::new();
    for kind in &measured.handlers.ours {
        let _ = writeln!(
            rows,
            "| {} | `{}` | {} | {:.1} |",
            kind.name,
            kind.flags,
            thousands(kind.rate),
            kind.server_us
        );
        bars.add(&format!("{}, jobs a second", kind.name), kind.rate, Bar::AtLeast(kind.bar));
    }
    for rival in &measured.handlers.python_rivals {
        let _ = match rival.measured {
            Some((rate, us)) => {
                writeln!(rows, "| {} | concurrency 100 | {} | {us:.0} |", rival.name, thousands(rate))
            }
            None => writeln!(rows, "| {} | | not measured | |", rival.name),
        };
    }
    let bullmq = measured.handlers.python_rivals.first().and_then(|rival| rival.measured);
    if let (Some((rate, _)), Some(batched)) = (bullmq, measured.handlers.ours.first()) {
        bars.add(
            "Python in batches, times a BullMQ worker in Python",
            batched.rate / rate,
            Bar::AtLeast(20.0),
        );
    }
    format!(
        "Handlers that do nothing, from the tenth part of the jobs to the last: how long a handler takes to start is left out.\n\
         The server's µs a job are from its push to its end.\n\n\
         | handler | flags | jobs a second | server, µs a job |\n| --- | --- | --- | --- |\n{rows}"
    )
}

fn latencies(latency: &latency::Latency, bars: &mut Bars) -> String {
    let mut rows = String::new();
    for (name, histogram) in [
        (
            "a job pushed to an idle queue, until its producer sees its end (`JOBQ.RESULT … BLOCK`)",
            &latency.ours,
        ),
        ("the same by LPUSH, a consumer in BLPOP and its answer by LPUSH", &latency.blpop),
        ("a delayed job, from its time until its producer sees its end", &latency.late),
    ] {
        let _ = writeln!(
            rows,
            "| {name} | {:.2} | {:.2} | {:.2} |",
            ms(histogram, 0.5),
            ms(histogram, 0.99),
            ms(histogram, 1.0)
        );
    }
    let beyond = ms(&latency.ours, 0.99) - ms(&latency.blpop, 0.99);
    bars.add("Pickup: ms of p99 beyond a BLPOP consumer's", beyond, Bar::AtMost(1.0));
    bars.add("Lateness of a delayed job: ms, p99", ms(&latency.late, 0.99), Bar::AtMost(3.0));
    bars.add("CPU of a worker that waits, % of a processor", latency.idle * 100.0, Bar::AtMost(0.1));
    format!("| milliseconds | p50 | p99 | at most |\n| --- | --- | --- | --- |\n{rows}")
}
