//! IDEMP.CLAIM: do the work, wait for its result, or get it.

use std::borrow::Cow;

use crate::domain::idemp;
use crate::domain::idemp::{DEFAULT_LEASE, DEFAULT_TTL, Fingerprint, Record, State};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::module_api::command::Call;
use crate::module_api::context::{Ctx, Origin};
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::VerbatimHandler;

use crate::commands::args::{ArgReader, unknown, within_size};
use crate::runtime::blocking;
use crate::runtime::blocking::{Decided, Waitable};
use crate::runtime::commit;
use crate::runtime::commit::{ReplicateAs, Write};
use crate::runtime::replicated_clock;
use crate::runtime::settings::IDEMP_MAX_PAYLOAD;

/// `IDEMP.CLAIM key [LEASE d] [TTL d] [OWNER b] [FINGERPRINT b | PAYLOAD b | JSON b] [BLOCK d]`
pub struct IdempClaim;

impl VerbatimHandler for IdempClaim {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let (key, claim, block) = read_claim(call)?;
        let replicate_as = ReplicateAs::choose(origin, is_replicable_verbatim(&claim, origin));
        blocking::answer(call, key, BlockingClaim { claim: claim.into_owned(), replicate_as }, block)
    }

    /// Grants what the primary has granted: the token is the next one of the history, and the
    /// record is not asked again whether it is free.
    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let (key, claim, _) = read_claim(call)?;
        if !is_replicable_verbatim(&claim, origin) || origin != Origin::ReplicationOrAof {
            return Err(commit::not_replicable_verbatim());
        }
        let token = replicated_clock::next_token();
        commit::apply_verbatim(call.ctx, key, origin, |record: Option<&Record>, now| {
            Some(idemp::claim_effect(record, &claim, now, token))
        })?;
        call.reply.ok();
        Ok(())
    }
}

type ClaimArgs<'a> = (ServerStr<'a>, idemp::ClaimRequest<'a>, Option<u64>);

fn read_claim(call: Call<'_>) -> Result<ClaimArgs<'_>, Refusal> {
    let mut words = ArgReader::of(call.args);
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
    Ok((key, claim, block))
}

/// Whether a granted claim may be replicated as the client sent it. Not in a cluster: a primary
/// that imports the slot must grant the same token, and gets none of the ticks that say which one.
/// Not with a fingerprint: the payload may be long, and only its digest is kept.
fn is_replicable_verbatim(claim: &idemp::ClaimRequest<'_>, origin: Origin) -> bool {
    claim.fingerprint.is_none() && origin != Origin::ClientOfCluster
}

fn fingerprint(kind: &[u8], words: &mut ArgReader<'_>) -> Result<Fingerprint, Refusal> {
    let most = IDEMP_MAX_PAYLOAD.get();
    if kind == b"FINGERPRINT" {
        return Ok(Fingerprint::from_fingerprint(within_size(
            "FINGERPRINT",
            words.next_arg("FINGERPRINT")?,
            most,
            "",
        )?));
    }
    if kind == b"JSON" {
        return Fingerprint::from_json(words.next_arg("JSON")?, most as usize);
    }
    Fingerprint::from_payload(words.next_arg("PAYLOAD")?, most as usize)
}

/// A claim that may wait.
struct BlockingClaim {
    claim: idemp::ClaimRequest<'static>,
    replicate_as: ReplicateAs,
}

impl Waitable for BlockingClaim {
    type Value = Record;
    type Answer<'v> = idemp::ClaimReply<'v>;

    fn decide<'v>(&self, record: Option<&'v Record>, now: UnixMs, tokens: &TokenClock) -> Decided<'v, Self> {
        idemp::decide_claim(record, &self.claim, now, tokens)
    }

    fn replicate_as(&self) -> ReplicateAs {
        self.replicate_as
    }

    fn is_empty(answer: &idemp::ClaimReply<'_>) -> bool {
        answer.state == State::Busy
    }

    fn into_owned(answer: idemp::ClaimReply<'_>) -> idemp::ClaimReply<'static> {
        answer.into_owned()
    }

    fn is_shared(&self, answer: &idemp::ClaimReply<'_>) -> bool {
        answer.state == State::Done
    }

    fn next_due(&self, record: &Record, _now: UnixMs) -> Option<UnixMs> {
        record.next_due()
    }

    fn timeout_reply(
        &self,
        _: Option<&Self::Value>,
        _: UnixMs,
    ) -> Result<idemp::ClaimReply<'static>, Refusal> {
        Ok(idemp::ClaimReply { state: State::Busy, value: None, token: 0, ms: 1, attempt: 0, meta: None })
    }

    fn reply(&self, answer: &idemp::ClaimReply<'_>, _key: ServerStr<'_>, reply: Reply<'_>) {
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

    fn undo(&self, answer: &idemp::ClaimReply<'_>, ctx: Ctx<'_>, key: ServerStr<'_>) {
        if answer.token > 0 {
            // Fenced when another client took over meanwhile: then there is nothing to give back.
            let _ = commit::write_with::<Record, _>(ctx, key, Write::without_serving(), |record, now, _| {
                idemp::decide_release(record, answer.token, 0, now)
            });
        }
    }
}
