//! How long a client waits, and how much one connection gets done.

use std::time::Instant;

use hdrhistogram::Histogram;

use crate::contenders::Contender;
use crate::load::{self, batch};
use crate::server::Server;

/// Commands in flight.
pub const DEPTHS: [usize; 2] = [1, 32];

/// What takes longer counts as this long: a minute.
const MOST_NS: u64 = 60_000_000_000;

pub struct Latency {
    pub per_second: f64,
    /// Microseconds from sending a batch to its last reply.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

/// `operations` of the contender on one connection, which sends a batch when the one before has been answered.
pub fn measure(
    server: &Server,
    contender: &mut Contender,
    depth: usize,
    operations: usize,
) -> Result<Latency, String> {
    let mut connections = load::prepare(server, contender, 1)?;
    let mut times = Histogram::<u64>::new_with_max(MOST_NS, 3).map_err(|error| error.to_string())?;
    let batches = (operations / depth).max(1);
    for _ in 0..batches / 10 {
        batch(&mut connections, contender, depth)?;
    }
    let begun = Instant::now();
    for _ in 0..batches {
        let sent = Instant::now();
        batch(&mut connections, contender, depth)?;
        times.saturating_record(sent.elapsed().as_nanos() as u64);
    }
    let per_second = (batches * depth) as f64 / begun.elapsed().as_secs_f64();
    let micros = |quantile| times.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Latency { per_second, p50: micros(0.5), p99: micros(0.99), p999: micros(0.999) })
}
