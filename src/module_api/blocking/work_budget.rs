//! Limits the work of one turn, so that the server's thread is never held for long.

use std::time::{Duration, Instant};

/// The most waiters served, woken or put back at once.
const MAX_WAITERS_PER_TURN: usize = 500;

/// The longest that one budget lasts: answers can be large.
const MAX_DURATION: Duration = Duration::from_millis(2);

/// So many may be done whatever the time: a machine that is busy with other work may take the
/// processor away for longer than the budget lasts.
const MIN_WAITERS_PER_TURN: usize = 4;

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

    /// Whether one more may be done; the first few always.
    pub fn try_spend(&mut self) -> bool {
        let more = self.done < MIN_WAITERS_PER_TURN
            || (self.done < MAX_WAITERS_PER_TURN && self.begun.elapsed() < MAX_DURATION);
        self.done += 1;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_by_number_and_by_time_but_not_before_the_first_few() {
        let mut budget = WorkBudget::start();
        let done = (0..10 * MAX_WAITERS_PER_TURN).take_while(|_| budget.try_spend()).count();
        assert!((MIN_WAITERS_PER_TURN..=MAX_WAITERS_PER_TURN).contains(&done));
        let mut late = WorkBudget { begun: Instant::now() - 2 * MAX_DURATION, done: 0 };
        assert_eq!((0..10).take_while(|_| late.try_spend()).count(), MIN_WAITERS_PER_TURN);
    }
}
