//! PUSH, and what it has in common with MPUSH.

use crate::domain::decision::Decision;
use crate::domain::jobq;
use crate::domain::jobq::{AddedParents, After, MAX_AFTER, OnDead, UniqueKey, Until};
use crate::domain::jobq::{Backoff, Due, MAX_RETRIES, OnDup, Pushed, Queue};
use crate::domain::ratelimit::MAX_COUNT;
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::module_api::context::Origin;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::VerbatimHandler;

use crate::commands::args::{ArgReader, Keyword, unknown, within_size};
use crate::commands::jobq::parse_small;
use crate::runtime::commit;
use crate::runtime::commit::{ReplicateAs, Write};
use crate::runtime::eviction;
use crate::runtime::settings::{ALLOW_EVICTION, JOBQ_MAX_PAYLOAD};

/// How many jobs those of an MPUSH may wait for, all together.
const MAX_EDGES_PER_CALL: usize = 10_000;

/// The latest time of AT: year 2255.
pub(crate) const MAX_AT_MS: u64 = 9_000_000_000_000;

pub(crate) fn payload<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    within_limit(words.next_arg("payload")?)
}

pub(crate) fn within_limit(payload: &[u8]) -> Result<&[u8], Refusal> {
    within_size("payload", payload, JOBQ_MAX_PAYLOAD.get(), "")
}

/// An option that PUSH and MPUSH have in common; false when it is another one.
pub(crate) fn parse_common_option<'a>(
    push: &mut jobq::Push<'a>,
    option: &Keyword<'_>,
    words: &mut ArgReader<'a>,
) -> Result<bool, Refusal> {
    match option.folded() {
        b"MATCH" => push.must_match = true,
        b"NAME" => push.name = Some(words.id("NAME")?),
        b"DELAY" | b"AT" if push.due != Due::After(0) => {
            return Err(Refusal::err("give either DELAY or AT, not both"));
        }
        b"DELAY" => push.due = Due::After(words.duration_or_zero("DELAY")?),
        b"AT" => push.due = Due::At(words.integer("AT", 0, MAX_AT_MS)?),
        b"PRIORITY" => push.priority = words.signed("PRIORITY")?,
        b"LIFO" => push.lifo = true,
        b"GROUP" => push.group = Some(words.id("GROUP")?),
        b"RETRIES" => push.retries = Some(words.integer("RETRIES", 0, MAX_RETRIES.into())? as u16),
        b"BACKOFF" => push.backoff = Some(Backoff::parse(words.next_arg("BACKOFF")?)?),
        b"LEASE" => push.lease = Some(words.duration("LEASE")?),
        b"EXPIRE" => push.expire = Some(words.duration("EXPIRE")?),
        b"KEEP" => push.keep = Some(words.duration_or_zero("KEEP")?),
        b"COST" => push.cost = words.integer("COST", 0, MAX_COUNT)?,
        b"META" => push.meta = Some(parse_small("META", words)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// AFTER and ONDEAD as given, in any order.
#[derive(Default)]
pub(crate) struct AfterOptions<'a> {
    ids: Option<Vec<&'a [u8]>>,
    on_dead: Option<OnDead>,
}

impl<'a> AfterOptions<'a> {
    /// Takes an option of these; false when it is another one.
    pub fn take(&mut self, option: &Keyword<'_>, words: &mut ArgReader<'a>) -> Result<bool, Refusal> {
        match option.folded() {
            b"AFTER" => {
                let count = words.integer("the number of jobs AFTER which", 1, MAX_AFTER as u64)?;
                self.ids = Some(words.next_n(count, |words| words.id("AFTER"))?);
            }
            b"ONDEAD" => {
                let choices = [(&b"wait"[..], OnDead::Wait), (b"fail", OnDead::Fail), (b"run", OnDead::Run)];
                self.on_dead = Some(one_of("ONDEAD", words, &choices)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The jobs that an UPDATE adds.
    pub fn parents(&self) -> Result<Option<AddedParents<'_>>, Refusal> {
        let after = self.build(1)?;
        Ok(after.map(|After { ids, .. }| AddedParents { ids, on_dead: self.on_dead }))
    }

    /// Builds the options for a number of pushes.
    pub fn build(&self, pushes: usize) -> Result<Option<After<'_>>, Refusal> {
        let Some(ids) = &self.ids else {
            if self.on_dead.is_some() {
                return Err(Refusal::err("ONDEAD goes with AFTER: it says what becomes of a job that waits"));
            }
            return Ok(None);
        };
        if ids.len() * pushes > MAX_EDGES_PER_CALL {
            let text = format!(
                "{pushes} payloads AFTER {} jobs: at most {MAX_EDGES_PER_CALL} are allowed when the two are multiplied",
                ids.len()
            );
            return Err(Refusal::err(text));
        }
        Ok(Some(After { ids, on_dead: self.on_dead.unwrap_or(OnDead::Wait) }))
    }
}

/// UNIQUE and its options as given, in any order.
#[derive(Default)]
pub(crate) struct UniqueOptions<'a> {
    key: Option<&'a [u8]>,
    until: Option<Until>,
    window: Option<u64>,
    on_dup: Option<OnDup>,
    max_wait: Option<u64>,
}

impl<'a> UniqueOptions<'a> {
    /// Takes an option of these; false when it is another one.
    pub fn take(&mut self, option: &Keyword<'_>, words: &mut ArgReader<'a>) -> Result<bool, Refusal> {
        match option.folded() {
            b"UNIQUE" => self.key = Some(words.id("UNIQUE")?),
            b"UNTIL" => {
                let choices = [(&b"start"[..], Until::Start), (b"done", Until::Done)];
                self.until = Some(one_of("UNTIL", words, &choices)?);
            }
            b"FOR" => self.window = Some(words.duration("FOR")?),
            b"ONDUP" => {
                let choices = [
                    (&b"keep"[..], OnDup::Keep),
                    (b"replace", OnDup::Replace),
                    (b"next", OnDup::Next),
                    (b"cancel", OnDup::Cancel),
                ];
                self.on_dup = Some(one_of("ONDUP", words, &choices)?);
            }
            b"MAXWAIT" => self.max_wait = Some(words.duration("MAXWAIT")?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub fn build(self) -> Result<Option<UniqueKey<'a>>, Refusal> {
        let UniqueOptions { key, until, window, on_dup, max_wait } = self;
        let Some(key) = key else {
            if until.is_some() || window.is_some() || on_dup.is_some() || max_wait.is_some() {
                return Err(Refusal::err(
                    "UNTIL, FOR, ONDUP and MAXWAIT go with UNIQUE: they say how its key is held",
                ));
            }
            return Ok(None);
        };
        let alone = if window.is_some() { Until::Time } else { Until::Done };
        let on_dup = on_dup.unwrap_or(OnDup::Keep);
        if max_wait.is_some() && on_dup != OnDup::Replace {
            return Err(Refusal::err("MAXWAIT goes with ONDUP replace: it ends a debounce"));
        }
        Ok(Some(UniqueKey { key, until: until.unwrap_or(alone), window, on_dup, max_wait }))
    }
}

pub(super) fn one_of<T: Copy>(
    what: &str,
    words: &mut ArgReader<'_>,
    choices: &[(&[u8], T)],
) -> Result<T, Refusal> {
    let given = words.next_arg(what)?;
    let chosen = choices.iter().find(|(name, _)| given.eq_ignore_ascii_case(name));
    chosen.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| shown(name)).collect();
        Refusal::err(format!("{what} '{}': expected {}", shown(given), names.join(" or ")))
    })
}

/// Whether a push that is replicated verbatim has the same time everywhere, which its automatic id
/// contains. A node of a cluster that imports the key's slot takes its own time.
pub(crate) fn has_one_time(origin: Origin) -> bool {
    origin != Origin::ClientOfCluster
}

pub(crate) fn chosen_id<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    let id = words.id("ID")?;
    if id.starts_with(b"#") {
        return Err(Refusal::err("ID must not begin with '#': those ids are given by the queue"));
    }
    Ok(id)
}

pub(crate) fn refuse_match_alone(push: &jobq::Push<'_>, has_ids: bool) -> Result<(), Refusal> {
    if push.must_match && !has_ids {
        return Err(Refusal::err("MATCH goes with an ID: it compares the payload of the job that has it"));
    }
    Ok(())
}

pub(crate) fn reply_pushed(pushed: &Pushed, reply: Reply<'_>) {
    let (id, outcome) = match pushed {
        Pushed::New(id) => (&**id, c"NEW"),
        Pushed::Duplicate(id) => (&**id, c"DUP"),
        Pushed::Replaced(id) => (&**id, c"REPLACED"),
        Pushed::Next(id) => (&**id, c"NEXT"),
    };
    reply.array(2);
    reply.bulk(id);
    reply.word(outcome);
}

/// Refuses what would be added where the server may drop the whole queue to stay below its memory
/// limit.
pub(crate) fn refuse_if_evictable<R>(
    decided: Result<Decision<R, jobq::Effect>, Refusal>,
) -> Result<Decision<R, jobq::Effect>, Refusal> {
    let decision = decided?;
    if decision.effect.is_some() && eviction::may_drop_queues() && !ALLOW_EVICTION.is_on() {
        return Err(Refusal::err(
            "the server may evict this queue: set maxmemory-policy to noeviction or to one of the volatile \
             policies, or workgate.allow-eviction to yes",
        ));
    }
    Ok(decision)
}

/// `JOBQ.PUSH key payload [ID id [MATCH]] [NAME n] [DELAY d | AT unix_ms] [PRIORITY p] [LIFO]
/// [GROUP g] [RETRIES n] [BACKOFF spec] [LEASE d] [AFTER n id … [ONDEAD wait|fail|run]] [EXPIRE d]
/// [KEEP d] [UNIQUE k [UNTIL start|done] [FOR d] [ONDUP keep|replace|next|cancel] [MAXWAIT d]]
/// [COST n] [META b]`
pub struct Push;

impl VerbatimHandler for Push {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, payload) = (words.name("key")?, words.next_arg("payload")?);
        let is_plain = words.peek().is_none() && has_one_time(origin);
        let how = Write::replicated_as(ReplicateAs::choose(origin, is_plain));
        let (mut push, mut unique) = (jobq::Push::plain(within_limit(payload)?), UniqueOptions::default());
        let mut waiting = AfterOptions::default();
        while let Some(option) = words.option()? {
            match option.folded() {
                b"ID" => push.id = Some(chosen_id(&mut words)?),
                _ if unique.take(&option, &mut words)? || waiting.take(&option, &mut words)? => {}
                _ if parse_common_option(&mut push, &option, &mut words)? => {}
                _ => return Err(unknown(&option)),
            }
        }
        refuse_match_alone(&push, push.id.is_some())?;
        push.unique = unique.build()?;
        push.after = waiting.build(1)?;
        let pushed = commit::write_with::<Queue, _>(call.ctx, key, how, |queue, now, tokens| {
            refuse_if_evictable(jobq::decide_push(queue, &push, now, tokens))
        })?;
        reply_pushed(&pushed, call.reply);
        Ok(())
    }

    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, payload) = (words.name("key")?, words.next_arg("payload")?);
        replay_plain(call, key, &[payload], &words, origin)
    }
}

/// Adds jobs that a primary has accepted, whatever this server's settings say of their size.
/// `options` are the arguments after the payloads: only calls without any are replicated verbatim.
pub(crate) fn replay_plain(
    call: Call<'_>,
    key: ServerStr<'_>,
    payloads: &[&[u8]],
    options: &ArgReader<'_>,
    origin: Origin,
) -> Result<(), Refusal> {
    if options.peek().is_some() {
        return Err(commit::not_replicable_verbatim());
    }
    let pushes: Vec<_> = payloads.iter().map(|payload| jobq::Push::plain(payload)).collect();
    commit::apply_verbatim(call.ctx, key, origin, |queue: Option<&Queue>, now| {
        jobq::push_effect(queue, &pushes, now)
    })?;
    call.reply.ok();
    Ok(())
}
