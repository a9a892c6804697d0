//! How long things took: counts by fixed bounds, as in a histogram of Prometheus.

use crate::domain::codec::{Corrupt, Reader, Writer};

/// Inclusive upper bounds in milliseconds: 5 ms to a day. What took longer is counted behind the
/// last one.
pub const BOUNDS_MS: [u64; BUCKETS - 1] = [
    5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000,
    86_400_000,
];

/// One more than there are bounds.
pub const BUCKETS: usize = 16;

/// Counts of durations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DurationHistogram {
    counts: [u64; BUCKETS],
    sum_ms: u64,
}

impl DurationHistogram {
    pub fn count(&mut self, ms: u64) {
        let bucket = BOUNDS_MS.partition_point(|bound| *bound < ms);
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
    }

    /// By bound, the last one without a bound. Each duration is counted once.
    pub fn counts(&self) -> [u64; BUCKETS] {
        self.counts
    }

    pub fn sum_ms(&self) -> u64 {
        self.sum_ms
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        self.counts.into_iter().for_each(|count| writer.int(count));
        writer.int(self.sum_ms);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let mut read = DurationHistogram::default();
        for count in &mut read.counts {
            *count = reader.int()?;
        }
        read.sum_ms = reader.int()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_duration_is_counted_under_the_first_bound_that_it_does_not_exceed(
            durations in prop::collection::vec(
                prop_oneof![0..20u64, 0..200_000_000u64, prop::sample::select(BOUNDS_MS.to_vec())],
                0..50,
            ),
        ) {
            let mut histogram = DurationHistogram::default();
            durations.iter().for_each(|ms| histogram.count(*ms));
            for (bucket, count) in histogram.counts().into_iter().enumerate() {
                let above = if bucket == 0 { None } else { Some(BOUNDS_MS[bucket - 1]) };
                let within = |ms: &&u64| {
                    above.is_none_or(|above| **ms > above)
                        && BOUNDS_MS.get(bucket).is_none_or(|bound| **ms <= *bound)
                };
                prop_assert_eq!(count as usize, durations.iter().filter(within).count());
            }
            prop_assert_eq!(histogram.sum_ms(), durations.iter().sum::<u64>());
            let mut writer = Writer::new();
            histogram.write(&mut writer);
            let bytes = writer.finish();
            prop_assert_eq!(DurationHistogram::read(&mut Reader::new(&bytes)), Ok(histogram.clone()));
            let mut twice = histogram.clone();
            twice.add(&histogram);
            prop_assert_eq!(twice.counts(), histogram.counts().map(|count| 2 * count));
            prop_assert_eq!(twice.sum_ms(), 2 * histogram.sum_ms());
        }
    }

    #[test]
    fn a_count_and_the_sum_stay_at_their_highest() {
        let mut full = DurationHistogram { counts: [u64::MAX; BUCKETS], sum_ms: u64::MAX };
        full.count(7);
        full.add(&full.clone());
        assert_eq!(full, DurationHistogram { counts: [u64::MAX; BUCKETS], sum_ms: u64::MAX });
    }
}
