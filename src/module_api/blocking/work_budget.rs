//! Limits the work of one turn, so that the server's thread is never held for long.

use std::time::{Duration, Instant};

/// The most waiters served, woken or put back at once.
const MAX_WAITERS_PER_TURN: usize = 500;

/// The longest that one budget lasts: answers can be large.
const MAX_DURATION: Duration = Duration::from_millis(2);

/// A budget of work, begun now.
#[derive(Debug)]
pub struct WorkBudget {
    begun: Instant,
    done: usize,
}

impl WorkBudget {
    pub fn start() -> Self {
        WorkBudget { begun: Instant::now(), done: 0 }
    }

    /// Whether one more may be done; the first always.
    pub fn try_spend(&mut self) -> bool {
        let more =
            self.done == 0 || (self.done < MAX_WAITERS_PER_TURN && self.begun.elapsed() < MAX_DURATION);
        self.done += 1;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_by_number_and_by_time_but_not_before_the_first() {
        let mut budget = WorkBudget::start();
        let done = (0..10 * MAX_WAITERS_PER_TURN).take_while(|_| budget.try_spend()).count();
        assert!((1..=MAX_WAITERS_PER_TURN).contains(&done));
        let mut late = WorkBudget { begun: Instant::now() - 2 * MAX_DURATION, done: 0 };
        assert!(late.try_spend());
        assert!(!late.try_spend());
    }
}
