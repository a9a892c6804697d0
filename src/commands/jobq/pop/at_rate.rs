//! POP with RATE: jobs of a queue, and what they cost of the limits of a subject, in one step.
//!
//! Who waits does so at its queues. While one of them has something for it, it stands also in the
//! subject's line, among the CHECKs that wait there, and is served when its turn has come and the
//! limits admit the first job.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use crate::domain::decision::Decision;
use crate::domain::jobq;
use crate::domain::jobq::{MAX_REPLY_BYTES, PopRate, Popped, PoppedJobs, Queue};
use crate::domain::ratelimit;
use crate::domain::ratelimit::{Budget, Charge, CheckRequest, Subject};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time::UnixMs;
use crate::module_api::blocking;
use crate::module_api::blocking::{Attempt, Delivery, Request, Shared, SharedKey, WaitFor, WantedName};
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::{ServerStr, ServerString};

use super::request::{PopRequest, reply_row};
use crate::commands::args::ArgReader;
use crate::commands::ratelimit::limit_args;
use crate::commands::ratelimit::limit_args::NamedPolicies;
#[cfg(feature = "test-commands")]
use crate::runtime::blocking::ATTEMPTS;
use crate::runtime::commit;
use crate::runtime::commit::{Both, Write};

/// RATE of a POP, as given: policies are read anew at each try.
pub(crate) struct Rate<'a> {
    subject: ServerStr<'a>,
    limits: Vec<&'a [u8]>,
}

/// Reads `key m limit …`.
pub(crate) fn read_rate<'a>(words: &mut ArgReader<'a>) -> Result<Rate<'a>, Refusal> {
    let subject = words.name("the key of RATE")?;
    Ok(Rate { subject, limits: limit_args::read_counted_texts(words)? })
}

impl Rate<'_> {
    pub(crate) fn subject(&self) -> &[u8] {
        self.subject.bytes()
    }

    /// Calls `body` with the limits as the policies are now.
    fn with_limits<R>(
        limits: &[&[u8]],
        body: impl FnOnce(&CheckRequest<'_>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let policies = NamedPolicies::new();
        body(&limit_args::expand(limits.to_vec(), &policies)?)
    }
}

/// What one queue has given.
#[derive(Default)]
struct Taken {
    jobs: PoppedJobs<'static>,
    /// What the subject was charged, to be given back if the client has gone.
    charges: Vec<Charge>,
    at: UnixMs,
    /// The limits do not admit the first job: when they do if nobody takes from them, if ever.
    held_back: Option<Option<UnixMs>>,
}

/// Takes from one queue what the limits admit.
fn pop_one(
    ctx: Ctx<'_>,
    (queue, subject): (ServerStr<'_>, ServerStr<'_>),
    limits: &[&[u8]],
    pop: &jobq::Pop<'_>,
    serves_waiters: bool,
) -> Result<Taken, Refusal> {
    Rate::with_limits(limits, |request| {
        commit::write_both::<Queue, Subject, _>(
            ctx,
            (queue, subject),
            serves_waiters,
            |queue, state, now, tokens| {
                let mut budget = Budget::of(state, request, now)?;
                let rate = PopRate { subject: subject.bytes(), budget: &mut budget };
                let Decision { reply: popped, effect } =
                    jobq::decide_pop_at_rate(queue, pop, rate, now, tokens);
                let second = budget.effect();
                let charges = match &second {
                    Some(ratelimit::Effect::Taken { charges, .. }) => charges.as_slice().to_vec(),
                    _ => Vec::new(),
                };
                let taken = Taken {
                    jobs: PopRequest::into_owned(popped.jobs),
                    charges,
                    at: now,
                    held_back: popped.held_back.map(|cost| budget.admits_at(cost)),
                };
                Ok(Decision { reply: Both { reply: taken, second }, effect })
            },
        )
    })
}

/// One queue after the other, as a POP without RATE does, until the limits hold a job back.
pub(crate) fn pop_at_rate(
    call: Call<'_>,
    keys: &[ServerStr<'_>],
    rate: &Rate<'_>,
    request: PopRequest,
    block: Option<u64>,
) -> Result<(), Refusal> {
    let ctx = call.ctx;
    if keys.iter().any(|key| key.bytes() == rate.subject()) {
        let subject = shown(rate.subject());
        return Err(Refusal::err(format!(
            "RATE '{subject}': is a queue of this call; name a key of RATELIMIT"
        )));
    }
    // Refused before anything is popped.
    keys.iter().try_for_each(|key| commit::read::<Queue, _>(ctx, *key, |_, _| Ok(())))?;
    let wants = Rate::with_limits(&rate.limits, |limits| {
        commit::read::<Subject, _>(ctx, rate.subject, |state, now| Budget::of(state, limits, now).map(drop))?;
        Ok(wanted_names(limits))
    })?;
    let may_wait = block.is_some() && !ctx.must_not_block() && ctx.is_primary();
    let waits_its_turn = may_wait && blocking::stands_behind_others(ctx, rate.subject, &wants);
    let popped = if waits_its_turn { Vec::new() } else { pop_now(ctx, keys, rate, &request)? };
    match block {
        Some(timeout) if popped.is_empty() => wait(call, keys, rate, (request, wants), timeout),
        _ => {
            call.reply.array(popped.len());
            popped.iter().for_each(|(key, job)| reply_row(job, *key, call.reply));
        }
    }
    Ok(())
}

fn pop_now<'k>(
    ctx: Ctx<'_>,
    keys: &[ServerStr<'k>],
    rate: &Rate<'_>,
    request: &PopRequest,
) -> Result<Vec<(ServerStr<'k>, Popped<'static>)>, Refusal> {
    let mut pop = request.pop();
    let (mut bytes, mut popped) = (0, Vec::new());
    for &key in keys {
        let taken = pop_one(ctx, (key, rate.subject), &rate.limits, &pop, true)?;
        pop.count -= taken.jobs.len();
        bytes += taken.jobs.iter().map(|job| job.payload.len()).sum::<usize>();
        popped.extend(taken.jobs.into_iter().map(|job| (key, job)));
        let is_one_queue = request.takes_from_one_queue() && !popped.is_empty();
        if pop.count == 0 || is_one_queue || taken.held_back.is_some() {
            break;
        }
        pop.bytes_left = (!popped.is_empty()).then(|| MAX_REPLY_BYTES.saturating_sub(bytes));
    }
    Ok(popped)
}

fn wanted_names(limits: &CheckRequest<'_>) -> Vec<WantedName> {
    let names = limits.items().iter().map(|item| WantedName::of(item.limit.display_name().as_bytes()));
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

fn wait(
    call: Call<'_>,
    keys: &[ServerStr<'_>],
    rate: &Rate<'_>,
    (request, wants): (PopRequest, Vec<WantedName>),
    timeout: u64,
) {
    let ctx = call.ctx;
    let waiting = WaitingPop {
        queues: keys.iter().map(|key| key.bytes().into()).collect(),
        limits: rate.limits.iter().map(|limit| Box::from(*limit)).collect(),
        shared: SharedKey { name: rate.subject().into(), wants },
        request,
    };
    let pop = waiting.request.pop();
    let has_something: Vec<_> = keys.iter().filter(|key| can_pop(ctx, **key, &pop)).copied().collect();
    let (line, places) = (waiting.line(), keys.iter().map(|key| (*key, waiting.next_due(ctx, *key))));
    let places: Vec<_> = places.collect();
    match blocking::block(ctx, &places, line, timeout, Box::new(waiting)) {
        // It has its place in the line of its queues, and may have to stand in that of the subject.
        Ok(()) => has_something.iter().for_each(|key| blocking::serve(ctx, *key)),
        Err(_) => call.reply.array(0),
    }
}

/// Whether a queue has something for a POP, as far as it has advanced.
fn can_pop(ctx: Ctx<'_>, queue: ServerStr<'_>, pop: &jobq::Pop<'_>) -> bool {
    commit::read::<Queue, _>(ctx, queue, |queue, now| Ok(jobq::can_pop(queue, pop, now))).unwrap_or(false)
}

/// A POP that waits. It gets jobs from one of its queues.
struct WaitingPop {
    queues: Box<[Box<[u8]>]>,
    limits: Box<[Box<[u8]>]>,
    shared: SharedKey,
    request: PopRequest,
}

impl WaitingPop {
    /// The line of those who wait for the same at a queue: they hold no others back.
    fn line(&self) -> WaitFor {
        let mut hasher = DefaultHasher::new();
        (&self.shared.name, &self.limits, self.request.line()).hash(&mut hasher);
        WaitFor::TurnOf(hasher.finish())
    }

    /// When time changes what the queue has for it.
    fn next_due(&self, ctx: Ctx<'_>, queue: ServerStr<'_>) -> Option<UnixMs> {
        let due = |queue: Option<&Queue>, now| {
            Ok(queue.and_then(|queue| jobq::next_pop_due(queue, &self.request.pop(), now)))
        };
        commit::read(ctx, queue, due).ok().flatten()
    }

    /// Tries a queue, and looks at the others: whether one has something, whatever the limits say.
    fn look(&self, ctx: Ctx<'_>, key: ServerStr<'_>) -> Result<Attempt, Refusal> {
        let pop = self.request.pop();
        let has_something =
            commit::write_with::<Queue, _>(ctx, key, Write::without_serving(), |queue, now, _| {
                Ok(Decision::answer(jobq::can_pop(queue, &pop, now)))
            })?;
        let mut others = self.queues.iter().filter(|queue| ***queue != *key.bytes());
        let until = self.next_due(ctx, key);
        if !has_something && !others.any(|queue| can_pop(ctx, ServerString::new(queue).borrow(), &pop)) {
            return Ok(Attempt::Wait { until });
        }
        // It looks as of now: the time from which it has something is over.
        let now = ctx.now_ms();
        Ok(Attempt::Stand { until: until.filter(|until| *until > now) })
    }

    /// Takes from the first queue that has something.
    fn take(&self, ctx: Ctx<'_>, subject: ServerStr<'_>) -> Result<Attempt, Refusal> {
        let limits: Vec<&[u8]> = self.limits.iter().map(|limit| &**limit).collect();
        for queue in &self.queues {
            let name = ServerString::new(queue);
            let taken = pop_one(ctx, (name.borrow(), subject), &limits, &self.request.pop(), false)?;
            if let Some(until) = taken.held_back {
                return Ok(Attempt::Wait { until });
            }
            if !taken.jobs.is_empty() {
                let subject = Rc::clone(&self.shared.name);
                return Ok(Attempt::Served(Rc::new(Granted {
                    queue: queue.clone(),
                    subject,
                    outcome: Ok(taken),
                })));
            }
        }
        Ok(Attempt::StepBack)
    }
}

impl Request for WaitingPop {
    fn attempt(&self, ctx: Ctx<'_>, key: ServerStr<'_>, _: &mut Shared) -> Attempt {
        #[cfg(feature = "test-commands")]
        ATTEMPTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let tried = if *key.bytes() == *self.shared.name { self.take(ctx, key) } else { self.look(ctx, key) };
        tried.unwrap_or_else(|refusal| {
            let (queue, subject) = (Box::default(), Rc::clone(&self.shared.name));
            Attempt::Served(Rc::new(Granted { queue, subject, outcome: Err(refusal) }))
        })
    }

    fn shared_key(&self) -> Option<&SharedKey> {
        Some(&self.shared)
    }

    fn on_timeout(&self, _: Ctx<'_>, _: ServerStr<'_>, reply: Reply<'_>) {
        reply.array(0);
    }
}

/// What a waiter was handed.
struct Granted {
    queue: Box<[u8]>,
    subject: Rc<[u8]>,
    outcome: Result<Taken, Refusal>,
}

impl Delivery for Granted {
    fn send(&self, _: ServerStr<'_>, reply: Reply<'_>) {
        match &self.outcome {
            Ok(taken) => {
                let queue = ServerString::new(&self.queue);
                reply.array(taken.jobs.len());
                taken.jobs.iter().for_each(|job| reply_row(job, queue.borrow(), reply));
            }
            Err(refusal) => reply.error(&refusal.to_string()),
        }
    }

    /// The jobs go back to their places, and what they cost to the limits.
    fn undo(&self, ctx: Ctx<'_>, _: ServerStr<'_>) {
        let Ok(taken) = &self.outcome else { return };
        let (queue, subject) = (ServerString::new(&self.queue), ServerString::new(&self.subject));
        let give_back = |subject: Option<&Subject>, now, _: &_| {
            Ok(ratelimit::decide_give_back(subject, &taken.charges, taken.at, now))
        };
        PopRequest::put_back(&taken.jobs, ctx, queue.borrow());
        // Refused if another value is under the key by now: then there is nothing to give back.
        let _ = commit::write_with::<Subject, _>(ctx, subject.borrow(), Write::without_serving(), give_back);
        blocking::serve(ctx, queue.borrow());
    }
}
