//! IDEMP.COMPLETE, IDEMP.EXTEND and IDEMP.RELEASE: the commands of a claim's holder.

use crate::domain::idemp;
use crate::domain::idemp::{Completion, Extension, Record, ResultLimits};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit;
use crate::runtime::settings::IDEMP_MAX_RESULT;

/// `IDEMP.COMPLETE key token result [META b] [TTL d]`
pub struct IdempComplete;

impl Handler for IdempComplete {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let token = words.token()?;
        let result = words.next_arg("result")?;
        let mut completion = Completion { token, result, meta: None, ttl: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"META" => completion.meta = Some(words.next_arg("META")?),
                b"TTL" => completion.ttl = Some(words.duration("TTL")?),
                _ => return Err(unknown(&option)),
            }
        }
        let most = IDEMP_MAX_RESULT.get() as usize;
        let limits = ResultLimits { result: most, meta: most };
        commit::write::<Record, _>(call.ctx, key, |record, now, _| {
            idemp::decide_complete(record, &completion, limits, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `IDEMP.EXTEND key token [LEASE d] [CHECKPOINT b]`
pub struct IdempExtend;

impl Handler for IdempExtend {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut extension = Extension { token: words.token()?, lease: None, checkpoint: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => extension.lease = Some(words.duration("LEASE")?),
                b"CHECKPOINT" => extension.checkpoint = Some(words.next_arg("CHECKPOINT")?),
                _ => return Err(unknown(&option)),
            }
        }
        let most = IDEMP_MAX_RESULT.get() as usize;
        let left = commit::write::<Record, _>(call.ctx, key, |state, now, _| {
            idemp::decide_extend(state, &extension, most, now)
        })?;
        call.reply.uint(left);
        Ok(())
    }
}

/// `IDEMP.RELEASE key token [DELAY d]`
pub struct IdempRelease;

impl Handler for IdempRelease {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let token = words.token()?;
        let delay = words.last_delay()?;
        commit::write::<Record, _>(call.ctx, key, |state, now, _| {
            idemp::decide_release(state, token, delay, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}
