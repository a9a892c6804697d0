//! JOBQ: the job queue.

use crate::domain::jobq::{
    self, Backoff, DEFAULT_RETRIES, MOST_AT_ONCE, MOST_RETRIES, Popped, Pushed, Queue, State,
};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::chance;
use crate::server::command::{Call, Handler};
use crate::server::ctx::Ctx;
use crate::server::name::Name;
use crate::server::reply::Reply;

use super::arguments::{Words, unknown, within_size};
use super::commit;
use super::settings::{JOBQ_MAX_PAYLOAD, JOBQ_MAX_RESULT};
use super::waiting::{self, Decided, Waitable};

/// `JOBQ.PUSH key payload [ID id] [NAME n] [DELAY d] [RETRIES n] [BACKOFF spec] [LEASE d] [META b]`
pub struct Push;

impl Handler for Push {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let payload = within_size("payload", words.word("payload")?, JOBQ_MAX_PAYLOAD.get(), "")?;
        let mut push = jobq::Push {
            payload,
            id: None,
            name: None,
            meta: None,
            delay: 0,
            retries: DEFAULT_RETRIES,
            backoff: None,
            lease: None,
        };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"ID" => push.id = Some(chosen_id(&mut words)?),
                b"NAME" => push.name = Some(words.id("NAME")?),
                b"DELAY" => push.delay = words.duration_or_zero("DELAY")?,
                b"RETRIES" => push.retries = words.integer("RETRIES", 0, MOST_RETRIES.into())? as u32,
                b"BACKOFF" => push.backoff = Some(Backoff::parse(words.word("BACKOFF")?)?),
                b"LEASE" => push.lease = Some(words.duration("LEASE")?),
                b"META" => push.meta = Some(small("META", &mut words)?),
                _ => return Err(unknown(&option)),
            }
        }
        let pushed = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            Ok(jobq::decide_push(queue, &push, now))
        })?;
        let (id, outcome) = match &pushed {
            Pushed::New(id) => (id, c"NEW"),
            Pushed::Duplicate(id) => (id, c"DUP"),
        };
        call.reply.array(2);
        call.reply.bulk(id);
        call.reply.simple(outcome);
        Ok(())
    }
}

fn chosen_id<'a>(words: &mut Words<'a>) -> Result<&'a [u8], Refusal> {
    let id = words.id("ID")?;
    if id.starts_with(b"#") {
        return Err(Refusal::err("ID must not begin with '#': those ids are given by the queue"));
    }
    Ok(id)
}

/// A result, error or note.
fn small<'a>(what: &str, words: &mut Words<'a>) -> Result<&'a [u8], Refusal> {
    within_size(what, words.word(what)?, JOBQ_MAX_RESULT.get(), "")
}

/// `JOBQ.POP key [COUNT n] [BLOCK d] [LEASE d]`
pub struct Pop;

impl Handler for Pop {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut pop = jobq::Pop { count: 1, lease: None };
        let mut block = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"COUNT" => pop.count = words.integer("COUNT", 1, MOST_AT_ONCE as u64)? as usize,
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                b"LEASE" => pop.lease = Some(words.duration("LEASE")?),
                _ => return Err(unknown(&option)),
            }
        }
        waiting::answer(call, key, Popping(pop), block)
    }
}

/// A POP that may wait.
struct Popping(jobq::Pop);

impl Waitable for Popping {
    type Value = Queue;
    type Answer<'q> = Vec<Popped<'q>>;

    fn decide<'q>(&self, queue: Option<&'q Queue>, now: UnixMs, tokens: &TokenClock) -> Decided<'q, Self> {
        Ok(jobq::decide_pop(queue, &self.0, now, tokens))
    }

    fn is_nothing(jobs: &Vec<Popped<'_>>) -> bool {
        jobs.is_empty()
    }

    fn owned(jobs: Vec<Popped<'_>>) -> Vec<Popped<'static>> {
        jobs.into_iter().map(Popped::into_owned).collect()
    }

    fn next_due(queue: &Queue) -> Option<UnixMs> {
        queue.next_due()
    }

    fn nothing(&self) -> Vec<Popped<'static>> {
        Vec::new()
    }

    fn reply(&self, jobs: &Vec<Popped<'_>>, queue: Name<'_>, reply: Reply<'_>) {
        reply.array(jobs.len());
        for job in jobs {
            reply.array(9);
            reply.bulk(&job.id);
            reply.uint(job.token);
            reply.bulk(&job.payload);
            reply.uint(job.attempt.into());
            reply.uint(job.deadline);
            reply.bulk(queue.bytes());
            reply.bulk_or_null(job.name.as_deref());
            // Groups come later; their place in the reply is here.
            reply.null();
            reply.bulk_or_null(job.meta.as_deref());
        }
    }

    fn put_back(&self, jobs: &Vec<Popped<'_>>, ctx: Ctx<'_>, key: Name<'_>) {
        for job in jobs {
            // Refused when the job has gone or was popped again: then there is nothing to give back.
            let _ = commit::write_alone::<Queue, _>(ctx, key, |queue, now, _| {
                jobq::decide_release(queue, &job.id, job.token, 0, now)
            });
        }
    }
}

/// The queue, job and token that a worker's word is about.
fn held<'a>(words: &mut Words<'a>) -> Result<(Name<'a>, &'a [u8], u64), Refusal> {
    Ok((words.name("key")?, words.id("id")?, words.token()?))
}

/// `JOBQ.ACK key id token [RESULT b]`
pub struct Ack;

impl Handler for Ack {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let mut result = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"RESULT" => result = Some(small("RESULT", &mut words)?),
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_ack(queue, id, token, result, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `JOBQ.FAIL key id token [ERROR text] [DELAY d] [DEAD]`
pub struct Fail;

impl Handler for Fail {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let mut fail = jobq::Fail { error: None, delay: None, dead: false, chance: chance::number() };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"ERROR" => fail.error = Some(small("ERROR", &mut words)?),
                b"DELAY" => fail.delay = Some(words.duration_or_zero("DELAY")?),
                b"DEAD" => fail.dead = true,
                _ => return Err(unknown(&option)),
            }
        }
        if fail.dead && fail.delay.is_some() {
            return Err(Refusal::err("give either DELAY or DEAD, not both: a dead job is not tried again"));
        }
        let failed = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_fail(queue, id, token, &fail, now)
        })?;
        call.reply.array(2);
        call.reply.simple(state_name(failed.state));
        call.reply.uint(failed.due);
        Ok(())
    }
}

/// `JOBQ.RELEASE key id token [DELAY d]`
pub struct Release;

impl Handler for Release {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let mut delay = 0;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"DELAY" => delay = words.duration_or_zero("DELAY")?,
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_release(queue, id, token, delay, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `JOBQ.EXTEND key id token [LEASE d]`
pub struct Extend;

impl Handler for Extend {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let mut lease = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => lease = Some(words.duration("LEASE")?),
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_extend(queue, id, token, lease, now)
        })?;
        call.reply.int(1);
        Ok(())
    }
}

fn state_name(state: State) -> &'static std::ffi::CStr {
    match state {
        State::Ready => c"ready",
        State::Delayed => c"delayed",
        State::Active => c"active",
        State::Done => c"done",
        State::Dead => c"dead",
    }
}

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
            reply.map(16);
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
