//! CACHE: cache-aside without the stampede.

use crate::domain::cache::{self, DEFAULT_LEASE, Entry, State};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::command::{Call, Handler};
use crate::server::ctx::Ctx;
use crate::server::key::Key;
use crate::server::name::Name;
use crate::server::reply::Reply;
use crate::server::strings;

use super::arguments::{Words, unknown};
use super::commit;
use super::settings::CACHE_MAX_VALUE;
use super::waiting::{self, Decided, Waitable};

/// `CACHE.GETSET key [LEASE d] [BLOCK d]`
pub struct GetSet;

impl Handler for GetSet {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut request = Getting { lease: DEFAULT_LEASE };
        let mut block = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => request.lease = words.duration("LEASE")?,
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                _ => return Err(unknown(&option)),
            }
        }
        waiting::answer(call, key, request, block)
    }
}

/// A GETSET that may wait.
struct Getting {
    /// In milliseconds.
    lease: u64,
}

impl Waitable for Getting {
    type Value = Entry;
    type Answer<'v> = cache::Reply<'v>;

    fn decide<'v>(&self, entry: Option<&'v Entry>, now: UnixMs, tokens: &TokenClock) -> Decided<'v, Self> {
        cache::decide_getset(entry, self.lease, now, tokens)
    }

    fn is_nothing(answer: &cache::Reply<'_>) -> bool {
        answer.state == State::Busy
    }

    fn owned(answer: cache::Reply<'_>) -> cache::Reply<'static> {
        answer.into_owned()
    }

    fn is_for_all(answer: &cache::Reply<'_>) -> bool {
        answer.state == State::Hit
    }

    fn next_due(entry: &Entry) -> Option<UnixMs> {
        entry.next_due()
    }

    /// One of the server's own strings is a HIT, never leased.
    fn of_other_type(ctx: Ctx<'_>, key: Name<'_>) -> Option<cache::Reply<'static>> {
        let left = plain_string_left(ctx, key)?;
        Some(cache::Reply::hit(&strings::get(ctx, key)?, left).into_owned())
    }

    fn nothing(&self) -> cache::Reply<'static> {
        cache::Reply { state: State::Busy, value: None, token: 0, ms: 1 }
    }

    fn reply(&self, answer: &cache::Reply<'_>, _key: Name<'_>, reply: Reply<'_>) {
        reply.array(4);
        reply.simple(match answer.state {
            State::Hit => c"HIT",
            State::Refresh => c"REFRESH",
            State::Stale => c"STALE",
            State::Fill => c"FILL",
            State::Busy => c"BUSY",
        });
        reply.bulk_or_null(answer.value.as_deref());
        reply.uint(answer.token);
        reply.int(answer.ms);
    }

    fn put_back(&self, answer: &cache::Reply<'_>, ctx: Ctx<'_>, key: Name<'_>) {
        if answer.token > 0 {
            // Fenced when somebody has taken over meanwhile: then there is nothing to give back.
            let _ = commit::write_alone::<Entry, _>(ctx, key, |entry, _, _| {
                cache::decide_release(entry, answer.token)
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
        let value = words.word("value")?;
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
        let most = CACHE_MAX_VALUE.get() as usize;
        let stored = commit::write_over_string::<Entry, _>(call.ctx, key, |entry, now, tokens| {
            cache::decide_set(entry, &set, most, now, tokens)
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
        let seen = commit::read::<Entry, _>(call.ctx, key, |entry, now| {
            call.reply.bulk_or_null(entry.and_then(|entry| entry.view(now)));
            Ok(())
        });
        // One of the server's own strings, which is rare, is asked for only then.
        match seen {
            Err(refusal) if refusal.code == Code::WrongType => {
                let string = plain_string_left(call.ctx, key).and_then(|_| strings::get(call.ctx, key));
                call.reply.bulk(&string.ok_or(refusal)?);
                Ok(())
            }
            seen => seen,
        }
    }
}
