//! How much of the server's CPU each exchange with it takes: one call of many jobs, or some calls
//! in a pipeline.
//!
//! A machine that others use too takes time away now and then, and neither the slow log (which goes
//! by the clock on the wall) nor the kernel's count of the server's CPU tells that from work. But
//! work is done again when the same is done again: so all exchanges are made twice, and of each the
//! shorter time counts.

use std::cell::RefCell;

use crate::support::server::Server;

/// The most CPU time that a call may take.
const MOST_NS: u64 = 5_000_000;

pub struct Meter<'s> {
    server: &'s Server,
    /// Nanoseconds of each exchange.
    taken: RefCell<Vec<u64>>,
}

impl<'s> Meter<'s> {
    pub fn of(server: &'s Server) -> Self {
        Meter { server, taken: RefCell::new(Vec::new()) }
    }

    pub fn server(&self) -> &'s Server {
        self.server
    }

    /// Makes an exchange; beside what it gives, the server's CPU for it in nanoseconds.
    pub fn exchange<R>(&self, make: impl FnOnce() -> Result<R, String>) -> Result<(R, u64), String> {
        let before = self.server.cpu()?;
        let made = make()?;
        let taken = self.server.cpu()? - before;
        self.taken.borrow_mut().push(taken);
        Ok((made, taken))
    }

    /// What the exchanges took at the most, given those of a pass before this one that made the
    /// same.
    pub fn beside(&self, before: &Meter<'_>) -> Longest {
        let (one, other) = (before.taken.borrow(), self.taken.borrow());
        let taken = one.iter().zip(&*other).map(|(one, other)| *one.min(other));
        Longest::of(taken)
    }

    pub fn alone(&self) -> Longest {
        Longest::of(self.taken.borrow().iter().copied())
    }
}

/// The longest exchange in milliseconds, and how many took too long.
#[derive(Debug, Clone, Copy, Default)]
pub struct Longest {
    pub ms: f64,
    pub over: usize,
}

impl Longest {
    fn of(taken: impl Iterator<Item = u64>) -> Self {
        taken.fold(Longest::default(), |all, one| {
            all.and(Longest { ms: one as f64 / 1e6, over: usize::from(one > MOST_NS) })
        })
    }

    pub fn and(self, other: Self) -> Self {
        Longest { ms: self.ms.max(other.ms), over: self.over + other.over }
    }

    /// The one of two passes that was held up less.
    pub fn or(self, other: Self) -> Self {
        if other.ms < self.ms { other } else { self }
    }
}
