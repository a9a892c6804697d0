//! GET and STATS: looking at a queue.

use crate::domain::jobq::{self, Queue, State};
use crate::domain::refusal::Refusal;
use crate::server::command::{Call, Handler};

use super::state_name;
use crate::commands::arguments::Words;
use crate::commands::commit;

/// `JOBQ.GET key id`
pub struct Get;

impl Handler for Get {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let (key, id) = (words.name("key")?, words.id("id")?);
        let reply = call.reply;
        commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let Ok(view) = jobq::job(queue, id, now) else {
                reply.null();
                return Ok(());
            };
            let job = view.job;
            let extra = job.extra.as_deref();
            reply.map(19);
            reply.bulk(b"id");
            reply.bulk(&view.id);
            reply.bulk(b"state");
            reply.simple(state_name(view.state));
            let at_name: &[u8] = match view.state {
                State::Ready => b"ready_at",
                State::Delayed => b"due_ms",
                State::Active => b"deadline_ms",
                State::Done | State::Dead => b"finished_at",
            };
            reply.bulk(at_name);
            reply.uint(view.at);
            reply.bulk(b"payload");
            reply.bulk(&job.payload);
            let numbers: [(&[u8], u64); 6] = [
                (b"token", job.token),
                (b"attempt", job.attempt().into()),
                (b"failures", job.failures.into()),
                (b"stalls", view.stalls.into()),
                (b"retries", job.retries.into()),
                (b"created_ms", job.created),
            ];
            for (field, number) in numbers {
                reply.bulk(field);
                reply.uint(number);
            }
            reply.bulk(b"cancel_requested");
            reply.int(i64::from(job.is_cancelled()));
            reply.bulk(b"priority");
            reply.int(job.priority.into());
            reply.bulk(b"lifo");
            reply.int(i64::from(job.lifo));
            reply.bulk(b"lease_ms");
            reply.uint(job.lease);
            reply.bulk(b"backoff");
            reply.bulk(job.backoff.as_deref().cloned().unwrap_or_default().spec().as_bytes());
            let texts: [(&[u8], Option<&[u8]>); 4] = [
                (b"name", extra.and_then(|extra| extra.name.as_deref())),
                (b"meta", extra.and_then(|extra| extra.meta.as_deref())),
                (b"error", view.error),
                (b"result", extra.and_then(|extra| extra.result.as_deref())),
            ];
            for (field, text) in texts {
                reply.bulk(field);
                reply.bulk_or_null(text);
            }
            Ok(())
        })
    }
}

/// `JOBQ.STATS key`
pub struct Stats;

impl Handler for Stats {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let reply = call.reply;
        commit::read::<Queue, _>(call.ctx, call.args.name(1), |queue, now| {
            let stats = jobq::stats(queue, now);
            let totals = stats.totals;
            let fields: [(&[u8], u64); 13] = [
                (b"ready", stats.ready as u64),
                (b"delayed", stats.delayed as u64),
                (b"active", stats.active as u64),
                // Dependencies come later; until then nothing waits for another job.
                (b"blocked", 0),
                (b"done", stats.done as u64),
                (b"dead", stats.dead as u64),
                (b"oldest_ready_ms", stats.oldest_ready_ms),
                (b"pushed", totals.pushed),
                (b"acked", totals.acked),
                (b"failed", totals.failed),
                (b"retried", totals.retried),
                (b"stalled", totals.stalled),
                (b"died", totals.died),
            ];
            reply.map(fields.len());
            for (field, number) in fields {
                reply.bulk(field);
                reply.uint(number);
            }
            Ok(())
        })
    }
}
