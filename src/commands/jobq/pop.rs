//! POP, which may wait.

use std::collections::BTreeSet;

use crate::domain::jobq;
use crate::domain::jobq::{MAX_JOBS_PER_CALL, MAX_REPLY_BYTES, Popped, Queue};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::module_api::args::Args;
use crate::module_api::blocking::WaitFor;
use crate::module_api::command::{Call, FindsKeys};
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::runtime::blocking;
use crate::runtime::blocking::{Decided, Waitable};
use crate::runtime::commit;
use crate::runtime::commit::Write;

/// How many queues ALSO may add.
const MAX_FURTHER_QUEUES: u64 = 100;
/// The most bytes of a worker's name.
const MAX_WORKER_BYTES: usize = 128;

/// `JOBQ.POP key [ALSO n key …] [COUNT n] [LINGER d] [GROUPED] [BLOCK d] [LEASE d] [WORKER w]`
pub struct Pop;

impl Handler for Pop {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut request = PopRequest { count: 1, ..PopRequest::default() };
        let (mut also, mut block) = (Vec::new(), None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"ALSO" => also = further_queues(&mut words)?,
                b"COUNT" => request.count = words.integer("COUNT", 1, MAX_JOBS_PER_CALL as u64)? as usize,
                b"LINGER" => request.linger = Some(words.duration("LINGER")?),
                b"GROUPED" => request.grouped = true,
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                b"LEASE" => request.lease = Some(words.duration("LEASE")?),
                b"WORKER" => request.worker = Some(worker(&mut words)?.into()),
                _ => return Err(unknown(&option)),
            }
        }
        if request.linger.is_some() && block.is_none() {
            return Err(Refusal::err("LINGER goes with BLOCK: give how long the call may wait in all"));
        }
        if also.is_empty() {
            return blocking::answer(call, key, request, block);
        }
        pop_several(call, &each_once(key, also), request, block)
    }
}

impl FindsKeys for Pop {
    fn find_keys(args: Args<'_>, found: &mut dyn FnMut(usize)) {
        found(1);
        let is_also = |at: &usize| args.get(*at).is_some_and(|word| word.eq_ignore_ascii_case(b"ALSO"));
        let Some(also) = (2..args.len()).find(is_also) else { return };
        let count = args.get(also + 1).and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
        let first = also + 2;
        (first..args.len()).take(count.unwrap_or(0)).for_each(found);
    }
}

/// `n key …`
fn further_queues<'a>(words: &mut ArgReader<'a>) -> Result<Vec<ServerStr<'a>>, Refusal> {
    let count = words.integer("the number of keys after ALSO", 1, MAX_FURTHER_QUEUES)?;
    words.next_n(count, |words| words.name("a key after ALSO"))
}

/// Refuses the word ALSO as a name: servers and clients find the keys of a POP behind it, at any
/// position.
fn worker<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    let worker = words.id_of("WORKER", MAX_WORKER_BYTES)?;
    if worker.eq_ignore_ascii_case(b"ALSO") {
        return Err(Refusal::err(
            "WORKER must not be 'also': that word stands before the keys of further queues",
        ));
    }
    Ok(worker)
}

/// The keys in their order, without those that come again.
fn each_once<'a>(first: ServerStr<'a>, also: Vec<ServerStr<'a>>) -> Vec<ServerStr<'a>> {
    let mut seen = BTreeSet::new();
    std::iter::once(first).chain(also).filter(|key| seen.insert(key.bytes())).collect()
}

/// One queue after the other, until there are as many jobs as were asked for; waits at all of them.
fn pop_several(
    call: Call<'_>,
    keys: &[ServerStr<'_>],
    request: PopRequest,
    block: Option<u64>,
) -> Result<(), Refusal> {
    let ctx = call.ctx;
    // Refused before anything is popped.
    keys.iter().try_for_each(|key| commit::read::<Queue, _>(ctx, *key, |_, _| Ok(())))?;
    let mut pop = request.pop();
    let mut bytes = 0;
    let mut popped = Vec::new();
    for &key in keys {
        let jobs = commit::write(ctx, key, |queue: Option<&Queue>, now, tokens| {
            Ok(jobq::decide_pop(queue, &pop, now, tokens).map(PopRequest::into_owned))
        })?;
        pop.count -= jobs.len();
        bytes += jobs.iter().map(|job| job.payload.len()).sum::<usize>();
        popped.extend(jobs.into_iter().map(|job| (key, job)));
        let is_one_queue = request.grouped || request.linger.is_some();
        if pop.count == 0 || (is_one_queue && !popped.is_empty()) {
            break;
        }
        pop.bytes_left = (!popped.is_empty()).then(|| MAX_REPLY_BYTES.saturating_sub(bytes));
    }
    match block {
        Some(timeout) if popped.is_empty() => {
            blocking::wait(call, keys, request, jobq::PoppedJobs::new(), timeout)
        }
        _ => {
            call.reply.array(popped.len());
            popped.iter().for_each(|(key, job)| row(job, *key, call.reply));
        }
    }
    Ok(())
}

/// One job of the answer.
fn row(job: &Popped<'_>, queue: ServerStr<'_>, reply: Reply<'_>) {
    reply.array(10);
    reply.bulk(&job.id);
    reply.uint(job.token);
    reply.bulk(&job.payload);
    reply.uint(job.attempt.into());
    reply.uint(job.deadline);
    reply.bulk(queue.bytes());
    reply.bulk_or_null(job.name.as_deref());
    reply.bulk_or_null(job.group.as_deref());
    reply.bulk_or_null(job.meta.as_deref());
    reply.bulk_or_null(job.progress.as_deref());
}

/// A POP that may wait. A waiter gets jobs from one of its queues; only the first attempt takes
/// jobs from several.
#[derive(Default)]
struct PopRequest {
    count: usize,
    lease: Option<u64>,
    linger: Option<u64>,
    grouped: bool,
    worker: Option<Box<[u8]>>,
}

impl PopRequest {
    fn pop(&self) -> jobq::Pop<'_> {
        jobq::Pop {
            count: self.count,
            lease: self.lease,
            linger: self.linger,
            grouped: self.grouped,
            worker: self.worker.as_deref(),
            bytes_left: None,
        }
    }

    /// Tells apart what makes one POP wait longer than another: COUNT, LINGER and GROUPED.
    fn line(&self, linger: u64) -> u64 {
        linger << 11 | (self.count as u64) << 1 | u64::from(self.grouped)
    }
}

impl Waitable for PopRequest {
    type Value = Queue;
    type Answer<'q> = jobq::PoppedJobs<'q>;

    fn wait_for(&self) -> WaitFor {
        self.linger.map_or(WaitFor::Turn, |linger| WaitFor::TurnOf(self.line(linger)))
    }

    fn decide<'q>(&self, queue: Option<&'q Queue>, now: UnixMs, tokens: &TokenClock) -> Decided<'q, Self> {
        Ok(jobq::decide_pop(queue, &self.pop(), now, tokens))
    }

    fn is_empty(jobs: &jobq::PoppedJobs<'_>) -> bool {
        jobs.is_empty()
    }

    fn into_owned(jobs: jobq::PoppedJobs<'_>) -> jobq::PoppedJobs<'static> {
        jobs.into_iter().map(Popped::into_owned).collect()
    }

    fn next_due(&self, queue: &Queue, now: UnixMs) -> Option<UnixMs> {
        jobq::next_pop_due(queue, &self.pop(), now)
    }

    fn timeout_reply(
        &self,
        _: Option<&Self::Value>,
        _: UnixMs,
    ) -> Result<jobq::PoppedJobs<'static>, Refusal> {
        Ok(jobq::PoppedJobs::new())
    }

    fn reply(&self, jobs: &jobq::PoppedJobs<'_>, queue: ServerStr<'_>, reply: Reply<'_>) {
        reply.array(jobs.len());
        jobs.iter().for_each(|job| row(job, queue, reply));
    }

    fn undo(&self, jobs: &jobq::PoppedJobs<'_>, ctx: Ctx<'_>, key: ServerStr<'_>) {
        for job in jobs {
            // The release is refused if the job has gone or was popped again: then there is nothing
            // to undo.
            let _ = commit::write_with::<Queue, _>(ctx, key, Write::without_serving(), |queue, now, _| {
                jobq::decide_release(queue, &job.id, job.token, 0, None, now)
            });
        }
    }
}
