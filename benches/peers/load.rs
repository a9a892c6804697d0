//! Connections that run a contender's operations, and what that costs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::contender::{Contender, Earlier};
use crate::host::Host;
use crate::support::resp::{Connection, Reply};

/// Commands in flight on a connection, and connections.
const DEPTH: usize = 32;
const CONNECTIONS: usize = 10;

/// The host's CPU time for one operation, in microseconds.
pub fn round(host: &dyn Host, contender: &mut Contender, operations: usize) -> Result<f64, String> {
    let mut clients = Clients::prepare(host, contender, CONNECTIONS)?;
    // A tenth of the round warms up.
    clients.run(contender, operations / 10)?;
    clients.meters = contender.counted.is_some();
    clients.cpu_ns = 0;
    let before = host.cpu()?;
    let done = clients.run(contender, operations)?;
    let spent = if clients.meters { clients.cpu_ns } else { host.cpu()? - before };
    Ok(spent as f64 / 1_000.0 / done as f64)
}

/// The same without a clock; how many operations it were.
pub fn prepare_and_run(
    host: &dyn Host,
    contender: &mut Contender,
    operations: usize,
) -> Result<usize, String> {
    Clients::prepare(host, contender, CONNECTIONS)?.run(contender, operations)
}

pub struct Clients<'a> {
    host: &'a dyn Host,
    connections: Vec<Connection>,
    /// The last replies, for each connection: by step and place.
    replies: Vec<Vec<Vec<Reply>>>,
    /// Whether the CPU of the counted step is added up, in nanoseconds.
    meters: bool,
    cpu_ns: u64,
}

impl<'a> Clients<'a> {
    /// An empty host with what the contender needs, and connections to it.
    pub fn prepare(host: &'a dyn Host, contender: &Contender, count: usize) -> Result<Self, String> {
        host.clear()?;
        (contender.setup)(&mut host.connect()?)?;
        let connections = (0..count).map(|_| host.connect()).collect::<Result<_, _>>()?;
        let replies = vec![vec![Vec::new(); contender.steps.len()]; count];
        Ok(Clients { host, connections, replies, meters: false, cpu_ns: 0 })
    }

    /// At least `operations` of them, rounded up to full batches; how many it were.
    fn run(&mut self, contender: &mut Contender, operations: usize) -> Result<usize, String> {
        let mut done = 0;
        while done < operations {
            self.batch(contender, DEPTH)?;
            done += self.connections.len() * DEPTH * contender.each;
        }
        Ok(done)
    }

    /// `depth` operations on each connection; how long the counted step took, or all of them.
    pub fn batch(&mut self, contender: &mut Contender, depth: usize) -> Result<Duration, String> {
        let mut time = Duration::ZERO;
        for step in 0..contender.steps.len() {
            let counts = contender.counted.is_none_or(|counted| counted == step);
            let before = if self.meters && counts { settled(self.host)? } else { 0 };
            let begun = Instant::now();
            self.step(contender, step, depth)?;
            if counts {
                time += begun.elapsed();
            }
            if self.meters && counts {
                self.cpu_ns += settled(self.host)? - before;
            }
        }
        contender.begun += self.connections.len() * depth;
        Ok(time)
    }

    fn step(&mut self, contender: &Contender, step: usize, depth: usize) -> Result<(), String> {
        let mut wire = Vec::new();
        for (at, connection) in self.connections.iter_mut().enumerate() {
            wire.clear();
            for place in 0..depth {
                let number = contender.begun + at * depth + place;
                let earlier = Earlier { replies: &self.replies[at], step, place };
                contender.steps[step](&mut wire, number, earlier);
            }
            connection.send(&wire)?;
        }
        for (connection, replies) in self.connections.iter_mut().zip(&mut self.replies) {
            replies[step].clear();
            for _ in 0..depth {
                match connection.reply()? {
                    Reply::Error(text) => {
                        return Err(format!("{}: the server answered {text}", contender.name));
                    }
                    reply => replies[step].push(reply),
                }
            }
        }
        Ok(())
    }
}

/// CPU time once the host waits for commands again: the kernel adds to its count when a thread goes
/// to sleep.
fn settled(host: &dyn Host) -> Result<u64, String> {
    sleep(Duration::from_micros(300));
    host.cpu()
}
