//! ACQUIRE, RELEASE, LOCK and UNLOCK.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{Acquire, MAX_HOLDER_LEN, MAX_LEASES, Subject};
use crate::domain::refusal::Refusal;
use crate::domain::time::SECOND;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit;

const DEFAULT_LEASE_MS: u64 = 30 * SECOND;

/// `RATELIMIT.ACQUIRE key holder MAX n [LEASE d=30s] [TOKEN t]`
pub struct AcquirePlace;

impl Handler for AcquirePlace {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let holder = words.id_of("holder", MAX_HOLDER_LEN)?;
        let (mut max, mut lease, mut token) = (None, DEFAULT_LEASE_MS, None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"MAX" => max = Some(words.integer("MAX", 1, MAX_LEASES as u64)?),
                b"LEASE" => lease = words.duration("LEASE")?,
                b"TOKEN" => token = Some(words.token()?),
                _ => return Err(unknown(&option)),
            }
        }
        let missing = || Refusal::err("MAX is missing: expected MAX n, how many may hold a place at once");
        let max = max.ok_or_else(missing)?;
        let acquire = Acquire { holder, max, lease, token };
        let places = commit::write::<Subject, _>(call.ctx, key, |subject, now, tokens| {
            ratelimit::decide_acquire(subject, &acquire, now, tokens)
        })?;
        call.reply.array(5);
        call.reply.int(i64::from(places.allowed));
        call.reply.uint(places.in_use);
        call.reply.uint(places.max);
        call.reply.uint(places.retry_after_ms);
        call.reply.uint(places.token);
        Ok(())
    }
}

/// `RATELIMIT.RELEASE key holder [TOKEN t]`
pub struct ReleasePlace;

impl Handler for ReleasePlace {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let holder = words.id_of("holder", MAX_HOLDER_LEN)?;
        let mut token = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"TOKEN" => token = Some(words.token()?),
                _ => return Err(unknown(&option)),
            }
        }
        let released = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            ratelimit::decide_release(subject, holder, token, now)
        })?;
        call.reply.int(i64::from(released));
        Ok(())
    }
}

/// `RATELIMIT.LOCK key d`
pub struct LockSubject;

impl Handler for LockSubject {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let length = words.duration("duration")?;
        commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            Ok(ratelimit::decide_lock(subject, length, now))
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `RATELIMIT.UNLOCK key`
pub struct Unlock;

impl Handler for Unlock {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let unlocked = commit::write::<Subject, _>(call.ctx, call.args.name(1), |subject, now, _| {
            Ok(ratelimit::decide_unlock(subject, now))
        })?;
        call.reply.int(i64::from(unlocked));
        Ok(())
    }
}
