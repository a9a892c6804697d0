//! ACQUIRE, RELEASE, LOCK and UNLOCK.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{MAX_HOLDER_LEN, MAX_LEASES, Subject};
use crate::domain::refusal::Refusal;
use crate::domain::time::SECOND;
use crate::module_api::command::{Call, Handler};

use crate::commands::args::{Words, unknown};
use crate::runtime::commit;

const DEFAULT_LEASE_MS: u64 = 30 * SECOND;

/// `RATELIMIT.ACQUIRE key holder MAX n [LEASE d=30s]`
pub struct Acquire;

impl Handler for Acquire {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let holder = words.id_of("holder", MAX_HOLDER_LEN)?;
        let (mut max, mut lease) = (None, DEFAULT_LEASE_MS);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"MAX" => max = Some(words.integer("MAX", 1, MAX_LEASES as u64)?),
                b"LEASE" => lease = words.duration("LEASE")?,
                _ => return Err(unknown(&option)),
            }
        }
        let missing = || Refusal::err("MAX is missing: expected MAX n, how many may hold a place at once");
        let max = max.ok_or_else(missing)?;
        let places = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            Ok(ratelimit::decide_acquire(subject, holder, max, lease, now))
        })?;
        call.reply.array(4);
        call.reply.int(i64::from(places.allowed));
        call.reply.uint(places.in_use);
        call.reply.uint(places.max);
        call.reply.uint(places.retry_after_ms);
        Ok(())
    }
}

/// `RATELIMIT.RELEASE key holder`
pub struct Release;

impl Handler for Release {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let holder = words.id_of("holder", MAX_HOLDER_LEN)?;
        let released = commit::write::<Subject, _>(call.ctx, key, |subject, now, _| {
            Ok(ratelimit::decide_release(subject, holder, now))
        })?;
        call.reply.int(i64::from(released));
        Ok(())
    }
}

/// `RATELIMIT.LOCK key d`
pub struct LockSubject;

impl Handler for LockSubject {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
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
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let unlocked = commit::write::<Subject, _>(call.ctx, call.args.name(1), |subject, now, _| {
            Ok(ratelimit::decide_unlock(subject, now))
        })?;
        call.reply.int(i64::from(unlocked));
        Ok(())
    }
}
