//! GET: looking at a job.

use crate::domain::jobq;
use crate::domain::jobq::{BlockedBy, JobView, Queue, State};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::ArgReader;
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
        Depth::All => 31,
        Depth::Row { payload } => 26 + usize::from(payload.is_some()),
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
        reply.bulk(b"waits_for_count");
        reply.uint(view.waits_for_count());
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
    reply.bulk(b"cost");
    reply.uint(job.cost());
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
