//! IDEMP.CLAIM: do the work, wait for its result, or get it.

use std::borrow::Cow;

use crate::domain::idemp;
use crate::domain::idemp::{DEFAULT_LEASE, DEFAULT_TTL, Fingerprint, Record, State};
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
use crate::runtime::settings::IDEMP_MAX_PAYLOAD;

/// `IDEMP.CLAIM key [LEASE d] [TTL d] [OWNER b] [FINGERPRINT b | PAYLOAD b | JSON b] [BLOCK d]`
pub struct IdempClaim;

impl Handler for IdempClaim {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut claim =
            idemp::ClaimRequest { lease: DEFAULT_LEASE, ttl: DEFAULT_TTL, owner: None, fingerprint: None };
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
        blocking::answer(call, key, BlockingClaim { claim: claim.into_owned(), carrier }, block)
    }
}

/// Whether a claim that is granted may travel as it came. Not in a cluster: who imports the slot would have to
/// grant the same token, and gets none of the ticks that tell which one it is. Nor with what it is about, which
/// may be long, and is kept as its digest.
fn travels_by_itself(claim: &idemp::ClaimRequest<'_>, origin: Origin) -> bool {
    claim.fingerprint.is_none() && origin != Origin::ClientOfCluster
}

/// A claim that a primary granted: the token is that which the history gives next, and nobody is asked again
/// whether the record is free.
fn repeat(
    call: Call<'_>,
    key: Name<'_>,
    claim: &idemp::ClaimRequest<'_>,
    origin: Origin,
) -> Result<(), Refusal> {
    if !travels_by_itself(claim, origin) || origin != Origin::History {
        return Err(commit::not_by_itself());
    }
    let token = replicated_clock::next_token();
    commit::repeat(call.ctx, key, origin, |record: Option<&Record>, now| {
        Some(idemp::claim_effect(record, claim, now, token))
    })?;
    call.reply.ok();
    Ok(())
}

fn fingerprint(kind: &[u8], words: &mut Words<'_>) -> Result<Fingerprint, Refusal> {
    let most = IDEMP_MAX_PAYLOAD.get();
    if kind == b"FINGERPRINT" {
        return Ok(Fingerprint::from_fingerprint(within_size(
            "FINGERPRINT",
            words.word("FINGERPRINT")?,
            most,
            "",
        )?));
    }
    if kind == b"JSON" {
        return Fingerprint::from_json(words.word("JSON")?, most as usize);
    }
    Fingerprint::from_payload(words.word("PAYLOAD")?, most as usize)
}

/// A claim that may wait.
struct BlockingClaim {
    claim: idemp::ClaimRequest<'static>,
    carrier: Carrier,
}

impl Waitable for BlockingClaim {
    type Value = Record;
    type Answer<'v> = idemp::ClaimReply<'v>;

    fn decide<'v>(&self, record: Option<&'v Record>, now: UnixMs, tokens: &TokenClock) -> Decided<'v, Self> {
        idemp::decide_claim(record, &self.claim, now, tokens)
    }

    fn carrier(&self) -> Carrier {
        self.carrier
    }

    fn is_nothing(answer: &idemp::ClaimReply<'_>) -> bool {
        answer.state == State::Busy
    }

    fn owned(answer: idemp::ClaimReply<'_>) -> idemp::ClaimReply<'static> {
        answer.into_owned()
    }

    fn is_for_all(&self, answer: &idemp::ClaimReply<'_>) -> bool {
        answer.state == State::Done
    }

    fn next_due(&self, record: &Record, _now: UnixMs) -> Option<UnixMs> {
        record.next_due()
    }

    fn nothing(&self) -> idemp::ClaimReply<'static> {
        idemp::ClaimReply { state: State::Busy, value: None, token: 0, ms: 1, attempt: 0, meta: None }
    }

    fn reply(&self, answer: &idemp::ClaimReply<'_>, _key: Name<'_>, reply: Reply<'_>) {
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

    fn put_back(&self, answer: &idemp::ClaimReply<'_>, ctx: Ctx<'_>, key: Name<'_>) {
        if answer.token > 0 {
            // Fenced when somebody has taken over meanwhile: then there is nothing to give back.
            let _ = commit::write_alone::<Record, _>(ctx, key, |record, now, _| {
                idemp::decide_release(record, answer.token, 0, now)
            });
        }
    }
}
