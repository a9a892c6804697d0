//! How long a client waits, and how much one connection gets done.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::contender::Contender;
use crate::host::Host;
use crate::load::Clients;

/// Commands in flight.
pub const DEPTHS: [usize; 2] = [1, 32];

/// What takes longer counts as this long: a minute.
const MOST_NS: u64 = 60_000_000_000;

/// One contender at one depth, over all rounds.
pub struct Latencies {
    depth: usize,
    times: Histogram<u64>,
    /// Operations a second, of each round.
    per_second: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Operations a second: the median of the rounds, the least and the most.
    pub per_second: f64,
    pub least: f64,
    pub most: f64,
    /// Microseconds from sending a batch to its last reply, over all rounds.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl Latencies {
    pub fn new(depth: usize) -> Result<Self, String> {
        let times = Histogram::new_with_max(MOST_NS, 3).map_err(|error| error.to_string())?;
        Ok(Latencies { depth, times, per_second: vec![] })
    }

    /// `batches` on one connection, which sends the next one when the one before has been answered.
    pub fn round(
        &mut self,
        host: &dyn Host,
        contender: &mut Contender,
        batches: usize,
    ) -> Result<(), String> {
        let mut clients = Clients::prepare(host, contender, 1)?;
        for _ in 0..batches / 10 {
            clients.batch(contender, self.depth)?;
        }
        let mut sum = Duration::ZERO;
        for _ in 0..batches {
            let time = clients.batch(contender, self.depth)?;
            sum += time;
            self.times.saturating_record(time.as_nanos() as u64);
        }
        self.per_second.push((batches * self.depth * contender.each) as f64 / sum.as_secs_f64());
        Ok(())
    }

    pub fn summary(mut self) -> Latency {
        self.per_second.sort_by(f64::total_cmp);
        let rounds = self.per_second.len();
        let micros = |quantile| self.times.value_at_quantile(quantile) as f64 / 1_000.0;
        Latency {
            per_second: self.per_second[rounds / 2],
            least: self.per_second[0],
            most: self.per_second[rounds - 1],
            p50: micros(0.5),
            p99: micros(0.99),
            p999: micros(0.999),
        }
    }
}
