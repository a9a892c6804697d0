//! How much of the server's CPU each exchange with it takes: one call of many jobs, or some calls in a pipeline.
//!
//! The slow log goes by the clock on the wall, so it also has the calls in which the machine gave the processor to
//! somebody else. What counts is the time that the server itself has used.

use std::cell::Cell;

use crate::server::Server;

/// A call may take so long.
pub const MOST_NS: u64 = 5_000_000;

pub struct Meter<'s> {
    server: &'s Server,
    longest: Cell<u64>,
    over: Cell<usize>,
}

impl<'s> Meter<'s> {
    pub fn of(server: &'s Server) -> Self {
        Meter { server, longest: Cell::new(0), over: Cell::new(0) }
    }

    /// Makes an exchange; beside what it gives, the server's CPU for it in nanoseconds.
    pub fn exchange<R>(&self, make: impl FnOnce() -> Result<R, String>) -> Result<(R, u64), String> {
        let before = self.server.cpu()?;
        let made = make()?;
        let taken = self.server.cpu()? - before;
        self.longest.set(self.longest.get().max(taken));
        self.over.set(self.over.get() + usize::from(taken > MOST_NS));
        Ok((made, taken))
    }

    /// What the exchanges so far took at the most, in milliseconds, and how many took too long.
    pub fn read(&self) -> Longest {
        Longest { ms: self.longest.get() as f64 / 1e6, over: self.over.get() }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Longest {
    pub ms: f64,
    pub over: usize,
}
