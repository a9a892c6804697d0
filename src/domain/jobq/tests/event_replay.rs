//! The events against their queue: a reader of the events knows where every job is.

use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::history::event_log::cut;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::view::events::{EventView, events};
use crate::domain::jobq::*;
use crate::domain::time::{MINUTE, UnixMs};
use std::collections::BTreeMap;

/// Where a job is, as its events tell it: with the time until which it is delayed.
type Place = (State, Option<UnixMs>);

/// A reader of the events of a queue, and nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Follower {
    seen: u64,
    jobs: BTreeMap<Vec<u8>, Place>,
    /// How often each of those that the queue counts too.
    totals: Totals,
    minutes: BTreeMap<UnixMs, [u32; 6]>,
    paused: Option<Option<UnixMs>>,
    last: Option<(Event, UnixMs)>,
}

fn place(job: BorrowedJob<'_>) -> Place {
    (job.state, (job.state == State::Delayed).then_some(job.at))
}

fn minutes(queue: &Queue) -> BTreeMap<UnixMs, [u32; 6]> {
    queue.history.series.minutes().iter().map(|minute| (minute.start_ms(), minute.counts())).collect()
}

impl Follower {
    /// Reads on, and compares.
    pub fn follow(&mut self, queue: &Queue) {
        assert!(events(Some(queue), 0, usize::MAX).len() <= queue.config.events as usize);
        let news = events(Some(queue), self.seen, usize::MAX);
        if news.first().map_or(queue.last_event(), |first| first.seq - 1) > self.seen {
            return self.begin_anew(queue);
        }
        for event in news {
            assert_eq!(event.seq, self.seen + 1, "without a gap");
            self.seen = event.seq;
            self.take(queue, &event);
        }
        self.compare(queue);
    }

    /// It has fallen behind, and has seen that.
    fn begin_anew(&mut self, queue: &Queue) {
        let jobs = queue.jobs.iter().map(|(serial, job)| (job.shown_id(serial).to_vec(), place(job)));
        *self = Follower {
            seen: queue.last_event(),
            jobs: jobs.collect(),
            totals: queue.totals,
            minutes: minutes(queue),
            paused: queue.pause.map(|pause| pause.until),
            last: None,
        };
    }

    fn compare(&self, queue: &Queue) {
        let jobs: BTreeMap<_, _> =
            queue.jobs.iter().map(|(serial, job)| (job.shown_id(serial).to_vec(), place(job))).collect();
        assert_eq!(self.jobs, jobs);
        assert_eq!(self.totals, queue.totals);
        let last = self.minutes.last_key_value().map_or(0, |(started, _)| *started);
        let kept = self.minutes.range((last + MINUTE).saturating_sub(MAX_MINUTES * MINUTE)..);
        assert!(kept.map(|(started, counts)| (*started, *counts)).eq(minutes(queue)));
        assert_eq!(self.paused, queue.pause.map(|pause| pause.until));
    }

    fn take(&mut self, queue: &Queue, event: &EventView<'_>) {
        let (what, at) = (event.event, event.at);
        assert!(at <= queue.clock && self.last.is_none_or(|(_, last)| last <= at), "the times rise");
        let after_failing = matches!(self.last, Some((Event::Failed, _)));
        self.last = Some((what, at));
        let text = event.detail.as_deref();
        let time = || std::str::from_utf8(text?).ok()?.parse::<UnixMs>().ok();
        let Some(id) = event.id.as_deref().map(<[u8]>::to_vec) else {
            match what {
                Event::Paused => self.paused = Some(time()),
                Event::Resumed => self.paused = None,
                _ => assert!(what == Event::Configured || what.has_name()),
            }
            return;
        };
        let before = self.jobs.get(&id).map(|(state, _)| *state);
        let was = |states: &[State]| {
            assert!(before.is_some_and(|before| states.contains(&before)), "{event:?} of one {before:?}");
        };
        let total = match what {
            Event::Pushed => &mut self.totals.pushed,
            Event::Done => &mut self.totals.acked,
            Event::Failed => &mut self.totals.failed,
            Event::Delayed if after_failing => &mut self.totals.retried,
            Event::Stalled => &mut self.totals.stalled,
            Event::Dead => &mut self.totals.died,
            Event::Expired => &mut self.totals.expired,
            _ => &mut 0,
        };
        *total += 1;
        let columns = [Event::Pushed, Event::Popped, Event::Done, Event::Failed, Event::Dead, Event::Expired];
        if let Some(column) = columns.iter().position(|column| *column == what) {
            self.minutes.entry(at - at % MINUTE).or_default()[column] += 1;
        }
        use State::{Active, Blocked, Dead, Delayed, Done, Ready};
        let unfinished = [Active, Blocked, Delayed, Ready];
        let now = match what {
            Event::Pushed => {
                assert_eq!(before, None, "{event:?}");
                Some((if text.is_some() { Delayed } else { Ready }, time()))
            }
            Event::Blocked => {
                was(&[Ready, Delayed]);
                Some((Blocked, None))
            }
            Event::Ready => {
                was(&[Delayed, Blocked]);
                Some((Ready, None))
            }
            Event::Delayed => {
                was(&unfinished);
                assert!(time().is_some());
                Some((Delayed, time()))
            }
            Event::Popped => {
                was(&[Ready]);
                Some((Active, None))
            }
            // A lease that has run out does not take back what its worker may say.
            Event::Done => {
                was(&[Active, Ready, Delayed, Dead]);
                Some((Done, None))
            }
            Event::Failed => {
                was(&[Active, Ready, Delayed]);
                return;
            }
            Event::Released => {
                was(&[Active, Ready, Delayed]);
                Some((Ready, None))
            }
            Event::Stalled => {
                was(&[Active]);
                Some((Ready, None))
            }
            Event::Dead => {
                was(&unfinished);
                let job = queue.find(&id).map(|(_, job)| job).filter(|job| job.state == Dead);
                let error = job.and_then(|job| job.error());
                assert!(job.is_none() || text == error.map(|error| cut(error, 256)));
                Some((Dead, None))
            }
            Event::Redriven => {
                was(&[Dead, Done]);
                Some((Ready, None))
            }
            Event::Expired | Event::Cancelled => {
                was(&unfinished);
                None
            }
            Event::Replaced => {
                was(&[Ready, Delayed, Blocked]);
                None
            }
            Event::Removed => {
                was(&[Done, Dead]);
                None
            }
            Event::Purged => {
                was(&State::ALL);
                None
            }
            Event::CancelRequested => return was(&[Active]),
            Event::Progress | Event::Updated => return was(&State::ALL),
            _ => panic!("{event:?} is not of a job"),
        };
        match now {
            Some(place) => _ = self.jobs.insert(id, place),
            None => _ = self.jobs.remove(&id),
        }
    }
}
