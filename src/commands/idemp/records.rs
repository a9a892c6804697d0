//! IDEMP: one effect, its response replayed.

use std::borrow::Cow;

use crate::domain::idemp;
use crate::domain::idemp::{
    Completion, DEFAULT_LEASE, DEFAULT_TTL, Extension, Fingerprint, Limits, Record, Standing, State,
};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::module_api::command::{Call, Handler};
use crate::module_api::context::{Ctx, Origin};
use crate::module_api::reply::Reply;
use crate::module_api::server_string::Name;

use crate::commands::args::{Words, unknown, within_size};
use crate::runtime::blocking;
use crate::runtime::blocking::{Decided, Waitable};
use crate::runtime::commit;
use crate::runtime::commit::Carrier;
use crate::runtime::replicated_clock;
use crate::runtime::settings::{IDEMP_MAX_PAYLOAD, IDEMP_MAX_RESULT};

/// `IDEMP.CLAIM key [LEASE d] [TTL d] [OWNER b] [FINGERPRINT b | PAYLOAD b | JSON b] [BLOCK d]`
pub struct Claim;

impl Handler for Claim {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut claim =
            idemp::Claim { lease: DEFAULT_LEASE, ttl: DEFAULT_TTL, owner: None, fingerprint: None };
        let mut block = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => claim.lease = words.duration("LEASE")?,
                b"TTL" => claim.ttl = words.duration("TTL")?,
                b"OWNER" => claim.owner = Some(Cow::Borrowed(words.id("OWNER")?)),
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                kind @ (b"FINGERPRINT" | b"PAYLOAD" | b"JSON") => {
                    if claim.fingerprint.is_some() {
                        return Err(Refusal::err("give one of FINGERPRINT, PAYLOAD and JSON"));
                    }
                    claim.fingerprint = Some(fingerprint(kind, &mut words)?);
                }
                _ => return Err(unknown(&option)),
            }
        }
        let origin = call.ctx.origin();
        let Some(carrier) = Carrier::of(origin, travels_by_itself(&claim, origin)) else {
            return repeat(call, key, &claim, origin);
        };
        blocking::answer(call, key, Claiming { claim: claim.into_owned(), carrier }, block)
    }
}

/// Whether a claim that is granted may travel as it came. Not in a cluster: who imports the slot would have to
/// grant the same token, and gets none of the ticks that tell which one it is. Nor with what it is about, which
/// may be long, and is kept as its digest.
fn travels_by_itself(claim: &idemp::Claim<'_>, origin: Origin) -> bool {
    claim.fingerprint.is_none() && origin != Origin::ClientOfCluster
}

/// A claim that a primary granted: the token is that which the history gives next, and nobody is asked again
/// whether the record is free.
fn repeat(call: Call<'_>, key: Name<'_>, claim: &idemp::Claim<'_>, origin: Origin) -> Result<(), Refusal> {
    if !travels_by_itself(claim, origin) || origin != Origin::History {
        return Err(commit::not_by_itself());
    }
    let token = replicated_clock::next_token();
    commit::repeat(call.ctx, key, origin, |record: Option<&Record>, now| {
        Some(idemp::claimed(record, claim, now, token))
    })?;
    call.reply.ok();
    Ok(())
}

fn fingerprint(kind: &[u8], words: &mut Words<'_>) -> Result<Fingerprint, Refusal> {
    let most = IDEMP_MAX_PAYLOAD.get();
    if kind == b"FINGERPRINT" {
        return Ok(Fingerprint::of_given(within_size("FINGERPRINT", words.word("FINGERPRINT")?, most, "")?));
    }
    if kind == b"JSON" {
        return Fingerprint::of_json(words.word("JSON")?, most as usize);
    }
    Fingerprint::of_payload(words.word("PAYLOAD")?, most as usize)
}

/// A claim that may wait.
struct Claiming {
    claim: idemp::Claim<'static>,
    carrier: Carrier,
}

impl Waitable for Claiming {
    type Value = Record;
    type Answer<'v> = idemp::Reply<'v>;

    fn decide<'v>(&self, record: Option<&'v Record>, now: UnixMs, tokens: &TokenClock) -> Decided<'v, Self> {
        idemp::decide_claim(record, &self.claim, now, tokens)
    }

    fn carrier(&self) -> Carrier {
        self.carrier
    }

    fn is_nothing(answer: &idemp::Reply<'_>) -> bool {
        answer.state == State::Busy
    }

    fn owned(answer: idemp::Reply<'_>) -> idemp::Reply<'static> {
        answer.into_owned()
    }

    fn is_for_all(&self, answer: &idemp::Reply<'_>) -> bool {
        answer.state == State::Done
    }

    fn next_due(&self, record: &Record, _now: UnixMs) -> Option<UnixMs> {
        record.next_due()
    }

    fn nothing(&self) -> idemp::Reply<'static> {
        idemp::Reply { state: State::Busy, value: None, token: 0, ms: 1, attempt: 0, meta: None }
    }

    fn reply(&self, answer: &idemp::Reply<'_>, _key: Name<'_>, reply: Reply<'_>) {
        reply.array(6);
        reply.word(match answer.state {
            State::Claimed => c"CLAIMED",
            State::Busy => c"BUSY",
            State::Done => c"DONE",
        });
        reply.bulk_or_null(answer.value.as_deref());
        reply.uint(answer.token);
        reply.uint(answer.ms);
        reply.uint(answer.attempt.into());
        reply.bulk_or_null(answer.meta.as_deref());
    }

    fn put_back(&self, answer: &idemp::Reply<'_>, ctx: Ctx<'_>, key: Name<'_>) {
        if answer.token > 0 {
            // Fenced when somebody has taken over meanwhile: then there is nothing to give back.
            let _ = commit::write_alone::<Record, _>(ctx, key, |record, now, _| {
                idemp::decide_release(record, answer.token, 0, now)
            });
        }
    }
}

/// `IDEMP.COMPLETE key token result [META b] [TTL d]`
pub struct Complete;

impl Handler for Complete {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let token = words.token()?;
        let result = words.word("result")?;
        let mut completion = Completion { token, result, meta: None, ttl: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"META" => completion.meta = Some(words.word("META")?),
                b"TTL" => completion.ttl = Some(words.duration("TTL")?),
                _ => return Err(unknown(&option)),
            }
        }
        let most = IDEMP_MAX_RESULT.get() as usize;
        let limits = Limits { result: most, meta: most };
        commit::write::<Record, _>(call.ctx, key, |record, now, _| {
            idemp::decide_complete(record, &completion, limits, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `IDEMP.EXTEND key token [LEASE d] [CHECKPOINT b]`
pub struct Extend;

impl Handler for Extend {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut extension = Extension { token: words.token()?, lease: None, checkpoint: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => extension.lease = Some(words.duration("LEASE")?),
                b"CHECKPOINT" => extension.checkpoint = Some(words.word("CHECKPOINT")?),
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
pub struct Release;

impl Handler for Release {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let token = words.token()?;
        let mut delay = 0;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"DELAY" => delay = words.duration_or_zero("DELAY")?,
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Record, _>(call.ctx, key, |state, now, _| {
            idemp::decide_release(state, token, delay, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `IDEMP.GET key`
pub struct Get;

impl Handler for Get {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let reply = call.reply;
        commit::read::<Record, _>(call.ctx, call.args.name(1), |record, now| {
            let Some(view) = record.and_then(|record| record.view(now)) else {
                reply.null();
                return Ok(());
            };
            reply.map(10);
            reply.bulk(b"state");
            reply.word(match view.standing {
                Standing::Claimed => c"CLAIMED",
                Standing::Delayed => c"DELAYED",
                Standing::Free => c"FREE",
                Standing::Done => c"DONE",
            });
            reply.bulk(b"value");
            reply.bulk_or_null(view.value);
            reply.bulk(b"meta");
            reply.bulk_or_null(view.meta);
            reply.bulk(b"owner");
            reply.bulk_or_null(view.owner);
            reply.bulk(b"fingerprint");
            reply.bulk_or_null(view.fingerprint.as_ref().map(|print| &print.as_bytes()[..]));
            reply.bulk(b"token");
            reply.uint(view.token);
            reply.bulk(b"attempt");
            reply.uint(view.attempt.into());
            reply.bulk(b"ms");
            reply.uint(view.ms);
            reply.bulk(b"ttl_ms");
            reply.uint(view.expires_in_ms);
            reply.bulk(b"checkpoint");
            reply.bulk_or_null(view.checkpoint);
            Ok(())
        })
    }
}
