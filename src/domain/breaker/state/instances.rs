//! Which instances saw failures and slow calls: what a quorum is counted of.

use crate::domain::breaker::state::call_window::SLICES_PER_WINDOW;
use crate::domain::time::UnixMs;

/// Instances that a breaker keeps.
pub const MAX_INSTANCES: usize = 128;
/// The longest name of an instance, in bytes.
pub const MAX_INSTANCE_LEN: usize = 128;

/// When an instance last saw a failure and a slow call, by the index of the slice of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Empty for all reports without BY together.
    pub name: Box<[u8]>,
    pub failed_in: Option<u64>,
    pub slow_in: Option<u64>,
}

impl Instance {
    pub(crate) fn newest(&self) -> u64 {
        self.failed_in.max(self.slow_in).unwrap_or(0)
    }
}

/// The instances of a window, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instances(pub(crate) Vec<Instance>);

impl Instances {
    /// Records what an instance saw. Drops the instances that are outside of the window, and of too
    /// many the instance with the oldest report.
    pub fn note(&mut self, seen: Instance) {
        let current = seen.newest();
        self.0.retain(|instance| instance.newest() + SLICES_PER_WINDOW > current);
        match self.0.binary_search_by(|instance| instance.name.cmp(&seen.name)) {
            Ok(at) => {
                let known = &mut self.0[at];
                known.failed_in = known.failed_in.max(seen.failed_in);
                known.slow_in = known.slow_in.max(seen.slow_in);
            }
            Err(_) => {
                if self.0.len() >= MAX_INSTANCES
                    && let Some(oldest) = (0..self.0.len()).min_by_key(|at| self.0[*at].newest())
                {
                    self.0.remove(oldest);
                }
                let at = self.0.partition_point(|instance| instance.name < seen.name);
                self.0.insert(at, seen);
            }
        }
    }

    /// How many instances saw failures, and how many saw slow calls, within the window.
    pub fn counts(&self, now: UnixMs, slice_length: u64) -> (u64, u64) {
        let current = now / slice_length;
        let count = |of: fn(&Instance) -> Option<u64>| {
            let is_counted = |index: u64| index + SLICES_PER_WINDOW > current;
            self.0.iter().filter(|instance| of(instance).is_some_and(is_counted)).count() as u64
        };
        (count(|instance| instance.failed_in), count(|instance| instance.slow_in))
    }

    pub fn has_future_times(&self, now: UnixMs, slice_length: u64) -> bool {
        self.0.iter().any(|instance| instance.newest() > now / slice_length)
    }

    /// Moves what lies later than now to now.
    pub fn rebase(&mut self, now: UnixMs, slice_length: u64) {
        let current = now / slice_length;
        for instance in &mut self.0 {
            instance.failed_in = instance.failed_in.map(|index| index.min(current));
            instance.slow_in = instance.slow_in.map(|index| index.min(current));
        }
    }

    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Instance>()
            + self.0.iter().map(|instance| instance.name.len()).sum::<usize>()
    }
}
