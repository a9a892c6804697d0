//! CACHE: cache-aside without the stampede.

use crate::domain::cache::{self, Answer, DEFAULT_LEASE, Effect, Entry};
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::command::{Call, Handler};
use crate::server::ctx::Ctx;
use crate::server::key::Key;
use crate::server::name::Name;
use crate::server::reply::Reply;
use crate::server::strings;

use super::arguments::{Words, unknown, within_size};
use super::commit;
use super::settings::CACHE_MAX_VALUE;
use super::waiting::{self, Waitable};

/// `CACHE.GETSET key [LEASE d] [BLOCK d]`
pub struct GetSet;

impl Handler for GetSet {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut request = cache::GetSet { lease: DEFAULT_LEASE };
        let mut block = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => request.lease = words.duration("LEASE")?,
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                _ => return Err(unknown(&option)),
            }
        }
        waiting::answer(call, key, Getting(request), block)
    }
}

/// A GETSET that may wait.
struct Getting(cache::GetSet);

impl Waitable for Getting {
    type Value = Entry;
    type Answer = Answer;

    fn decide(
        &self,
        state: Option<&Entry>,
        now: UnixMs,
        tokens: &TokenClock,
    ) -> Result<Decision<Answer, Effect>, Refusal> {
        Ok(cache::decide_getset(state, &self.0, now, tokens))
    }

    fn is_nothing(answer: &Answer) -> bool {
        matches!(answer, Answer::Busy { .. })
    }

    fn next_due(entry: &Entry) -> Option<UnixMs> {
        entry.next_due()
    }

    /// One of the server's own strings is a HIT, never leased.
    fn of_other_type(ctx: Ctx<'_>, key: Name<'_>) -> Option<Answer> {
        let left = plain_string_left(ctx, key)?;
        Some(Answer::Hit { value: strings::get(ctx, key)?.into(), left })
    }

    fn nothing(&self) -> Answer {
        Answer::Busy { retry: 1 }
    }

    fn reply(&self, answer: &Answer, _key: Name<'_>, reply: Reply<'_>) {
        reply.array(4);
        let (state, value, token, ms) = match answer {
            Answer::Hit { value, left } => (c"HIT", Some(value), 0, left.map_or(-1, |left| left as i64)),
            Answer::Refresh { value, token, lease } => (c"REFRESH", Some(value), *token, *lease as i64),
            Answer::Stale { value, retry } => (c"STALE", Some(value), 0, *retry as i64),
            Answer::Fill { token, lease } => (c"FILL", None, *token, *lease as i64),
            Answer::Busy { retry } => (c"BUSY", None, 0, *retry as i64),
        };
        reply.simple(state);
        reply.bulk_or_null(value.map(|value| &**value));
        reply.uint(token);
        reply.int(ms);
    }

    fn put_back(&self, answer: &Answer, ctx: Ctx<'_>, key: Name<'_>) {
        if let Answer::Fill { token, .. } | Answer::Refresh { token, .. } = answer {
            // Fails when somebody has taken over meanwhile: then there is nothing to give back.
            let _ = commit::write_alone::<Entry, _>(ctx, key, |state, now, _| {
                Ok(cache::decide_release(state, *token, 0, now))
            });
        }
    }
}

/// Milliseconds that one of the server's own strings has left, `Some(None)` without an expiry;
/// `None` when the key holds no such string.
fn plain_string_left(ctx: Ctx<'_>, key: Name<'_>) -> Option<Option<u64>> {
    let key = Key::unnoticed(ctx, key);
    key.is_string().then(|| key.expiry().map(|at| at.saturating_sub(ctx.now_ms())))
}

/// `CACHE.SET key value [TOKEN t] [TTL d] [GRACE d]`
pub struct Set;

impl Handler for Set {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let value = within_size("value", words.word("value")?, CACHE_MAX_VALUE.get(), "")?;
        let mut set = cache::Set { value, token: None, ttl: None, grace: 0 };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"TOKEN" => set.token = Some(words.token()?),
                b"TTL" => set.ttl = Some(words.duration("TTL")?),
                b"GRACE" => set.grace = words.duration_or_zero("GRACE")?,
                _ => return Err(unknown(&option)),
            }
        }
        if set.grace > 0 && set.ttl.is_none() {
            return Err(Refusal::err("GRACE needs a TTL: a value that is fresh for ever is never stale"));
        }
        let stored = commit::write_over_string::<Entry, _>(call.ctx, key, |state, now, _| {
            Ok(cache::decide_set(state, &set, now))
        })?;
        call.reply.int(i64::from(stored));
        Ok(())
    }
}

/// `CACHE.GET key`
pub struct Get;

impl Handler for Get {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let key = call.args.name(1);
        if plain_string_left(call.ctx, key).is_some() {
            call.reply.bulk_or_null(strings::get(call.ctx, key).as_deref());
            return Ok(());
        }
        commit::read::<Entry, _>(call.ctx, key, |entry, now| {
            call.reply.bulk_or_null(cache::get(entry, now));
            Ok(())
        })
    }
}
