//! How soon a worker that waits has a job, how late it has a delayed one, and what waiting costs.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

use crate::support::resp::{Connection, write};
use crate::support::server::Server;
use crate::worker_process::{Worker, acked};

const PICKUPS: usize = 3_000;
const DELAYED: usize = 400;
const IDLE: Duration = Duration::from_secs(10);

pub struct Latency {
    /// Nanoseconds from the push to the end, as its producer sees it.
    pub ours: Histogram<u64>,
    /// The same by LPUSH, a consumer in BLPOP, and its answer by LPUSH.
    pub blpop: Histogram<u64>,
    /// Nanoseconds from a delayed job's time to its end.
    pub late: Histogram<u64>,
    /// The worker's share of one processor while it waits.
    pub idle: f64,
}

fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_max(60_000_000_000, 3).map_err(|error| error.to_string())
}

pub fn measure(server: &Server) -> Result<Latency, String> {
    let mut control = server.connect()?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let worker = Worker::start(server, "warn", &["--null"])?;
    control.call(&[b"JOBQ.PUSH", b"q", b"p"])?;
    acked(&mut control, 1)?;
    let (ours, blpop) = pickups(server, &mut control)?;
    let late = lateness(&mut control)?;
    let (cpu, begun) = (worker.cpu()?, Instant::now());
    sleep(IDLE);
    let idle = (worker.cpu()? - cpu) as f64 / begun.elapsed().as_nanos() as f64;
    worker.stop()?;
    Ok(Latency { ours, blpop, late, idle })
}

/// In turn, so that both meet the same machine.
fn pickups(server: &Server, control: &mut Connection) -> Result<(Histogram<u64>, Histogram<u64>), String> {
    let (mut ours, mut blpop) = (histogram()?, histogram()?);
    let mut consumer = server.connect()?;
    std::thread::scope(|scope| {
        let consumer = scope.spawn(move || -> Result<(), String> {
            for _ in 0..PICKUPS {
                consumer.call(&[b"BLPOP", b"list", b"0"])?;
                consumer.call(&[b"LPUSH", b"answers", b"done"])?;
            }
            Ok(())
        });
        for number in 0..PICKUPS {
            let id = format!("pickup-{number}");
            let words: [&[&[u8]]; 2] = [
                &[b"JOBQ.PUSH", b"q", b"p", b"ID", id.as_bytes()],
                &[b"JOBQ.RESULT", b"q", id.as_bytes(), b"BLOCK", b"30s"],
            ];
            ours.saturating_record(both(control, words)?.as_nanos() as u64);
            let words: [&[&[u8]]; 2] = [&[b"LPUSH", b"list", b"p"], &[b"BLPOP", b"answers", b"30"]];
            blpop.saturating_record(both(control, words)?.as_nanos() as u64);
            sleep(Duration::from_millis(1));
        }
        consumer.join().map_err(|_| "the consumer ended by a panic".to_owned())?
    })?;
    Ok((ours, blpop))
}

/// Sends two commands in one write; how long the second answer took.
fn both(control: &mut Connection, commands: [&[&[u8]]; 2]) -> Result<Duration, String> {
    let mut wire = Vec::new();
    commands.iter().for_each(|words| write(&mut wire, words));
    let begun = Instant::now();
    control.send(&wire)?;
    for _ in commands {
        if let crate::support::resp::Reply::Error(text) = control.reply()? {
            return Err(text);
        }
    }
    Ok(begun.elapsed())
}

/// One after the other, each due 20 to 39 ms after its push.
fn lateness(control: &mut Connection) -> Result<Histogram<u64>, String> {
    let mut late = histogram()?;
    for number in 0..DELAYED {
        let id = format!("delayed-{number}");
        let ahead = Duration::from_millis(20 + number as u64 % 20);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
        let due_ms = (now + ahead).as_millis() as u64;
        let at = due_ms.to_string();
        both(
            control,
            [
                &[b"JOBQ.PUSH", b"q", b"p", b"ID", id.as_bytes(), b"AT", at.as_bytes()],
                &[b"JOBQ.RESULT", b"q", id.as_bytes(), b"BLOCK", b"30s"],
            ],
        )?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
        late.saturating_record(now.saturating_sub(Duration::from_millis(due_ms)).as_nanos() as u64);
    }
    Ok(late)
}
