//! One unit's jobs, handed to a child and heard of until each has ended.

use std::collections::BTreeMap;
use std::future::pending;

use tokio::time::{Instant, sleep, sleep_until};

use crate::handler::children::child::{Child, Moved};
use crate::handler::control::{Control, Event};
use crate::handler::from_handler::{FromHandler, Meaning, Note};
use crate::handler::message::{JobMessage, PROTOCOL, ToHandler};
use crate::handler::unit::Unit;
use crate::handler::verdict::Verdict;
use crate::handler::{CLEAN_UP, Context};
use crate::job::in_flight::Order;
use crate::redis::reconnect_backoff::ReconnectBackoff;

/// What becomes of a job whose run was told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// Nothing: it is lost.
    Nothing,
    Cancelled,
    TimedOut(String),
    Stopped,
}

/// Whether the child is still of use.
pub async fn converse(child: &mut Child, unit: &mut Unit, control: &mut Control, context: &Context) -> bool {
    child.forget_errors();
    let mut talk = Conversation { child, unit, context, wanted: BTreeMap::new(), kill_at: None };
    talk.hand_over();
    loop {
        if talk.unit.is_over() {
            return true;
        }
        let kill_at = talk.kill_at;
        tokio::select! {
            biased;
            moved = talk.child.moves() => {
                let fault = match moved {
                    Moved::Line(line) => match talk.hear(&line).await {
                        Ok(()) => continue,
                        Err(fault) => fault,
                    },
                    Moved::Ended => talk.child.end_reason().await,
                };
                talk.end_rest(&fault);
                return false;
            }
            event = control.next() => {
                if event == Event::Killing {
                    talk.unit.end_rest(|| Verdict::Abandoned);
                    return false;
                }
                talk.obey(event);
            }
            () = async { match kill_at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            } } => {
                talk.child.kill().await;
                talk.end_rest("handler killed, it did not end when it was told to");
                return false;
            }
        }
    }
}

struct Conversation<'a> {
    child: &'a mut Child,
    unit: &'a mut Unit,
    context: &'a Context,
    /// By the job's place.
    wanted: BTreeMap<usize, Wanted>,
    kill_at: Option<Instant>,
}

impl Conversation<'_> {
    fn hand_over(&mut self) {
        let jobs: Vec<JobMessage> = self
            .unit
            .jobs()
            .iter()
            .enumerate()
            .map(|(place, job)| JobMessage::of(self.unit.hold(place), job))
            .collect();
        if self.unit.is_batch() {
            self.child.send(&ToHandler::Jobs { jobs });
        } else {
            jobs.into_iter().for_each(|job| self.child.send(&ToHandler::Job { job }));
        }
    }

    /// An error is the reason why this child cannot be spoken to.
    async fn hear(&mut self, line: &[u8]) -> Result<(), String> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let wrong = |error| {
            let shown: String = String::from_utf8_lossy(line).trim().chars().take(200).collect();
            format!("handler killed, it wrote what is no message: {error}: {shown}")
        };
        let mut meanings = Vec::new();
        FromHandler::read(line).map_err(wrong)?.meanings(&mut meanings);
        let mut ends = Vec::new();
        for (run, meaning) in meanings {
            if let Meaning::Ready(protocol) = meaning {
                if protocol != PROTOCOL {
                    return Err(format!("handler killed, it speaks protocol {protocol} and not {PROTOCOL}"));
                }
                self.child.is_ready = true;
                continue;
            }
            if !self.child.is_ready {
                return Err(wrong("expected {\"type\":\"ready\",\"protocol\":1} first".into()));
            }
            let run = run.ok_or_else(|| wrong("'run' is missing".into()))?;
            match meaning {
                // A run that has ended may have said more.
                Meaning::End(verdict) => {
                    if let Some(place) = self.unit.place_of(run) {
                        ends.push((place, self.as_wanted(place, verdict)));
                    }
                }
                Meaning::Note(note) => self.note(run, &note).await,
                Meaning::Ready(_) => {}
            }
        }
        self.unit.end_several(ends);
        Ok(())
    }

    /// A run that was told to end may have succeeded all the same.
    fn as_wanted(&self, place: usize, verdict: Verdict) -> Verdict {
        match (self.wanted.get(&place), verdict) {
            (None, verdict) => verdict,
            (Some(Wanted::Nothing), _) => Verdict::Abandoned,
            (Some(_), done @ Verdict::Done(_)) => done,
            (Some(wanted), verdict) => match (wanted, verdict) {
                (Wanted::Stopped, Verdict::Release { progress, delay }) => {
                    Verdict::Release { delay, progress }
                }
                (Wanted::Stopped, Verdict::Retry { failure, .. }) => {
                    Verdict::Release { delay: Default::default(), progress: failure.progress }
                }
                (wanted, _) => unanswered(wanted),
            },
        }
    }

    /// Kept before the next message is heard, so that what follows is known to come later.
    async fn note(&mut self, run: u64, note: &Note) {
        let Some(place) = self.unit.place_of(run) else { return };
        let hold = self.unit.hold(place).clone();
        if let Note::Extend(lease) = note {
            self.context.in_flight.set_lease(run, *lease);
        }
        let mut backoff = ReconnectBackoff::default();
        let held = loop {
            match self.context.commands.note(&hold, note, self.context.lease).await {
                Ok(held) => break held,
                Err(fault) if backoff.is_fresh() => tracing::warn!(job = %hold, "not kept yet: {fault}"),
                Err(_) => {}
            }
            // A log line is worth less than the wait.
            if matches!(note, Note::Log(_)) || self.context.in_flight.is_gone(run) {
                break false;
            }
            sleep(backoff.next()).await;
        };
        if !matches!(note, Note::Log(_)) {
            self.child.send(&ToHandler::Saved { run, held });
        }
    }

    fn obey(&mut self, event: Event) {
        let (wanted, reason) = match event {
            Event::Order(_, Order::Lost) => (Wanted::Nothing, "lost"),
            Event::Order(_, Order::Cancel) => (Wanted::Cancelled, "cancelled"),
            Event::TimedOut(after) => (Wanted::TimedOut(format!("timeout after {after:?}")), "timeout"),
            Event::Stopping | Event::Killing => (Wanted::Stopped, "stopping"),
        };
        let places = match event {
            Event::Order(place, _) => vec![place],
            _ => self.unit.open_places(),
        };
        for place in places {
            let run = self.unit.hold(place).run;
            if self.unit.place_of(run).is_some() {
                // The first reason is kept.
                self.wanted.entry(place).or_insert_with(|| wanted.clone());
                self.child.send(&ToHandler::Cancel { run, reason });
            }
        }
        self.kill_at.get_or_insert(Instant::now() + CLEAN_UP);
    }

    /// The child is of no more use: jobs that were told to end do so as wanted, the others fail.
    fn end_rest(&mut self, fault: &str) {
        tracing::warn!(handler = self.child.pid(), "{fault}");
        let ends = self.unit.open_places().into_iter().map(|place| {
            let verdict = self.wanted.get(&place).map_or_else(|| Verdict::retry(fault), unanswered);
            (place, verdict)
        });
        let ends = ends.collect();
        self.unit.end_several(ends);
    }
}

/// What a run comes to that was told to end and did not say how.
fn unanswered(wanted: &Wanted) -> Verdict {
    match wanted {
        Wanted::Nothing => Verdict::Abandoned,
        Wanted::Cancelled => Verdict::retry("cancelled"),
        Wanted::TimedOut(text) => Verdict::retry(text.clone()),
        Wanted::Stopped => Verdict::release(),
    }
}
