//! What the front ends were answered.

use std::collections::HashSet;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::accounting::planned_outcome::PlannedOutcome;
use crate::feed::delivery::Delivery;
use crate::frontend::Outcome;

/// The longest acknowledgement that is told apart, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;

/// Counts by outcome, what follows from the accepted ids, and the latency of the acknowledgement.
#[derive(Debug)]
pub struct ReplyCounts {
    pub accepted: u64,
    pub duplicates: u64,
    pub mismatched: u64,
    pub limited: u64,
    pub malformed: u64,
    /// Retries that the accepted jobs are bound to need.
    pub retries: u64,
    /// Accepted jobs that are bound to die.
    pub planned_dead: u64,
    /// Senders of accepted deliveries.
    pub customers: HashSet<String>,
    /// In microseconds; malformed lines are not in it.
    pub latency: Histogram<u64>,
}

impl ReplyCounts {
    pub fn new() -> Result<Self, String> {
        let latency = Histogram::new_with_bounds(1, LONGEST_US, 3).map_err(|error| error.to_string())?;
        Ok(ReplyCounts {
            accepted: 0,
            duplicates: 0,
            mismatched: 0,
            limited: 0,
            malformed: 0,
            retries: 0,
            planned_dead: 0,
            customers: HashSet::new(),
            latency,
        })
    }

    pub fn answered(&mut self, delivery: &Delivery, outcome: Outcome, took: Duration) {
        self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match outcome {
            Outcome::Accepted => {
                let outcome = PlannedOutcome::of(delivery.id.as_bytes());
                self.accepted += 1;
                self.retries += outcome.retries();
                self.planned_dead += u64::from(outcome.dies());
                self.customers.insert(delivery.sender.clone());
            }
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::Mismatched => self.mismatched += 1,
            Outcome::Limited => self.limited += 1,
        }
    }

    pub fn malformed(&mut self) {
        self.malformed += 1;
    }

    pub fn total(&self) -> u64 {
        self.accepted + self.duplicates + self.mismatched + self.limited + self.malformed
    }
}
