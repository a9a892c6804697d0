//! ACK, FAIL, RELEASE, EXTEND and LOG, and the first and last for many jobs: what a worker says.

use crate::domain::jobq;
use crate::domain::jobq::{BatchResult, Extended, MAX_JOBS_PER_CALL, MAX_LOG_LINE_BYTES, Queue};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::context::Origin;
use crate::module_api::random;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::{Handler, VerbatimHandler};

use crate::commands::args::{ArgReader, unknown, within_size};
use crate::commands::jobq::{parse_kind, parse_small, state_name};
use crate::runtime::commit;
use crate::runtime::commit::{ReplicateAs, Write};

/// The queue, job and token that a worker's word is about.
fn held<'a>(words: &mut ArgReader<'a>) -> Result<(ServerStr<'a>, &'a [u8], u64), Refusal> {
    Ok((words.name("key")?, words.id("id")?, words.token()?))
}

/// `JOBQ.ACK key id token [RESULT b]`
pub struct Ack;

impl VerbatimHandler for Ack {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let (key, id, token, result) = read_ack(call)?;
        let how = Write::replicated_as(ReplicateAs::choose(origin, result.is_none()));
        commit::write_with::<Queue, _>(call.ctx, key, how, |queue, now, _| {
            jobq::decide_ack(queue, id, token, result, now)
        })?;
        call.reply.ok();
        Ok(())
    }

    /// Finishes the job without checking the token again: the primary has accepted it.
    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let (key, id, _, result) = read_ack(call)?;
        if result.is_some() {
            return Err(commit::not_replicable_verbatim());
        }
        commit::apply_verbatim(call.ctx, key, origin, |queue: Option<&Queue>, now| {
            jobq::ack_effect(queue, id, None, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

type AckArgs<'a> = (ServerStr<'a>, &'a [u8], u64, Option<&'a [u8]>);

fn read_ack(call: Call<'_>) -> Result<AckArgs<'_>, Refusal> {
    let mut words = ArgReader::of(call.args);
    let (key, id, token) = held(&mut words)?;
    let mut result = None;
    while let Some(option) = words.option()? {
        match option.folded() {
            b"RESULT" => result = Some(parse_small("RESULT", &mut words)?),
            _ => return Err(unknown(&option)),
        }
    }
    Ok((key, id, token, result))
}

/// `JOBQ.FAIL key id token [ERROR text] [KIND k] [DELAY d] [DEAD] [PROGRESS b]`
pub struct Fail;

impl Handler for Fail {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let mut fail = jobq::Fail { chance: random::number(), ..jobq::Fail::default() };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"ERROR" => fail.error = Some(words.next_arg("ERROR")?),
                b"KIND" => fail.kind = Some(parse_kind(&mut words)?),
                b"PROGRESS" => fail.progress = Some(parse_small("PROGRESS", &mut words)?),
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
        call.reply.word(failed.state.map_or(c"cancelled", state_name));
        call.reply.uint(failed.due);
        Ok(())
    }
}

/// `JOBQ.RELEASE key id token [DELAY d] [PROGRESS b]`
pub struct Release;

impl Handler for Release {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let (mut delay, mut progress) = (0, None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"DELAY" => delay = words.duration_or_zero("DELAY")?,
                b"PROGRESS" => progress = Some(parse_small("PROGRESS", &mut words)?),
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_release(queue, id, token, delay, progress, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `JOBQ.EXTEND key id token [LEASE d] [PROGRESS b]`
pub struct Extend;

impl Handler for Extend {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let (mut lease, mut progress) = (None, None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => lease = Some(words.duration("LEASE")?),
                b"PROGRESS" => progress = Some(parse_small("PROGRESS", &mut words)?),
                _ => return Err(unknown(&option)),
            }
        }
        let extended = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_extend(queue, id, token, lease, progress, now)
        })?;
        call.reply.int(extended_as(extended));
        Ok(())
    }
}

/// `JOBQ.LOG key id token line`
pub struct Log;

impl Handler for Log {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let line = within_size("line", words.next_arg("line")?, MAX_LOG_LINE_BYTES as i64, "")?;
        let lines = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            jobq::decide_log(queue, id, token, line, now)
        })?;
        call.reply.uint(lines as u64);
        Ok(())
    }
}

/// 1 while it is held, 2 when it is and should stop.
fn extended_as(extended: Extended) -> i64 {
    match extended {
        Extended::Held => 1,
        Extended::Cancelled => 2,
    }
}

/// `n id token …`
fn jobs<'a>(words: &mut ArgReader<'a>) -> Result<Vec<(&'a [u8], u64)>, Refusal> {
    let count = words.integer("the number of jobs", 1, MAX_JOBS_PER_CALL as u64)?;
    words.next_n(count, |words| Ok((words.id("id")?, words.token()?)))
}

/// -1 for a token that is good no more, 0 for a job that is gone.
fn answer_each<R>(each: &[BatchResult<R>], reply: Reply<'_>, yes: impl Fn(&R) -> i64) {
    reply.array(each.len());
    for one in each {
        reply.int(match one {
            BatchResult::Yes(reply_pushed) => yes(reply_pushed),
            BatchResult::Gone => 0,
            BatchResult::Fenced => -1,
        });
    }
}

/// `JOBQ.MACK key n id token …`
pub struct AckMany;

impl Handler for AckMany {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let jobs = jobs(&mut words)?;
        if let Some(option) = words.option()? {
            return Err(unknown(&option));
        }
        let each = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            Ok(jobq::decide_ack_many(queue, &jobs, now))
        })?;
        answer_each(&each, call.reply, |()| 1);
        Ok(())
    }
}

/// `JOBQ.MEXTEND key n id token … [LEASE d]`
pub struct ExtendMany;

impl Handler for ExtendMany {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let jobs = jobs(&mut words)?;
        let mut lease = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => lease = Some(words.duration("LEASE")?),
                _ => return Err(unknown(&option)),
            }
        }
        let each = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            Ok(jobq::decide_extend_many(queue, &jobs, lease, now))
        })?;
        answer_each(&each, call.reply, |extended| extended_as(*extended));
        Ok(())
    }
}
