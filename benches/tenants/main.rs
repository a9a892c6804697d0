//! A tenant with a million waiting jobs beside a thousand quiet ones: how long the jobs of the
//! quiet ones dwell in the queue, with the tenant and without it. Writes
//! `docs/benchmarks/tenants.md`.
//!
//! A job dwells from its PUSH to its ACK. Each worker does one job at a time, which takes it
//! [`WORK`]. A quiet tenant pushes rarely: the workers would be idle three quarters of the time.

#[allow(dead_code)] // this bench needs a part of it
#[path = "../support/mod.rs"]
mod support;

use std::cell::Cell;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use support::machine;
use support::page::Options;
use support::resp::{Connection, write};
use support::server::{Persistence, Server};
use support::targets::Bars;

const QUIET_TENANTS: usize = 1_000;
const WORKERS: usize = 4;
const WORK: Duration = Duration::from_millis(5);
/// Between two pushes of quiet tenants, each by the next one.
const BETWEEN_PUSHES: Duration = Duration::from_millis(5);
const WINDOW: Duration = Duration::from_secs(20);
const QUEUE: &[u8] = b"q";
const NOISY: &str = "noisy";

/// What a phase has measured.
struct Dwell {
    /// Of the jobs of quiet tenants, in order.
    times: Vec<Duration>,
    noisy_jobs: usize,
    /// Share of a processor that the server's main thread took.
    cpu: f64,
}

impl Dwell {
    fn mean_ms(&self) -> f64 {
        self.times.iter().sum::<Duration>().as_secs_f64() * 1e3 / self.times.len().max(1) as f64
    }

    fn percentile_ms(&self, percent: usize) -> f64 {
        let at = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// Pushes jobs of the noisy tenant, a thousand a call.
fn fill(control: &mut Connection, jobs: usize) -> Result<(), String> {
    let mut left = jobs;
    while left > 0 {
        let count = left.min(1_000);
        let number = count.to_string();
        let mut words: Vec<&[u8]> = vec![b"JOBQ.MPUSH", QUEUE, number.as_bytes()];
        words.extend(std::iter::repeat_n(&b"0"[..], count));
        words.extend([&b"GROUP"[..], NOISY.as_bytes()]);
        control.call(&words)?;
        left -= count;
    }
    Ok(())
}

/// Takes one job after the other until the end. Returns how long the jobs of quiet tenants dwelt,
/// and how many jobs of the noisy one were done.
fn work(server: &Server, begun: Instant, ended: &AtomicBool) -> Result<(Vec<Duration>, usize), String> {
    let mut connection = server.connect()?;
    let (mut dwelt, mut noisy) = (Vec::new(), 0);
    while !ended.load(Ordering::Relaxed) {
        let popped = connection.call(&[b"JOBQ.POP", QUEUE, b"BLOCK", b"100ms", b"LEASE", b"1h"])?;
        if popped.len() == 0 {
            continue;
        }
        let job = popped.at(0);
        sleep(WORK);
        let token = job.at(1).int().to_string();
        connection.call(&[b"JOBQ.ACK", QUEUE, job.at(0).bytes(), token.as_bytes()])?;
        if job.at(7).bytes() == NOISY.as_bytes() {
            noisy += 1;
        } else {
            let pushed: u64 = job.at(2).text().parse().map_err(|_| "a payload of another's")?;
            dwelt.push(begun.elapsed().saturating_sub(Duration::from_micros(pushed)));
        }
    }
    Ok((dwelt, noisy))
}

/// Pushes for the quiet tenants, one after the other, until the end.
fn push(server: &Server, begun: Instant, ended: &AtomicBool) -> Result<(), String> {
    let mut connection = server.connect()?;
    for number in 0.. {
        let due = BETWEEN_PUSHES * number;
        sleep(due.saturating_sub(begun.elapsed()));
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let (group, now) =
            (format!("quiet-{}", number as usize % QUIET_TENANTS), begun.elapsed().as_micros().to_string());
        let mut wire = Vec::new();
        write(&mut wire, &[b"JOBQ.PUSH", QUEUE, now.as_bytes(), b"GROUP", group.as_bytes()]);
        connection.send(&wire)?;
        connection.reply()?;
    }
    Ok(())
}

fn phase(options: &Options, noisy_jobs: usize, group_concurrency: &str) -> Result<Dwell, String> {
    let server = Server::start(&options.server, &[&options.module], Persistence::Off)?;
    let mut control = server.connect()?;
    let setting = group_concurrency.as_bytes();
    control.call(&[
        b"JOBQ.CONFIG",
        b"SET",
        QUEUE,
        b"group_concurrency",
        setting,
        b"keep_done",
        b"1s/1000",
    ])?;
    fill(&mut control, noisy_jobs)?;
    let (begun, ended) = (Instant::now(), AtomicBool::new(false));
    let used = server.cpu()?;
    let results = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| work(&server, begun, &ended))).collect();
        let pusher = scope.spawn(|| push(&server, begun, &ended));
        sleep(WINDOW);
        ended.store(true, Ordering::Relaxed);
        let pushed = pusher.join().expect("no panic");
        let done: Vec<_> = workers.into_iter().map(|worker| worker.join().expect("no panic")).collect();
        pushed.and_then(|()| done.into_iter().collect::<Result<Vec<_>, _>>())
    })?;
    let cpu = (server.cpu()? - used) as f64 / begun.elapsed().as_nanos() as f64;
    let mut dwell = Dwell { times: Vec::new(), noisy_jobs: 0, cpu };
    for (times, noisy) in results {
        dwell.times.extend(times);
        dwell.noisy_jobs += noisy;
    }
    dwell.times.sort_unstable();
    Ok(dwell)
}

fn measure(options: &Options, noisy_jobs: usize) -> Result<String, String> {
    let version = Server::start(&options.server, &[&options.module], Persistence::Off)?.version()?;
    let (mut rows, mut bars) = (String::new(), Bars::default());
    for (setting, title) in [("1", "1, the default"), ("off", "off")] {
        let quiet = phase(options, 0, setting)?;
        let noisy = phase(options, noisy_jobs, setting)?;
        for (beside, dwell) in [("no other", &quiet), ("the noisy one", &noisy)] {
            let _ = writeln!(
                rows,
                "| {title} | {beside} | {} | {:.2} | {:.2} | {:.2} | {} | {:.1} % |",
                dwell.times.len(),
                dwell.mean_ms(),
                dwell.percentile_ms(50),
                dwell.percentile_ms(99),
                dwell.noisy_jobs,
                dwell.cpu * 100.0
            );
        }
        let bar = |times: fn(&Dwell) -> f64| times(&noisy) / times(&quiet);
        bars.add(
            &format!("group_concurrency {title}: mean dwell, in times that without"),
            bar(Dwell::mean_ms),
            2.0,
        );
        let p99 = bar(|dwell| dwell.percentile_ms(99));
        bars.add(&format!("group_concurrency {title}: 99th percentile, in times that without"), p99, 2.0);
    }
    Ok(format!(
        "# A noisy tenant\n\n\
         `make bench-tenants` prints this page. {QUIET_TENANTS} quiet tenants (groups of one queue) push {} jobs a second together; \
         {WORKERS} workers\ntake one job at a time and {} ms for each, so a quarter of their time would be used. The noisy tenant \
         has {noisy_jobs} jobs waiting from\nthe beginning on. A job dwells from its PUSH to its ACK: {} ms of that are its work. \
         Each row took {} s.\n\n{version}; {}\n\n\
         | group_concurrency | beside | jobs of quiet tenants | mean dwell in ms | median | 99th percentile | jobs of the noisy one | CPU of the server |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n{rows}\n{}",
        1_000 / BETWEEN_PUSHES.as_millis(),
        WORK.as_millis(),
        WORK.as_millis(),
        WINDOW.as_secs(),
        machine::machine(),
        bars.section().trim_end(),
    ) + "\n")
}

fn main() -> ExitCode {
    // `--jobs`: how many jobs of the noisy tenant wait.
    let jobs = Cell::new(1_000_000);
    let more = |word: &str, value: &str| {
        let is_known = word == "--jobs";
        if is_known {
            jobs.set(value.parse().map_err(|_| format!("--jobs {value} is no number"))?);
        }
        Ok(is_known)
    };
    support::page::run("bench-tenants", std::env::args().skip(1), more, |options| {
        measure(options, jobs.get())
    })
}
