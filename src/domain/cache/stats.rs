//! What has happened to the entries of a policy since the server started.

use std::collections::HashMap;

/// Counters of this server alone: neither replicated nor saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads that were answered with a fresh value.
    pub hits: u64,
    /// Reads that were answered with a stale value.
    pub stale: u64,
    /// Reads that were answered from a cached absence.
    pub absent: u64,
    /// Reads that were answered with nothing.
    pub misses: u64,
    /// Tokens that were granted for a miss or a stale value.
    pub fills: u64,
    /// Tokens that were granted for a value that was still fresh.
    pub early: u64,
    /// Reads that waited.
    pub waits: u64,
    /// Calls of SET, ABSENT and RELEASE whose token was superseded.
    pub fenced: u64,
    /// Invalidated entries that a command found.
    pub invalidated: u64,
}

impl CacheStats {
    /// The share of reads that needed no load, 0 to 1; nothing before the first read.
    pub fn hit_ratio(&self) -> Option<f64> {
        let served = self.hits + self.stale + self.absent;
        let reads = served + self.misses;
        (reads > 0).then(|| served as f64 / reads as f64)
    }

    /// The counters by their names.
    pub fn rows(&self) -> [(&'static str, u64); 9] {
        [
            ("hits", self.hits),
            ("stale", self.stale),
            ("absent", self.absent),
            ("misses", self.misses),
            ("fills", self.fills),
            ("early", self.early),
            ("waits", self.waits),
            ("fenced", self.fenced),
            ("invalidated", self.invalidated),
        ]
    }

    /// Returns the sums of both.
    pub fn plus(self, other: CacheStats) -> CacheStats {
        CacheStats {
            hits: self.hits + other.hits,
            stale: self.stale + other.stale,
            absent: self.absent + other.absent,
            misses: self.misses + other.misses,
            fills: self.fills + other.fills,
            early: self.early + other.early,
            waits: self.waits + other.waits,
            fenced: self.fenced + other.fenced,
            invalidated: self.invalidated + other.invalidated,
        }
    }
}

/// The class in which entries and events are counted: one for each policy. 0 is an entry that is
/// not counted.
pub type StatsClass = u16;

/// The class of the keys that no policy rules.
pub const NO_POLICY: StatsClass = 1;

/// Classes are below this: an entry keeps its class in nine bits.
pub const MAX_STATS_CLASSES: usize = 512;

/// The classes of the prefixes.
#[derive(Debug, Default)]
pub struct StatsClasses(HashMap<Box<[u8]>, StatsClass>);

const FIRST: usize = NO_POLICY as usize + 1;

impl StatsClasses {
    /// The class of a prefix, if it has one.
    pub fn get(&self, prefix: &[u8]) -> Option<StatsClass> {
        self.0.get(prefix).copied()
    }

    /// Returns the class of a prefix, and whether the class is new to it. When all classes are
    /// assigned, takes one that `is_free`; without a free one the prefix is counted with the keys
    /// that no policy rules.
    pub fn assign(
        &mut self,
        prefix: &[u8],
        is_free: impl Fn(StatsClass, &[u8]) -> bool,
    ) -> (StatsClass, bool) {
        if let Some(class) = self.get(prefix) {
            return (class, false);
        }
        let class = if FIRST + self.0.len() < MAX_STATS_CLASSES {
            (FIRST + self.0.len()) as StatsClass
        } else {
            let free = self.0.iter().find(|(prefix, class)| is_free(**class, prefix));
            let Some((freed, class)) = free.map(|(prefix, class)| (prefix.clone(), *class)) else {
                return (NO_POLICY, false);
            };
            self.0.remove(&freed);
            class
        };
        self.0.insert(prefix.into(), class);
        (class, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_counts_what_needed_no_load() {
        let stats = CacheStats { hits: 5, stale: 1, absent: 2, misses: 2, fills: 3, ..CacheStats::default() };
        assert_eq!(stats.hit_ratio(), Some(0.8));
        assert_eq!(stats.plus(stats).hits, 10);
        assert_eq!(stats.plus(stats).hit_ratio(), Some(0.8));
        assert_eq!(CacheStats::default().hit_ratio(), None);
    }

    #[test]
    fn a_class_is_given_once_and_again_only_when_it_is_free() {
        let mut classes = StatsClasses::default();
        let name = |i: usize| i.to_string().into_bytes();
        for i in 0..MAX_STATS_CLASSES - FIRST {
            assert_eq!(classes.assign(&name(i), |_, _| false), ((FIRST + i) as StatsClass, true));
        }
        assert_eq!(classes.assign(&name(7), |_, _| true), ((FIRST + 7) as StatsClass, false));
        assert_eq!(classes.assign(b"more", |_, _| false), (NO_POLICY, false));
        let free = (FIRST + 9) as StatsClass;
        assert_eq!(classes.assign(b"more", |class, prefix| class == free && prefix == name(9)), (free, true));
        assert_eq!(classes.get(&name(9)), None);
        assert_eq!(classes.get(b"more"), Some(free));
    }
}
