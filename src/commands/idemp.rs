//! IDEMP: one effect, its response replayed.

use crate::domain::decision::Decision;
use crate::domain::idemp::{
    self, Answer, Complete as Completion, Content, DEFAULT_LEASE, DEFAULT_TTL, Effect, Record, State,
};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::command::{Call, Handler};
use crate::server::ctx::Ctx;
use crate::server::name::Name;
use crate::server::reply::Reply;

use super::arguments::{Words, unknown, within_size};
use super::commit;
use super::settings::{IDEMP_MAX_PAYLOAD, IDEMP_MAX_RESULT};
use super::waiting::{self, Waitable};

/// `IDEMP.CLAIM key [LEASE d] [TTL d] [OWNER b] [FINGERPRINT b | PAYLOAD b] [BLOCK d]`
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
                b"OWNER" => claim.owner = Some(words.id("OWNER")?.into()),
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                kind @ (b"FINGERPRINT" | b"PAYLOAD") => {
                    if claim.fingerprint.is_some() {
                        return Err(Refusal::err("give either FINGERPRINT or PAYLOAD, not both"));
                    }
                    claim.fingerprint = Some(content(kind, &mut words)?.fingerprint());
                }
                _ => return Err(unknown(&option)),
            }
        }
        claim.check()?;
        waiting::answer(call, key, Claiming(claim), block)
    }
}

fn content<'a>(kind: &[u8], words: &mut Words<'a>) -> Result<Content<'a>, Refusal> {
    let most = IDEMP_MAX_PAYLOAD.get();
    if kind == b"FINGERPRINT" {
        return Ok(Content::Fingerprint(within_size("FINGERPRINT", words.word("FINGERPRINT")?, most, "")?));
    }
    let hint = "; hash it yourself and give the hash as FINGERPRINT";
    Ok(Content::Payload(within_size("PAYLOAD", words.word("PAYLOAD")?, most, hint)?))
}

/// A claim that may wait.
struct Claiming(idemp::Claim);

impl Waitable for Claiming {
    type Value = Record;
    type Answer = Answer;

    fn decide(
        &self,
        state: Option<&Record>,
        now: UnixMs,
        tokens: &TokenClock,
    ) -> Result<Decision<Answer, Effect>, Refusal> {
        idemp::decide_claim(state, &self.0, now, tokens)
    }

    fn is_nothing(answer: &Answer) -> bool {
        matches!(answer, Answer::Busy { .. })
    }

    fn next_due(record: &Record) -> Option<UnixMs> {
        record.next_due()
    }

    fn nothing(&self) -> Answer {
        Answer::Busy { retry: 1, attempt: 0 }
    }

    fn reply(&self, answer: &Answer, _key: Name<'_>, reply: Reply<'_>) {
        reply.array(6);
        let (state, value, token, ms, attempt, meta) = match answer {
            Answer::Claimed { token, left, attempt } => (c"CLAIMED", None, *token, *left, *attempt, None),
            Answer::Busy { retry, attempt } => (c"BUSY", None, 0, *retry, *attempt, None),
            Answer::Done { result, age, attempt, meta } => {
                (c"DONE", Some(&**result), 0, *age, *attempt, meta.as_deref())
            }
        };
        reply.simple(state);
        reply.bulk_or_null(value);
        reply.uint(token);
        reply.uint(ms);
        reply.uint(attempt.into());
        reply.bulk_or_null(meta);
    }

    fn put_back(&self, answer: &Answer, ctx: Ctx<'_>, key: Name<'_>) {
        if let Answer::Claimed { token, .. } = answer {
            // Fenced when somebody has taken over meanwhile: then there is nothing to give back.
            let _ = commit::write_alone::<Record, _>(ctx, key, |state, now, _| {
                idemp::decide_release(state, *token, 0, now)
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
        let most = IDEMP_MAX_RESULT.get();
        let key = words.name("key")?;
        let token = words.token()?;
        let result = within_size("result", words.word("result")?, most, "")?;
        let mut completion = Completion { token, result, meta: None, ttl: None };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"META" => completion.meta = Some(within_size("META", words.word("META")?, most, "")?),
                b"TTL" => completion.ttl = Some(words.duration("TTL")?),
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Record, _>(call.ctx, key, |state, now, _| {
            idemp::decide_complete(state, &completion, now)
        })?;
        call.reply.ok();
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
            let Some(view) = idemp::view(record, now) else {
                reply.null();
                return Ok(());
            };
            reply.map(9);
            reply.bulk(b"state");
            reply.simple(match view.state {
                State::Claimed => c"CLAIMED",
                State::Free => c"FREE",
                State::Done => c"DONE",
            });
            reply.bulk(b"value");
            reply.bulk_or_null(view.result);
            reply.bulk(b"meta");
            reply.bulk_or_null(view.meta);
            reply.bulk(b"owner");
            reply.bulk_or_null(view.owner);
            reply.bulk(b"fingerprint");
            reply.bulk_or_null(view.fingerprint.map(|print| &print[..]));
            reply.bulk(b"token");
            reply.uint(view.token);
            reply.bulk(b"attempt");
            reply.uint(view.attempt.into());
            reply.bulk(b"ms");
            reply.uint(view.ms);
            reply.bulk(b"ttl_ms");
            reply.uint(view.ttl);
            Ok(())
        })
    }
}
