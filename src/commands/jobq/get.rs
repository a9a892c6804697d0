//! GET and STATS: looking at a queue.

use crate::domain::jobq;
use crate::domain::jobq::{BlockedBy, COLUMNS, JobView, MAX_MINUTES, Minute, Pause, Queue, State};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::commands::jobq::state_name;
use crate::runtime::commit;

/// `JOBQ.GET key id`
pub struct Get;

impl Handler for Get {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id) = (words.name("key")?, words.id("id")?);
        let reply = call.reply;
        commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let Ok(view) = jobq::job(queue, id, now) else {
                reply.null();
                return Ok(());
            };
            describe(&view, Depth::All, reply);
            Ok(())
        })
    }
}

/// How much of a job is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    All,
    /// Without its result and log, and what it waits for: there may be a thousand of them.
    Row {
        /// How many bytes of the payload are shown, if any.
        payload: Option<usize>,
    },
}

/// A job as a map.
pub(crate) fn describe(view: &JobView<'_>, depth: Depth, reply: Reply<'_>) {
    let job = view.job;
    reply.map(match depth {
        Depth::All => 29,
        Depth::Row { payload } => 25 + usize::from(payload.is_some()),
    });
    reply.bulk(b"id");
    reply.bulk(&view.id);
    reply.bulk(b"state");
    reply.word(state_name(view.state));
    let at_name: &[u8] = match view.state {
        State::Ready => b"ready_at",
        State::Delayed => b"due_ms",
        State::Active => b"deadline_ms",
        State::Done | State::Dead => b"finished_at",
        State::Blocked => b"blocked_at",
    };
    reply.bulk(at_name);
    reply.uint(view.at);
    if depth == Depth::All {
        reply.bulk(b"payload");
        reply.bulk(job.payload());
        reply.bulk(b"result");
        reply.bulk_or_null(job.result());
        reply.bulk(b"waits_for");
        reply.array(view.waits_for.len());
        view.waits_for.iter().for_each(|id| reply.bulk(id));
        let log = job.log();
        reply.bulk(b"log");
        reply.array(log.map_or(0, |log| log.lines().len()));
        log.into_iter().flat_map(|log| log.lines()).for_each(|line| reply.bulk(line));
    }
    if let Depth::Row { payload: Some(bytes) } = depth {
        reply.bulk(b"payload");
        reply.bulk(view.shown_payload(Some(bytes)));
    }
    let numbers: [(&[u8], u64); 6] = [
        (b"token", job.token),
        (b"attempt", job.attempt().into()),
        (b"failures", job.failures().into()),
        (b"stalls", view.stalls.into()),
        (b"retries", job.retries.into()),
        (b"created_ms", job.created),
    ];
    for (field, number) in numbers {
        reply.bulk(field);
        reply.uint(number);
    }
    reply.bulk(b"cancel_requested");
    reply.boolean(job.is_cancelled());
    reply.bulk(b"priority");
    reply.int(job.priority.into());
    reply.bulk(b"lifo");
    reply.boolean(job.is_lifo());
    reply.bulk(b"lease_ms");
    reply.uint(job.lease());
    let lifetime = job.options.as_ref().and_then(|options| options.lifetime.as_deref());
    reply.bulk(b"expires_ms");
    reply.uint(lifetime.map_or(0, |lifetime| lifetime.expires));
    reply.bulk(b"keep_ms");
    match lifetime.and_then(|lifetime| lifetime.keep) {
        Some(keep) => reply.uint(keep),
        None => reply.null(),
    }
    reply.bulk(b"unique");
    reply.bulk_or_null(lifetime.and_then(|lifetime| lifetime.unique.as_ref()).map(|unique| &*unique.key));
    reply.bulk(b"backoff");
    reply.bulk(view.backoff.spec().as_bytes());
    let texts: [(&[u8], Option<&[u8]>); 6] = [
        (b"name", job.name()),
        (b"meta", job.meta()),
        (b"worker", view.worker),
        (b"error", view.error),
        (b"kind", view.kind),
        (b"progress", job.progress()),
    ];
    for (field, text) in texts {
        reply.bulk(field);
        reply.bulk_or_null(text);
    }
    reply.bulk(b"group");
    reply.bulk_or_null(job.group().map(|group| &group[..]));
    reply.bulk(b"blocked_by");
    reply.bulk_or_null(view.blocked_by.as_ref().map(BlockedBy::shown).as_deref());
}

/// What the counts of a minute are called.
const PER_MINUTE: [&str; COLUMNS] =
    ["pushed_per_min", "popped_per_min", "done_per_min", "failed_per_min", "dead_per_min", "expired_per_min"];

/// `[minute_unix_ms, pushed, popped, done, failed, dead, expired]`
fn row(minute: &Minute, reply: Reply<'_>) {
    reply.array(1 + COLUMNS);
    reply.uint(minute.start_ms());
    minute.counts().into_iter().for_each(|count| reply.uint(count.into()));
}

/// `JOBQ.STATS key [SERIES n]`
pub struct Stats;

impl Handler for Stats {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut series = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"SERIES" => series = Some(words.integer("SERIES", 1, MAX_MINUTES)?),
                _ => return Err(unknown(&option)),
            }
        }
        let reply = call.reply;
        commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let stats = jobq::stats(queue, now);
            let totals = stats.totals;
            let fields: [(&[u8], u64); 14] = [
                (b"ready", stats.ready as u64),
                (b"delayed", stats.delayed as u64),
                (b"active", stats.active as u64),
                (b"blocked", stats.blocked as u64),
                (b"done", stats.done as u64),
                (b"dead", stats.dead as u64),
                (b"oldest_ready_ms", stats.oldest_ready_ms),
                (b"pushed", totals.pushed),
                (b"acked", totals.acked),
                (b"failed", totals.failed),
                (b"retried", totals.retried),
                (b"stalled", totals.stalled),
                (b"died", totals.died),
                (b"expired", totals.expired),
            ];
            let rates = jobq::last_minute(queue, now).counts();
            reply.map(fields.len() + rates.len() + 3 + usize::from(series.is_some()));
            for (field, number) in fields {
                reply.bulk(field);
                reply.uint(number);
            }
            let pause = stats.pause;
            reply.bulk(b"paused");
            reply.word(match pause {
                None => c"no",
                Some(Pause { pushes: false, .. }) => c"pops",
                Some(_) => c"pops and pushes",
            });
            reply.bulk(b"paused_until_ms");
            match pause.and_then(|pause| pause.until) {
                Some(until) => reply.uint(until),
                None => reply.null(),
            }
            reply.bulk(b"last_event");
            reply.uint(queue.map_or(0, Queue::last_event));
            for (name, rate) in PER_MINUTE.into_iter().zip(rates) {
                reply.bulk(name.as_bytes());
                reply.uint(rate.into());
            }
            if let Some(count) = series {
                reply.bulk(b"series");
                let minutes = jobq::series(queue, count, now);
                reply.array(minutes.len());
                minutes.iter().for_each(|minute| row(minute, reply));
            }
            Ok(())
        })
    }
}
