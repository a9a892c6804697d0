//! ACK, FAIL, RELEASE, EXTEND and LOG, and the first and last for many jobs: what a worker says.

use crate::domain::decision::Decision;
use crate::domain::jobq;
use crate::domain::jobq::{BatchResult, Extended, MAX_JOBS_PER_CALL, MAX_LOG_LINE_BYTES, Queue};
use crate::domain::ratelimit::{MAX_COUNT, Subject};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::module_api::args::Args;
use crate::module_api::command::{Call, FindsKeys};
use crate::module_api::context::{Ctx, Origin};
use crate::module_api::random;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::{Handler, VerbatimHandler};

use crate::commands::args::{ArgReader, Keyword, unknown, within_size};
use crate::commands::jobq::{parse_kind, parse_small, state_name};
use crate::runtime::commit;
use crate::runtime::commit::{Both, ReplicateAs, Write};

/// The queue, job and token that a worker's word is about.
fn held<'a>(words: &mut ArgReader<'a>) -> Result<(ServerStr<'a>, &'a [u8], u64), Refusal> {
    Ok((words.name("key")?, words.id("id")?, words.token()?))
}

/// RATE of ACK and FAIL: the subject that the POP has charged, and what the run has cost.
struct SettleRate<'a> {
    subject: ServerStr<'a>,
    cost: u64,
}

/// RATE and COST as given, in any order.
#[derive(Default)]
struct RateOptions<'a> {
    subject: Option<ServerStr<'a>>,
    cost: Option<u64>,
}

impl<'a> RateOptions<'a> {
    /// Takes an option of these; false when it is another one.
    fn take(&mut self, option: &Keyword<'_>, words: &mut ArgReader<'a>) -> Result<bool, Refusal> {
        match option.folded() {
            b"RATE" => self.subject = Some(words.name("the key of RATE")?),
            b"COST" => self.cost = Some(words.integer("COST", 0, MAX_COUNT)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn build(self, queue: ServerStr<'_>) -> Result<Option<SettleRate<'a>>, Refusal> {
        match (self.subject, self.cost) {
            (None, None) => Ok(None),
            (Some(subject), Some(_)) if subject.bytes() == queue.bytes() => {
                Err(Refusal::err("RATE names the queue itself: give the key of RATELIMIT that the POP named"))
            }
            (Some(subject), Some(cost)) => Ok(Some(SettleRate { subject, cost })),
            _ => Err(Refusal::err("RATE and COST go together: RATE key COST n")),
        }
    }
}

/// Ends a run by `decide`, and replaces what its POP has charged by its true cost, in one step.
fn end_and_settle<R>(
    ctx: Ctx<'_>,
    key: ServerStr<'_>,
    held: (&[u8], u64),
    rate: &SettleRate<'_>,
    decide: impl FnOnce(Option<&Queue>, UnixMs) -> Result<Decision<R, jobq::Effect>, Refusal>,
) -> Result<R, Refusal> {
    let settle = jobq::SettleRate { subject: rate.subject.bytes(), cost: rate.cost };
    commit::write_both::<Queue, Subject, _>(ctx, (key, rate.subject), true, |queue, _, now, _| {
        let decision = jobq::decide_end_at_rate(queue, held, &settle, now, decide)?;
        Ok(decision.map(|(reply, second)| Both { reply, second }))
    })
}

/// The key behind RATE, for servers that ask which keys a call has. `values` tells how many values
/// an option has.
fn find_rate_key(args: Args<'_>, found: &mut dyn FnMut(usize), values: impl Fn(&[u8]) -> usize) {
    found(1);
    let mut at = 4;
    while let Some(word) = args.get(at) {
        if word.eq_ignore_ascii_case(b"RATE") {
            if at + 1 < args.len() {
                found(at + 1);
            }
            return;
        }
        at += 1 + values(&word.to_ascii_uppercase());
    }
}

/// `JOBQ.ACK key id token [RESULT b] [RATE key COST n]`
pub struct Ack;

impl FindsKeys for Ack {
    fn find_keys(args: Args<'_>, found: &mut dyn FnMut(usize)) {
        find_rate_key(args, found, |_| 1);
    }
}

impl VerbatimHandler for Ack {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let AckArgs { key, id, token, result, rate } = read_ack(call)?;
        if let Some(rate) = rate {
            end_and_settle(call.ctx, key, (id, token), &rate, |queue, now| {
                jobq::decide_ack(queue, id, token, result, now)
            })?;
            call.reply.ok();
            return Ok(());
        }
        let how = Write::replicated_as(ReplicateAs::choose(origin, result.is_none()));
        commit::write_with::<Queue, _>(call.ctx, key, how, |queue, now, _| {
            jobq::decide_ack(queue, id, token, result, now)
        })?;
        call.reply.ok();
        Ok(())
    }

    /// Finishes the job without checking the token again: the primary has accepted it.
    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let AckArgs { key, id, result, rate, .. } = read_ack(call)?;
        if result.is_some() || rate.is_some() {
            return Err(commit::not_replicable_verbatim());
        }
        commit::apply_verbatim(call.ctx, key, origin, |queue: Option<&Queue>, now| {
            jobq::ack_effect(queue, id, None, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

struct AckArgs<'a> {
    key: ServerStr<'a>,
    id: &'a [u8],
    token: u64,
    result: Option<&'a [u8]>,
    rate: Option<SettleRate<'a>>,
}

fn read_ack(call: Call<'_>) -> Result<AckArgs<'_>, Refusal> {
    let mut words = ArgReader::of(call.args);
    let (key, id, token) = held(&mut words)?;
    let (mut result, mut rate) = (None, RateOptions::default());
    while let Some(option) = words.option()? {
        match option.folded() {
            b"RESULT" => result = Some(parse_small("RESULT", &mut words)?),
            _ if rate.take(&option, &mut words)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    Ok(AckArgs { key, id, token, result, rate: rate.build(key)? })
}

/// `JOBQ.FAIL key id token [ERROR text] [KIND k] [DELAY d] [DEAD] [PROGRESS b]
/// [RATE key COST n]`
pub struct Fail;

impl FindsKeys for Fail {
    fn find_keys(args: Args<'_>, found: &mut dyn FnMut(usize)) {
        find_rate_key(args, found, |option| usize::from(option != b"DEAD"));
    }
}

impl Handler for Fail {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, id, token) = held(&mut words)?;
        let mut fail = jobq::Fail { chance: random::number(), ..jobq::Fail::default() };
        let mut rate = RateOptions::default();
        while let Some(option) = words.option()? {
            match option.folded() {
                b"ERROR" => fail.error = Some(words.next_arg("ERROR")?),
                b"KIND" => fail.kind = Some(parse_kind(&mut words)?),
                b"PROGRESS" => fail.progress = Some(parse_small("PROGRESS", &mut words)?),
                b"DELAY" => fail.delay = Some(words.duration_or_zero("DELAY")?),
                b"DEAD" => fail.dead = true,
                _ if rate.take(&option, &mut words)? => {}
                _ => return Err(unknown(&option)),
            }
        }
        if fail.dead && fail.delay.is_some() {
            return Err(Refusal::err("give either DELAY or DEAD, not both: a dead job is not tried again"));
        }
        let decide = |queue: Option<&Queue>, now: UnixMs| jobq::decide_fail(queue, id, token, &fail, now);
        let failed = match rate.build(key)? {
            Some(rate) => end_and_settle(call.ctx, key, (id, token), &rate, decide)?,
            None => commit::write::<Queue, _>(call.ctx, key, |queue, now, _| decide(queue, now))?,
        };
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
