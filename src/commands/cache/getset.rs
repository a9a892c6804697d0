//! CACHE.GETSET: the value, or the right to load it.

use crate::domain::cache::{self, DEFAULT_LEASE, Entry, State};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::command::{Call, Handler};
use crate::server::ctx::Ctx;
use crate::server::name::Name;
use crate::server::reply::Reply;
use crate::server::strings;

use super::plain;
use crate::commands::arguments::{Words, unknown};
use crate::commands::commit;
use crate::commands::waiting::{self, Decided, Waitable};

/// `CACHE.GETSET key [LEASE d] [BLOCK d] [TOUCH d]`
pub struct GetSet;

impl Handler for GetSet {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = Words::of(call.args);
        let key = words.name("key")?;
        let mut request = cache::GetSet { lease: DEFAULT_LEASE, touch: None };
        let mut block = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => request.lease = words.duration("LEASE")?,
                b"TOUCH" => request.touch = Some(words.duration("TOUCH")?),
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
    type Answer<'v> = cache::Reply<'v>;

    fn decide<'v>(&self, entry: Option<&'v Entry>, now: UnixMs, tokens: &TokenClock) -> Decided<'v, Self> {
        cache::decide_getset(entry, &self.0, now, tokens)
    }

    fn is_nothing(answer: &cache::Reply<'_>) -> bool {
        answer.state == State::Busy
    }

    fn owned(answer: cache::Reply<'_>) -> cache::Reply<'static> {
        answer.into_owned()
    }

    fn is_for_all(&self, answer: &cache::Reply<'_>) -> bool {
        matches!(answer.state, State::Hit | State::Absent) && self.0.touch.is_none()
    }

    fn next_due(entry: &Entry) -> Option<UnixMs> {
        entry.next_due()
    }

    /// One of the server's own strings is a HIT, never leased.
    fn of_other_type(&self, ctx: Ctx<'_>, key: Name<'_>) -> Option<cache::Reply<'static>> {
        let mut left = plain::left(ctx, key)?;
        let value = strings::get(ctx, key)?;
        if let Some(touch) = self.0.touch {
            strings::expire_at(ctx, key, ctx.now_ms().saturating_add(touch));
            left = Some(touch);
        }
        Some(cache::Reply::hit(&value, left).into_owned())
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
            State::Absent => c"ABSENT",
        });
        reply.bulk_or_null(answer.value.as_deref());
        reply.uint(answer.token);
        reply.int(answer.ms);
    }

    fn put_back(&self, answer: &cache::Reply<'_>, ctx: Ctx<'_>, key: Name<'_>) {
        if answer.token > 0 {
            // Fenced when somebody has taken over meanwhile: then there is nothing to give back.
            let _ = commit::write_alone::<Entry, _>(ctx, key, |entry, now, _| {
                cache::decide_release(entry, answer.token, 0, now)
            });
        }
    }
}
