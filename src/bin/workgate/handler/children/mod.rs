//! `--stdio`: children that live on, and are given one job or batch after the other.

mod child;
mod conversation;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::handler::Context;
use crate::handler::children::child::Child;
use crate::handler::children::conversation::converse;
use crate::handler::control::{Control, Event};
use crate::handler::unit::Unit;
use crate::handler::verdict::Verdict;
use crate::redis::reconnect_backoff::ReconnectBackoff;

/// How long a child may live and end without a pause before the next one: a pause is for those that
/// end as soon as they start.
const SHORT_LIFE: Duration = Duration::from_secs(10);

/// How long the jobs of a child that could not be started wait.
const GIVE_BACK_FOR: Duration = Duration::from_secs(1);

/// Room for one child.
#[derive(Debug)]
struct Seat {
    child: Option<Child>,
    started: Instant,
    backoff: ReconnectBackoff,
    /// No child is started before.
    not_before: Instant,
}

/// As many children as units run at once.
#[derive(Debug)]
pub struct Children {
    command: String,
    batch: Option<u16>,
    context: Context,
    /// Those that are not working; the one that worked last is the next.
    idle: Mutex<Vec<Seat>>,
    /// A seat has become idle.
    left: Notify,
}

impl Children {
    /// Starts all children, so that what they load is loaded before the first job.
    pub fn start(command: String, count: u16, batch: Option<u16>, context: Context) -> Self {
        let now = Instant::now();
        let seats = (0..count).map(|_| {
            let child = Child::start(&command, &context, batch);
            if let Err(error) = &child {
                tracing::error!("cannot start a handler, trying again when there is a job: {error}");
            }
            Seat { child: child.ok(), started: now, backoff: ReconnectBackoff::default(), not_before: now }
        });
        let idle = Mutex::new(seats.collect());
        Children { command, batch, context, idle, left: Notify::new() }
    }

    pub async fn run(&self, mut unit: Unit, mut control: Control) {
        // There are as many seats as units: the last unit of one is about to leave it.
        let mut seat = loop {
            let seat = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match seat {
                Some(seat) => break seat,
                None => self.left.notified().await,
            }
        };
        self.run_at(&mut seat, &mut unit, &mut control).await;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(seat);
        self.left.notify_one();
    }

    async fn run_at(&self, seat: &mut Seat, unit: &mut Unit, control: &mut Control) {
        if seat.child.as_mut().is_some_and(Child::has_ended) {
            seat.child = None;
            self.pause(seat);
        }
        if seat.child.is_none() && !self.restart(seat, unit, control).await {
            return;
        }
        let Some(child) = &mut seat.child else { return };
        if converse(child, unit, control, &self.context).await {
            seat.backoff = ReconnectBackoff::default();
        } else {
            // Whatever is left of it ends.
            child.kill().await;
            seat.child = None;
            self.pause(seat);
        }
    }

    /// A child that ended at once is not started again at once.
    fn pause(&self, seat: &mut Seat) {
        if seat.started.elapsed() >= SHORT_LIFE {
            seat.backoff = ReconnectBackoff::default();
        }
        let pause = seat.backoff.next();
        seat.not_before = Instant::now() + pause;
        tracing::warn!("a handler has ended, the next one is started in {pause:.1?}");
    }

    /// False when the unit's jobs have been given back instead.
    async fn restart(&self, seat: &mut Seat, unit: &mut Unit, control: &mut Control) -> bool {
        loop {
            tokio::select! {
                () = sleep_until(seat.not_before) => break,
                event = control.next() => match event {
                    Event::Order(place, _) => unit.end(place, Verdict::Abandoned),
                    Event::TimedOut(_) => {}
                    Event::Stopping | Event::Killing => unit.end_rest(Verdict::release),
                },
            }
            if unit.is_over() {
                return false;
            }
        }
        match Child::start(&self.command, &self.context, self.batch) {
            Ok(child) => {
                seat.child = Some(child);
                seat.started = Instant::now();
                self.context.in_flight.metrics.handler_restarts.inc();
                true
            }
            Err(error) => {
                tracing::error!("cannot start a handler, giving its jobs back: {error}");
                unit.end_rest(|| Verdict::Release { delay: GIVE_BACK_FOR, progress: None });
                self.pause(seat);
                false
            }
        }
    }

    /// Ends all children: they are told by the end of their input.
    pub async fn close(&self) {
        let seats = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        let children = seats.into_iter().filter_map(|seat| seat.child);
        futures_util::future::join_all(children.map(Child::close)).await;
    }
}
