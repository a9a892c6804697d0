//! Many jobs that are due in the same second: they drain, and others hardly notice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

use crate::cpu_meter::{Longest, Meter};
use crate::job_kinds::payloads;
use crate::server_stats::{self, Call, SlowCall};
use crate::support::resp::{Connection, Reply};
use crate::support::server::Server;

pub struct Drain {
    pub jobs: usize,
    /// From the moment at which the first one is due.
    pub seconds: f64,
    pub longest: Longest,
    pub slow_calls: Vec<SlowCall>,
    pub calls: Vec<Call>,
    /// Nanoseconds that a PING took meanwhile.
    pub pings: Histogram<u64>,
}

/// All are due in one second, which begins when as much time has passed as filling may take.
const AHEAD: Duration = Duration::from_secs(20);

pub fn measure(server: &Server, jobs: usize) -> Result<Drain, String> {
    let mut control = server.connect()?;
    let meter = Meter::of(server);
    server_stats::begin(&mut control)?;
    let due = SystemTime::now() + AHEAD;
    fill(&meter, &mut control, jobs, due)?;
    let Ok(left) = due.duration_since(SystemTime::now()) else {
        return Err(format!("filling took longer than {} s", AHEAD.as_secs()));
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The last moments before are as quiet as any.
        sleep(left.saturating_sub(Duration::from_millis(100)));
        let pings = scope.spawn(|| pings(server, &over));
        let drained = drain(&meter, &mut control, jobs, due);
        over.store(true, Ordering::Relaxed);
        let pings = pings.join().map_err(|_| "the pings ended by a panic".to_owned())??;
        let seconds = drained?;
        let (slow_calls, calls) = server_stats::end(&mut control)?;
        Ok(Drain { jobs, seconds, longest: meter.alone(), slow_calls, calls, pings })
    })
}

fn fill(meter: &Meter<'_>, control: &mut Connection, jobs: usize, due: SystemTime) -> Result<(), String> {
    let payloads = payloads();
    let due = due.duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_millis() as usize;
    for batch in 0..jobs / 1_000 {
        let at = (due + batch % 1_000).to_string();
        let mut words: Vec<&[u8]> = vec![b"JOBQ.MPUSH", b"q", b"1000"];
        words.extend(payloads.iter().map(|payload| &payload[..]));
        words.extend([&b"AT"[..], at.as_bytes()]);
        meter.exchange(|| control.call(&words))?;
    }
    Ok(())
}

/// Takes and acknowledges a thousand at a time until all are gone; how long it took.
fn drain(meter: &Meter<'_>, control: &mut Connection, jobs: usize, due: SystemTime) -> Result<f64, String> {
    let mut done = 0;
    while done < jobs {
        let (popped, _) = meter.exchange(|| control.call(&[b"JOBQ.POP", b"q", b"COUNT", b"1000"]))?;
        if popped.len() == 0 {
            sleep(Duration::from_millis(1));
            if due.elapsed().is_ok_and(|late| late > Duration::from_secs(120)) {
                return Err(format!("{done} of {jobs} jobs came within two minutes"));
            }
            continue;
        }
        acknowledge(meter, control, &popped)?;
        done += popped.len();
    }
    due.elapsed().map(|time| time.as_secs_f64()).map_err(|error| format!("jobs came early: {error}"))
}

fn acknowledge(meter: &Meter<'_>, control: &mut Connection, popped: &Reply) -> Result<(), String> {
    let count = popped.len().to_string();
    let tokens: Vec<String> = (0..popped.len()).map(|job| popped.at(job).at(1).int().to_string()).collect();
    let mut words: Vec<&[u8]> = vec![b"JOBQ.MACK", b"q", count.as_bytes()];
    for (job, token) in tokens.iter().enumerate() {
        words.extend([popped.at(job).at(0).bytes(), token.as_bytes()]);
    }
    meter.exchange(|| control.call(&words)).map(drop)
}

fn pings(server: &Server, over: &AtomicBool) -> Result<Histogram<u64>, String> {
    let mut times = Histogram::new_with_max(60_000_000_000, 3).map_err(|error| error.to_string())?;
    let mut connection = server.connect()?;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        connection.call(&[b"PING"])?;
        times.saturating_record(begun.elapsed().as_nanos() as u64);
        sleep(Duration::from_micros(100));
    }
    Ok(times)
}
