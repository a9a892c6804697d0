//! POP, which may wait.

use crate::domain::jobq::{self, MOST_AT_ONCE, Popped, Queue};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::command::{Call, Handler};
use crate::server::ctx::Ctx;
use crate::server::name::Name;
use crate::server::reply::Reply;

use crate::commands::arguments::{Words, unknown};
use crate::commands::commit;
use crate::commands::waiting::{self, Decided, Waitable};

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
