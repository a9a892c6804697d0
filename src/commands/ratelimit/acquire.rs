//! ACQUIRE, RELEASE, LOCK and UNLOCK.

use crate::domain::ratelimit;
use crate::domain::ratelimit::{Acquire, AcquireOutcome, MAX_HOLDER_LEN, MAX_LEASES, Subject};
use crate::domain::refusal::Refusal;
use crate::domain::time::{SECOND, UnixMs};
use crate::domain::token::TokenClock;
use crate::module_api;
use crate::module_api::blocking::WantedName;
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::runtime::blocking;
use crate::runtime::blocking::{Decided, Waitable};
use crate::runtime::commit;
use crate::runtime::commit::Write;

const DEFAULT_LEASE_MS: u64 = 30 * SECOND;

/// `RATELIMIT.ACQUIRE key holder MAX n [LEASE d=30s] [TOKEN t] [BLOCK d]`
pub struct AcquirePlace;

impl Handler for AcquirePlace {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let holder = words.id_of("holder", MAX_HOLDER_LEN)?;
        let (mut max, mut lease, mut token, mut block) = (None, DEFAULT_LEASE_MS, None, None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"MAX" => max = Some(words.integer("MAX", 1, MAX_LEASES as u64)?),
                b"LEASE" => lease = words.duration("LEASE")?,
                b"TOKEN" => token = Some(words.token()?),
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                _ => return Err(unknown(&option)),
            }
        }
        let missing = || Refusal::err("MAX is missing: expected MAX n, how many may hold a place at once");
        let max = max.ok_or_else(missing)?;
        if token.is_some() && block.is_some() {
            return Err(Refusal::err("TOKEN does not go with BLOCK: a lost place never comes back"));
        }
        let wants = [WantedName::of(PLACES)];
        let request = AcquireRequest { holder: holder.into(), max, lease, token, wants };
        match block {
            Some(timeout) if waits_behind_others(call.ctx, key, &request)? => {
                let denied = request.denied();
                blocking::wait(call, &[key], request, denied, timeout);
                Ok(())
            }
            _ => blocking::answer(call, key, request, block),
        }
    }
}

/// What those who wait for a place want of the key; no limit has this name.
const PLACES: &[u8] = b"\0places";

/// Whether a call with BLOCK has to stand behind clients that wait for a place already. A holder
/// that has its place only renews it.
fn waits_behind_others(ctx: Ctx<'_>, key: ServerStr<'_>, request: &AcquireRequest) -> Result<bool, Refusal> {
    let may_wait = !ctx.must_not_block() && ctx.is_primary();
    if !may_wait || !module_api::blocking::stands_behind_others(ctx, key, &request.wants) {
        return Ok(false);
    }
    commit::read::<Subject, _>(ctx, key, |subject, now| {
        Ok(!ratelimit::has_place(subject, &request.holder, now))
    })
}

/// An ACQUIRE that may wait for a place, in the order of arrival.
struct AcquireRequest {
    holder: Box<[u8]>,
    max: u64,
    lease: u64,
    token: Option<u64>,
    wants: [WantedName; 1],
}

impl AcquireRequest {
    fn acquire(&self) -> Acquire<'_> {
        Acquire { holder: &self.holder, max: self.max, lease: self.lease, token: self.token }
    }

    fn denied(&self) -> AcquireOutcome {
        let max = self.max;
        AcquireOutcome { allowed: false, in_use: max, max, retry_after_ms: 1, token: 0 }
    }
}

impl Waitable for AcquireRequest {
    type Value = Subject;
    type Answer<'s> = AcquireOutcome;

    fn wants(&self) -> &[WantedName] {
        &self.wants
    }

    fn decide<'s>(
        &self,
        subject: Option<&'s Subject>,
        now: UnixMs,
        tokens: &TokenClock,
    ) -> Decided<'s, Self> {
        ratelimit::decide_acquire(subject, &self.acquire(), now, tokens)
    }

    fn is_empty(outcome: &AcquireOutcome) -> bool {
        !outcome.allowed
    }

    fn into_owned(outcome: AcquireOutcome) -> AcquireOutcome {
        outcome
    }

    /// When a lease or a lock ends.
    fn next_due(&self, subject: &Subject, now: UnixMs) -> Option<UnixMs> {
        let rebased = Subject::rebased(Some(subject), now);
        let subject = rebased.as_ref().unwrap_or(subject);
        let decision = ratelimit::decide_acquire(Some(subject), &self.acquire(), now, &TokenClock::new());
        Some(now.saturating_add(decision.ok()?.reply.retry_after_ms))
    }

    fn timeout_reply(&self, _: Option<&Subject>, _: UnixMs) -> Result<AcquireOutcome, Refusal> {
        Ok(self.denied())
    }

    fn reply(&self, outcome: &AcquireOutcome, _key: ServerStr<'_>, reply: Reply<'_>) {
        reply.array(5);
        reply.int(i64::from(outcome.allowed));
        reply.uint(outcome.in_use);
        reply.uint(outcome.max);
        reply.uint(outcome.retry_after_ms);
        reply.uint(outcome.token);
    }

    fn undo(&self, outcome: &AcquireOutcome, ctx: Ctx<'_>, key: ServerStr<'_>) {
        // Refused if the place was lost or acquired again: then there is nothing to give back.
        let _ = commit::write_with::<Subject, _>(ctx, key, Write::without_serving(), |subject, now, _| {
            ratelimit::decide_release(subject, &self.holder, Some(outcome.token), now)
        });
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
