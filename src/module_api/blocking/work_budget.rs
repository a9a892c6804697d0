//! How much is done at a stretch, so that the server's thread is never held for long.

use std::time::{Duration, Instant};

/// The most waiters served, woken or put back at once.
const MOST: usize = 500;

/// The longest that one stretch lasts: answers can be large.
const LONGEST: Duration = Duration::from_millis(2);

/// A stretch of work, begun now.
#[derive(Debug)]
pub struct Stretch {
    begun: Instant,
    done: usize,
}

impl Stretch {
    pub fn begin() -> Self {
        Stretch { begun: Instant::now(), done: 0 }
    }

    /// Whether one more may be done; the first always.
    pub fn one_more(&mut self) -> bool {
        let more = self.done == 0 || (self.done < MOST && self.begun.elapsed() < LONGEST);
        self.done += 1;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_by_number_and_by_time_but_not_before_the_first() {
        let mut stretch = Stretch::begin();
        let done = (0..10 * MOST).take_while(|_| stretch.one_more()).count();
        assert!((1..=MOST).contains(&done));
        let mut late = Stretch { begun: Instant::now() - 2 * LONGEST, done: 0 };
        assert!(late.one_more());
        assert!(!late.one_more());
    }
}
