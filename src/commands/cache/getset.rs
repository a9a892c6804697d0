//! CACHE.GETSET: the value, or the right to load it.

use crate::domain::cache;
use crate::domain::cache::{CacheEntry, State, StatsClass, Tags};
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::Handler;

use super::effective_policy::LoadTerms;
use crate::commands::args::{ArgReader, unknown};
use crate::commands::cache::effective_policy;
use crate::commands::cache::{plain_string, set, stats};
use crate::runtime::blocking;
use crate::runtime::blocking::{Decided, Waitable};
use crate::runtime::commit;
use crate::runtime::commit::Write;

/// `CACHE.GETSET key [LEASE d] [BLOCK d] [TOUCH d] [WITHMETA]`, or
/// `… VALUE v [TTL d] [GRACE d] [META b] [TAGS n tag …] [WITHMETA]`
pub struct CacheGetSet;

impl Handler for CacheGetSet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut options = GetSetOptions::default();
        let has_options = words.peek().is_some();
        while let Some(option) = words.option()? {
            match option.folded() {
                b"LEASE" => options.lease = Some(words.duration("LEASE")?),
                b"TOUCH" => options.touch = Some(words.duration("TOUCH")?),
                b"BLOCK" => options.block = Some(words.duration("BLOCK")?),
                b"VALUE" => options.value = Some(words.next_arg("value")?),
                b"TTL" => options.ttl = Some(words.duration("TTL")?),
                b"GRACE" => options.grace = Some(words.duration_or_zero("GRACE")?),
                b"WITHMETA" => options.with_meta = true,
                b"META" => options.client_meta = Some(words.next_arg("META")?),
                b"TAGS" => options.tags = Some(set::read_tags(&mut words)?),
                _ => return Err(unknown(&option)),
            }
        }
        if has_options {
            options.check()?;
        }
        if options.value.is_some() {
            let GetSetOptions { value, ttl, grace, client_meta, tags, with_meta, .. } = options;
            let set = cache::SetRequest { value, token: None, ttl, grace, client_meta };
            return get_or_store(call, key, &set, tags.unwrap_or_default(), with_meta);
        }
        let LoadTerms { lease, early, class } = effective_policy::for_load(key);
        let request =
            cache::GetSetRequest { lease: options.lease.unwrap_or(lease), touch: options.touch, early };
        let with_meta = options.with_meta;
        blocking::answer(call, key, BlockingGetSet { request, class, with_meta }, options.block)
    }
}

/// The options as they were given.
#[derive(Default)]
struct GetSetOptions<'a> {
    lease: Option<u64>,
    touch: Option<u64>,
    block: Option<u64>,
    value: Option<&'a [u8]>,
    ttl: Option<u64>,
    grace: Option<u64>,
    client_meta: Option<&'a [u8]>,
    tags: Option<Tags>,
    with_meta: bool,
}

impl GetSetOptions<'_> {
    /// What loads and what brings its value have different options.
    fn check(&self) -> Result<(), Refusal> {
        let given = |options: &[(&'static str, Option<u64>)]| {
            options.iter().find(|(_, value)| value.is_some()).map(|(name, _)| *name)
        };
        let of_load = given(&[("LEASE", self.lease), ("TOUCH", self.touch), ("BLOCK", self.block)]);
        let of_value = given(&[
            ("TTL", self.ttl),
            ("GRACE", self.grace),
            ("META", self.client_meta.map(|_| 0)),
            ("TAGS", self.tags.as_ref().map(|_| 0)),
        ]);
        match (self.value, of_load, of_value) {
            (Some(_), Some(name), _) => {
                Err(Refusal::err(format!("{name} cannot stand with VALUE: nothing is left to load")))
            }
            (None, _, Some(name)) => {
                Err(Refusal::err(format!("{name} needs VALUE: CACHE.SET says it of a loaded value")))
            }
            _ => Ok(()),
        }
    }
}

/// GETSET with VALUE: a plain string is a HIT here too.
fn get_or_store(
    call: Call<'_>,
    key: ServerStr<'_>,
    set: &cache::SetRequest<'_>,
    tags: Tags,
    with_meta: bool,
) -> Result<(), Refusal> {
    let (terms, class) = effective_policy::for_value(key);
    let outcome = commit::write_with::<CacheEntry, _>(
        call.ctx,
        key,
        Write::DEFAULT.replying(),
        |entry, now, tokens| {
            let decision = cache::decide_getset_value(entry, set, &terms, now, tokens)?;
            let Decision { reply, effect } = cache::attach_tags(decision, tags);
            commit::refuse(call.ctx, entry, effect.as_ref())?;
            send(class, &reply, with_meta, call.reply);
            Ok(Decision { reply: (), effect })
        },
    );
    match outcome {
        Err(refusal) if refusal.code == Code::WrongType => {
            let hit = plain_string::hit(call.ctx, key, None).ok_or(refusal)?;
            send(class, &hit, with_meta, call.reply);
            Ok(())
        }
        outcome => outcome,
    }
}

fn send(class: StatsClass, answer: &cache::GetSetReply<'_>, with_meta: bool, reply: Reply<'_>) {
    stats::count_answer(class, answer.state);
    reply.array(if with_meta { 5 } else { 4 });
    reply.word(match answer.state {
        State::Hit => c"HIT",
        State::Refresh | State::EarlyRefresh => c"REFRESH",
        State::Stale => c"STALE",
        State::Fill => c"FILL",
        State::Busy => c"BUSY",
        State::Absent => c"ABSENT",
        State::Stored => c"STORED",
    });
    reply.bulk_or_null(answer.value.as_deref());
    reply.uint(answer.token);
    reply.int(answer.ms);
    if with_meta {
        reply.bulk_or_null(answer.client_meta.as_deref());
    }
}

/// A GETSET that may wait.
struct BlockingGetSet {
    request: cache::GetSetRequest,
    /// Where it is counted.
    class: StatsClass,
    with_meta: bool,
}

impl Waitable for BlockingGetSet {
    type Value = CacheEntry;
    type Answer<'v> = cache::GetSetReply<'v>;

    fn decide<'v>(
        &self,
        entry: Option<&'v CacheEntry>,
        now: UnixMs,
        tokens: &TokenClock,
    ) -> Decided<'v, Self> {
        cache::decide_getset(entry, &self.request, now, tokens)
    }

    fn is_empty(answer: &cache::GetSetReply<'_>) -> bool {
        answer.state == State::Busy
    }

    fn into_owned(answer: cache::GetSetReply<'_>) -> cache::GetSetReply<'static> {
        answer.into_owned()
    }

    fn is_shared(&self, answer: &cache::GetSetReply<'_>) -> bool {
        matches!(answer.state, State::Hit | State::Absent) && self.request.touch.is_none()
    }

    fn on_block(&self) {
        stats::count_event(self.class, |stats| stats.waits += 1);
    }

    fn next_due(&self, entry: &CacheEntry, _now: UnixMs) -> Option<UnixMs> {
        entry.next_due()
    }

    /// One of the server's own strings is a HIT, never leased.
    fn reply_to_other_type(&self, ctx: Ctx<'_>, key: ServerStr<'_>) -> Option<cache::GetSetReply<'static>> {
        plain_string::hit(ctx, key, self.request.touch)
    }

    fn timeout_reply(
        &self,
        _: Option<&Self::Value>,
        _: UnixMs,
    ) -> Result<cache::GetSetReply<'static>, Refusal> {
        Ok(cache::GetSetReply { state: State::Busy, value: None, token: 0, ms: 1, client_meta: None })
    }

    fn reply(&self, answer: &cache::GetSetReply<'_>, _key: ServerStr<'_>, reply: Reply<'_>) {
        send(self.class, answer, self.with_meta, reply);
    }

    fn undo(&self, answer: &cache::GetSetReply<'_>, ctx: Ctx<'_>, key: ServerStr<'_>) {
        if answer.token > 0 {
            // Fenced when another client took over meanwhile: then there is nothing to give back.
            let _ =
                commit::write_with::<CacheEntry, _>(ctx, key, Write::without_serving(), |entry, now, _| {
                    cache::decide_release(entry, answer.token, 0, now)
                });
        }
    }
}
