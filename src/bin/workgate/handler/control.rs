//! What may end a run before its handler does.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::job::in_flight::{Order, Orders};
use crate::shutdown::{Phase, Watch};

/// Each comes at most once, orders once for each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The job at this place was lost or cancelled.
    Order(usize, Order),
    TimedOut(Duration),
    /// The worker's grace is over.
    Stopping,
    /// The worker ends now.
    Killing,
}

/// The events of one unit.
#[derive(Debug)]
pub struct Control {
    orders: Orders,
    watch: Watch,
    /// None when it has passed, or when there is none.
    deadline: Option<(Instant, Duration)>,
    told: Phase,
}

impl Control {
    pub fn new(orders: Orders, watch: Watch, timeout: Option<Duration>) -> Self {
        let deadline = timeout.map(|timeout| (Instant::now() + timeout, timeout));
        Control { orders, watch, deadline, told: Phase::Running }
    }

    /// Waits for the next event. May be dropped and called again.
    pub async fn next(&mut self) -> Event {
        let (mut stopping, mut killing) = (self.watch.clone(), self.watch.clone());
        tokio::select! {
            biased;
            () = killing.reached(Phase::Killing), if self.told < Phase::Killing => {
                self.told = Phase::Killing;
                Event::Killing
            }
            () = stopping.reached(Phase::Stopping), if self.told < Phase::Stopping => {
                self.told = Phase::Stopping;
                Event::Stopping
            }
            Some((place, order)) = self.orders.recv() => Event::Order(place, order),
            timeout = async { match self.deadline {
                Some((deadline, timeout)) => {
                    sleep_until(deadline).await;
                    timeout
                }
                None => std::future::pending().await,
            } } => {
                self.deadline = None;
                Event::TimedOut(timeout)
            }
        }
    }
}
