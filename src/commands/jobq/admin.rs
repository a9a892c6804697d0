//! CANCEL, REDRIVE and PURGE: what an operator does with jobs.

use crate::domain::jobq;
use crate::domain::jobq::{Cancelled, JobFilter, MAX_JOBS_PER_CALL, Moved, Queue, State};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::commands::jobq::{parse_error_glob, parse_kind, state_named};
use crate::runtime::commit;

/// `JOBQ.CANCEL key id [id …]`
pub struct Cancel;

impl Handler for Cancel {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut ids = vec![words.id("id")?];
        while words.peek().is_some() {
            ids.push(words.id("id")?);
        }
        if ids.len() > MAX_JOBS_PER_CALL {
            let given = ids.len();
            return Err(Refusal::err(format!(
                "{given} ids: at most {MAX_JOBS_PER_CALL} are allowed in a call"
            )));
        }
        let each = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            Ok(jobq::decide_cancel(queue, &ids, now))
        })?;
        call.reply.array(each.len());
        for one in each {
            call.reply.int(match one {
                Cancelled::Gone => 0,
                Cancelled::Removed => 1,
                Cancelled::Flagged => 2,
            });
        }
        Ok(())
    }
}

fn limit(words: &mut ArgReader<'_>) -> Result<usize, Refusal> {
    Ok(words.integer("LIMIT", 1, MAX_JOBS_PER_CALL as u64)? as usize)
}

fn reply_pushed(moved: Moved, call: Call<'_>) {
    call.reply.array(2);
    call.reply.uint(moved.moved as u64);
    call.reply.uint(moved.left as u64);
}

/// `JOBQ.REDRIVE key [IDS n id …] [KIND k] [ERROR glob] [OLDER d] [DONE] [LIMIT n=1000]`
pub struct Redrive;

impl Handler for Redrive {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut ids = None;
        let mut redrive = jobq::Redrive { limit: MAX_JOBS_PER_CALL, ..jobq::Redrive::default() };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"IDS" => {
                    let count = words.integer("the number of IDS", 1, MAX_JOBS_PER_CALL as u64)?;
                    ids = Some(words.next_n(count, |words| words.id("id"))?);
                }
                b"KIND" => redrive.filter.kind = Some(parse_kind(&mut words)?),
                b"ERROR" => redrive.filter.error = Some(parse_error_glob(&mut words)?),
                b"OLDER" => redrive.older = words.duration("OLDER")?,
                b"DONE" => redrive.done = true,
                b"LIMIT" => redrive.limit = limit(&mut words)?,
                _ => return Err(unknown(&option)),
            }
        }
        if redrive.done && redrive.filter != JobFilter::default() {
            return Err(Refusal::err("KIND and ERROR are for dead jobs: a job that is done has not failed"));
        }
        redrive.ids = ids.as_deref();
        let moved = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            Ok(jobq::decide_redrive(queue, &redrive, now))
        })?;
        reply_pushed(moved, call);
        Ok(())
    }
}

/// `JOBQ.PURGE key ready|delayed|blocked|done|dead [KIND k] [ERROR glob] [OLDER d] [LIMIT n=1000]`
pub struct Purge;

impl Handler for Purge {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let given = words.next_arg("state")?;
        let state = state_named(given).filter(|state| *state != State::Active).ok_or_else(|| {
            let given = shown(given);
            Refusal::err(format!(
                "state '{given}': expected ready, delayed, blocked, done or dead (CANCEL is for active jobs)"
            ))
        })?;
        let mut purge =
            jobq::Purge { state, filter: JobFilter::default(), older: 0, limit: MAX_JOBS_PER_CALL };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"KIND" => purge.filter.kind = Some(parse_kind(&mut words)?),
                b"ERROR" => purge.filter.error = Some(parse_error_glob(&mut words)?),
                b"OLDER" => purge.older = words.duration("OLDER")?,
                b"LIMIT" => purge.limit = limit(&mut words)?,
                _ => return Err(unknown(&option)),
            }
        }
        let moved = commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            Ok(jobq::decide_purge(queue, &purge, now))
        })?;
        reply_pushed(moved, call);
        Ok(())
    }
}
