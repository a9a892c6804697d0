//! POP, which may wait.

use std::collections::BTreeSet;

use crate::domain::jobq;
use crate::domain::jobq::{MAX_JOBS_PER_CALL, MAX_REPLY_BYTES, Queue};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::token::TokenClock;
use crate::module_api::args::Args;
use crate::module_api::command::{Call, FindsKeys};
use crate::module_api::context::Origin;
use crate::module_api::server_string::ServerStr;
use crate::runtime::handler::VerbatimHandler;

use super::at_rate::{Rate, pop_at_rate, read_rate};
use super::request::{PopRequest, reply_row};
use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit::ReplicateAs;
use crate::runtime::{blocking, commit, replicated_clock};

/// How many queues ALSO may add.
const MAX_FURTHER_QUEUES: u64 = 100;
/// The most bytes of a worker's name.
const MAX_WORKER_BYTES: usize = 128;

/// `JOBQ.POP key [ALSO n key …] [RATE key m limit …] [COUNT n] [LINGER d] [GROUPED]
/// [BLOCK d] [LEASE d] [WORKER w]`
pub struct Pop;

impl VerbatimHandler for Pop {
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let PopArgs { key, also, rate, mut request, block } = read_pop(call)?;
        if let Some(rate) = rate {
            return pop_at_rate(call, &each_once(key, also), &rate, request, block);
        }
        if also.is_empty() {
            if origin == Origin::Client && is_plain(&request) {
                request.replicate_as = ReplicateAs::Verbatim;
            }
            return blocking::answer(call, key, request, block);
        }
        pop_several(call, &each_once(key, also), request, block)
    }

    /// Chooses the jobs that the primary has chosen, and gives them its tokens.
    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal> {
        let PopArgs { key, also, rate, request, .. } = read_pop(call)?;
        let is_replicable = also.is_empty() && rate.is_none() && is_plain(&request);
        if !is_replicable || origin != Origin::ReplicationOrAof {
            return Err(commit::not_replicable_verbatim());
        }
        replicated_clock::refuse_other_rules()?;
        let tokens = TokenClock::after(replicated_clock::next_token() - 1);
        commit::apply_verbatim(call.ctx, key, origin, |queue: Option<&Queue>, now| {
            jobq::decide_pop(queue, &request.pop(), now, &tokens).effect
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// Whether the queue, the time, the first token and the words determine the jobs of a POP of one
/// queue, by rules that are unlikely to change. Those of LINGER and GROUPED are not.
///
/// It is replicated verbatim then, but not in a cluster: a primary that imports the slot gets no
/// ticks.
fn is_plain(request: &PopRequest) -> bool {
    request.linger.is_none() && !request.grouped
}

struct PopArgs<'a> {
    key: ServerStr<'a>,
    also: Vec<ServerStr<'a>>,
    rate: Option<Rate<'a>>,
    request: PopRequest,
    block: Option<u64>,
}

fn read_pop(call: Call<'_>) -> Result<PopArgs<'_>, Refusal> {
    let mut words = ArgReader::of(call.args);
    let key = words.name("key")?;
    let mut request = PopRequest { count: 1, ..PopRequest::default() };
    let (mut also, mut rate, mut block) = (Vec::new(), None, None);
    while let Some(option) = words.option()? {
        match option.folded() {
            b"ALSO" => also = further_queues(&mut words)?,
            b"RATE" => rate = Some(read_rate(&mut words)?),
            b"COUNT" => request.count = words.integer("COUNT", 1, MAX_JOBS_PER_CALL as u64)? as usize,
            b"LINGER" => request.linger = Some(words.duration("LINGER")?),
            b"GROUPED" => request.grouped = true,
            b"BLOCK" => block = Some(words.duration("BLOCK")?),
            b"LEASE" => request.lease = Some(words.duration("LEASE")?),
            b"WORKER" => request.worker = Some(worker(&mut words)?.into()),
            _ => return Err(unknown(&option)),
        }
    }
    if request.linger.is_some() && block.is_none() {
        return Err(Refusal::err("LINGER goes with BLOCK: give how long the call may wait in all"));
    }
    let subject = rate.as_ref().map(Rate::subject);
    if let Some(name) = also.iter().map(|key| key.bytes()).chain(subject).find(|name| is_key_word(name)) {
        return Err(named_like_a_key_word("a key behind ALSO or RATE", name));
    }
    Ok(PopArgs { key, also, rate, request, block })
}

impl FindsKeys for Pop {
    fn find_keys(args: Args<'_>, found: &mut dyn FnMut(usize)) {
        found(1);
        let find = |word: &[u8]| {
            (2..args.len()).find(|at| args.get(*at).is_some_and(|given| given.eq_ignore_ascii_case(word)))
        };
        if let Some(also) = find(b"ALSO") {
            let count = args.get(also + 1).and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
            (also + 2..args.len()).take(count.unwrap_or(0)).for_each(&mut *found);
        }
        if let Some(rate) = find(b"RATE").filter(|rate| rate + 1 < args.len()) {
            found(rate + 1);
        }
    }
}

/// `n key …`
fn further_queues<'a>(words: &mut ArgReader<'a>) -> Result<Vec<ServerStr<'a>>, Refusal> {
    let count = words.integer("the number of keys after ALSO", 1, MAX_FURTHER_QUEUES)?;
    words.next_n(count, |words| words.name("a key after ALSO"))
}

/// Whether servers and clients find keys of a POP behind this word, at any position.
fn is_key_word(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"ALSO") || word.eq_ignore_ascii_case(b"RATE")
}

fn named_like_a_key_word(what: &str, name: &[u8]) -> Refusal {
    let name = shown(name);
    Refusal::err(format!("{what} must not be '{name}': servers and clients look for keys behind that word"))
}

fn worker<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    let worker = words.id_of("WORKER", MAX_WORKER_BYTES)?;
    if is_key_word(worker) { Err(named_like_a_key_word("WORKER", worker)) } else { Ok(worker) }
}

/// The keys in their order, without those that come again.
fn each_once<'a>(first: ServerStr<'a>, also: Vec<ServerStr<'a>>) -> Vec<ServerStr<'a>> {
    let mut seen = BTreeSet::new();
    std::iter::once(first).chain(also).filter(|key| seen.insert(key.bytes())).collect()
}

/// One queue after the other, until there are as many jobs as were asked for; waits at all of them.
fn pop_several(
    call: Call<'_>,
    keys: &[ServerStr<'_>],
    request: PopRequest,
    block: Option<u64>,
) -> Result<(), Refusal> {
    let ctx = call.ctx;
    // Refused before anything is popped.
    keys.iter().try_for_each(|key| commit::read::<Queue, _>(ctx, *key, |_, _| Ok(())))?;
    let mut pop = request.pop();
    let mut bytes = 0;
    let mut popped = Vec::new();
    for &key in keys {
        let jobs = commit::write(ctx, key, |queue: Option<&Queue>, now, tokens| {
            Ok(jobq::decide_pop(queue, &pop, now, tokens).map(PopRequest::into_owned))
        })?;
        pop.count -= jobs.len();
        bytes += jobs.iter().map(|job| job.payload.len()).sum::<usize>();
        popped.extend(jobs.into_iter().map(|job| (key, job)));
        if pop.count == 0 || (request.takes_from_one_queue() && !popped.is_empty()) {
            break;
        }
        pop.bytes_left = (!popped.is_empty()).then(|| MAX_REPLY_BYTES.saturating_sub(bytes));
    }
    match block {
        Some(timeout) if popped.is_empty() => {
            blocking::wait(call, keys, request, jobq::PoppedJobs::new(), timeout)
        }
        _ => {
            call.reply.array(popped.len());
            popped.iter().for_each(|(key, job)| reply_row(job, *key, call.reply));
        }
    }
    Ok(())
}
