//! Commands that can wait (`BLOCK d`): one way through for all of them.

use std::rc::Rc;

use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::Value;
use crate::module_api::blocking;
use crate::module_api::blocking::{Attempt, Delivery, Request, Shared, WaitFor, WantedName};
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;

use super::commit::{ReplicateAs, Write};
use super::value_type::ValueType;
use crate::runtime::commit;

/// When to try again to grant what a full server has no memory for.
const FULL_RETRY_MS: u64 = 100;

/// A request that can be made again and again until it gets something. One that only looks is a
/// [`BlockingRead`].
pub trait Waitable: 'static {
    type Value: ValueType;
    /// May borrow from the value: it is sent before the effect is applied.
    type Answer<'v>;

    /// Whether it only looks ([`BlockingRead`]): its decisions have no effect, and its command
    /// opens the key for reading. An attempt for a waiter also advances the key, because no other
    /// command may come to do it.
    const READ_ONLY: bool = false;

    /// In which line of the key it waits.
    fn wait_for(&self) -> WaitFor {
        WaitFor::turn(self.wants())
    }

    /// What it wants of the key, sorted, if there are several things to want: it stands behind
    /// those that came earlier and want any of them.
    fn wants(&self) -> &[WantedName] {
        &[]
    }

    /// What the command decides, as if it had come just now.
    fn decide<'v>(
        &self,
        state: Option<&'v Self::Value>,
        now: UnixMs,
        tokens: &TokenClock,
    ) -> Decided<'v, Self>;

    /// How the effect of a request that is granted at once is replicated.
    fn replicate_as(&self) -> ReplicateAs {
        ReplicateAs::Effect
    }

    /// Whether this answer is one to wait on.
    fn is_empty(answer: &Self::Answer<'_>) -> bool;

    /// The answer freed from the value, to be kept until its client is woken.
    fn into_owned(answer: Self::Answer<'_>) -> Self::Answer<'static>;

    /// Whether every waiter that is answered now gets the same, so that one copy serves all.
    fn is_shared(&self, _answer: &Self::Answer<'_>) -> bool {
        false
    }

    /// Called when the client begins to wait.
    fn on_block(&self) {}

    /// When something may be there without a command at the key.
    fn next_due(&self, state: &Self::Value, now: UnixMs) -> Option<UnixMs>;

    /// The reply on timeout if the present state would grant something: a denial. A read-only
    /// request replies with the present state instead.
    fn timeout_reply(
        &self,
        state: Option<&Self::Value>,
        now: UnixMs,
    ) -> Result<Self::Answer<'static>, Refusal>;

    /// What is said of a key that holds another type; `None` is an error.
    fn reply_to_other_type(&self, _ctx: Ctx<'_>, _key: ServerStr<'_>) -> Option<Self::Answer<'static>> {
        None
    }

    fn reply(&self, answer: &Self::Answer<'_>, key: ServerStr<'_>, reply: Reply<'_>);

    /// Gives back what an answer granted to a client that has gone; one that only looks has nothing
    /// to.
    fn undo(&self, _answer: &Self::Answer<'_>, _ctx: Ctx<'_>, _key: ServerStr<'_>) {}
}

/// A request that only looks, and waits until there is something to see. [`Look`] makes a
/// [`Waitable`] of it.
pub trait BlockingRead: 'static {
    type Value: ValueType;
    /// May borrow from the value.
    type Answer<'v>;

    /// For which subject of the key it waits.
    fn subject(&self) -> u64;

    fn look<'v>(&self, state: Option<&'v Self::Value>, now: UnixMs) -> Self::Answer<'v>;

    /// Whether this answer is one to wait on.
    fn is_empty(answer: &Self::Answer<'_>) -> bool;

    /// See [`Waitable::into_owned`].
    fn into_owned(answer: Self::Answer<'_>) -> Self::Answer<'static>;

    /// See [`Waitable::is_shared`].
    fn is_shared(_answer: &Self::Answer<'_>) -> bool {
        false
    }

    /// See [`Waitable::next_due`].
    fn next_due(&self, state: &Self::Value, now: UnixMs) -> Option<UnixMs>;

    fn reply(&self, answer: &Self::Answer<'_>, reply: Reply<'_>);
}

/// A [`BlockingRead`] that may wait.
pub struct Look<R>(pub R);

impl<R: BlockingRead> Waitable for Look<R> {
    type Value = R::Value;
    type Answer<'v> = R::Answer<'v>;

    const READ_ONLY: bool = true;

    fn wait_for(&self) -> WaitFor {
        WaitFor::Subject(self.0.subject())
    }

    fn decide<'v>(&self, state: Option<&'v R::Value>, now: UnixMs, _: &TokenClock) -> Decided<'v, Self> {
        Ok(Decision::answer(self.0.look(state, now)))
    }

    fn is_empty(answer: &R::Answer<'_>) -> bool {
        R::is_empty(answer)
    }

    fn into_owned(answer: R::Answer<'_>) -> R::Answer<'static> {
        R::into_owned(answer)
    }

    fn is_shared(&self, answer: &R::Answer<'_>) -> bool {
        R::is_shared(answer)
    }

    fn next_due(&self, state: &R::Value, now: UnixMs) -> Option<UnixMs> {
        self.0.next_due(state, now)
    }

    fn timeout_reply(&self, state: Option<&R::Value>, now: UnixMs) -> Result<R::Answer<'static>, Refusal> {
        Ok(R::into_owned(self.0.look(state, now)))
    }

    fn reply(&self, answer: &R::Answer<'_>, _: ServerStr<'_>, reply: Reply<'_>) {
        self.0.reply(answer, reply);
    }
}

/// What [`Waitable::decide`] gives.
pub type Decided<'v, W> =
    Result<Decision<<W as Waitable>::Answer<'v>, <<W as Waitable>::Value as Value>::Effect>, Refusal>;

/// Makes the request; waits for up to `block` milliseconds where it gets nothing at once.
pub fn answer<W: Waitable>(
    call: Call<'_>,
    key: ServerStr<'_>,
    request: W,
    block: Option<u64>,
) -> Result<(), Refusal> {
    let ctx = call.ctx;
    let how = Write::replicated_as(request.replicate_as()).replying();
    // Most calls are answered at once: what is said where a client waits is put aside.
    let mut nothing = None;
    let outcome = decide_and_commit::<W, _>(ctx, key, how, |state, now, tokens| {
        let Decision { reply: answer, effect } = request.decide(state, now, tokens)?;
        commit::refuse(ctx, state, effect.as_ref())?;
        if block.is_some() && W::is_empty(&answer) {
            nothing = Some(W::into_owned(answer));
        } else {
            request.reply(&answer, key, call.reply);
        }
        Ok(Decision { reply: (), effect })
    });
    if let Err(refusal) = outcome {
        let answer = or_other_type(&request, ctx, key, refusal)?;
        request.reply(&answer, key, call.reply);
    } else if let (Some(nothing), Some(timeout)) = (nothing, block) {
        wait(call, &[key], request, nothing, timeout);
    }
    Ok(())
}

/// Waits at all of these keys, which are different ones, for what the first of them has; where the
/// client cannot wait, `nothing` is said.
pub fn wait<W: Waitable>(
    call: Call<'_>,
    keys: &[ServerStr<'_>],
    request: W,
    nothing: W::Answer<'static>,
    timeout: u64,
) {
    let ctx = call.ctx;
    let request = Rc::new(request);
    let waiting = Box::new(Waiting(Rc::clone(&request)));
    let places: Vec<_> = keys.iter().map(|key| (*key, until(&*request, ctx, *key))).collect();
    match blocking::block(ctx, &places, request.wait_for(), timeout, waiting) {
        Ok(_) => request.on_block(),
        Err(_) => request.reply(&nothing, keys[0], call.reply),
    }
}

/// Decides on the key's value and commits the effect. A command that only reads opens the key for
/// reading; an attempt for a client that waits always commits what has become due, as maybe no
/// other command does.
fn decide_and_commit<W: Waitable, R>(
    ctx: Ctx<'_>,
    key: ServerStr<'_>,
    how: Write,
    decide: impl FnOnce(
        Option<&W::Value>,
        UnixMs,
        &TokenClock,
    ) -> Result<Decision<R, <W::Value as Value>::Effect>, Refusal>,
) -> Result<R, Refusal> {
    if W::READ_ONLY && how.serves_waiters {
        return commit::read(ctx, key, |state, now| {
            let decision = decide(state, now, &TokenClock::new())?;
            debug_assert!(decision.effect.is_none(), "a request that only looks changes nothing");
            Ok(decision.reply)
        });
    }
    commit::write_with(ctx, key, how, decide)
}

/// What is said where the refusal is that of a key of another type; else the refusal.
fn or_other_type<W: Waitable>(
    request: &W,
    ctx: Ctx<'_>,
    key: ServerStr<'_>,
    refusal: Refusal,
) -> Result<W::Answer<'static>, Refusal> {
    match refusal.code {
        Code::WrongType => request.reply_to_other_type(ctx, key).ok_or(refusal),
        _ => Err(refusal),
    }
}

fn until<W: Waitable>(request: &W, ctx: Ctx<'_>, key: ServerStr<'_>) -> Option<UnixMs> {
    let due = |state: Option<&W::Value>, now| Ok(state.and_then(|state| request.next_due(state, now)));
    commit::read(ctx, key, due).ok().flatten()
}

/// The answer, to be kept until its client is woken: the one that an earlier waiter of this round
/// was given, where all get the same.
fn keep<W: Waitable>(request: &W, answer: W::Answer<'_>, shared: &mut Shared) -> Rc<W::Answer<'static>> {
    if !request.is_shared(&answer) {
        *shared = None;
        return Rc::new(W::into_owned(answer));
    }
    if let Some(earlier) = shared.as_ref().and_then(|earlier| Rc::clone(earlier).downcast().ok()) {
        return earlier;
    }
    let kept = Rc::new(W::into_owned(answer));
    *shared = Some(kept.clone());
    kept
}

/// How many there were.
#[cfg(feature = "test-commands")]
pub static ATTEMPTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

struct Waiting<W>(Rc<W>);

impl<W: Waitable> Request for Waiting<W> {
    fn attempt(&self, ctx: Ctx<'_>, key: ServerStr<'_>, shared: &mut Shared) -> Attempt {
        #[cfg(feature = "test-commands")]
        ATTEMPTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let outcome = decide_and_commit::<W, _>(ctx, key, Write::without_serving(), |state, now, tokens| {
            let Decision { reply: answer, effect } = self.0.decide(state, now, tokens)?;
            Ok(Decision { reply: keep(&*self.0, answer, shared), effect })
        });
        let outcome = match outcome {
            Ok(answer) if W::is_empty(&answer) => {
                return Attempt::Wait { until: until(&*self.0, ctx, key) };
            }
            // What would be granted takes memory, and there is none.
            Err(refusal) if refusal.code == Code::OutOfMemory => {
                return Attempt::Wait { until: Some(ctx.now_ms() + FULL_RETRY_MS) };
            }
            Ok(answer) => Ok(answer),
            Err(refusal) => or_other_type(&*self.0, ctx, key, refusal).map(Rc::new),
        };
        Attempt::Served(Rc::new(Granted { request: Rc::clone(&self.0), outcome }))
    }

    fn wants(&self) -> &[WantedName] {
        self.0.wants()
    }

    fn on_timeout(&self, ctx: Ctx<'_>, key: ServerStr<'_>, reply: Reply<'_>) {
        // Deciding changes nothing; only an answer that grants nothing may be given from here.
        let tokens = TokenClock::new();
        let said = commit::read::<W::Value, _>(ctx, key, |state, now| {
            match self.0.decide(state, now, &tokens) {
                Ok(decision)
                    if decision.effect.is_none() && (W::READ_ONLY || W::is_empty(&decision.reply)) =>
                {
                    self.0.reply(&decision.reply, key, reply);
                }
                Err(refusal) if W::READ_ONLY => return Err(refusal),
                _ => self.0.reply(&self.0.timeout_reply(state, now)?, key, reply),
            }
            Ok(())
        });
        match said {
            Err(refusal) if !W::READ_ONLY && refusal.code == Code::WrongType => {
                match self.0.timeout_reply(None, ctx.now_ms()) {
                    Ok(answer) => self.0.reply(&answer, key, reply),
                    Err(refusal) => reply.error(&refusal.to_string()),
                }
            }
            Err(refusal) => reply.error(&refusal.to_string()),
            Ok(()) => {}
        }
    }
}

/// What a waiter was handed.
struct Granted<W: Waitable> {
    request: Rc<W>,
    outcome: Result<Rc<W::Answer<'static>>, Refusal>,
}

impl<W: Waitable> Delivery for Granted<W> {
    fn send(&self, key: ServerStr<'_>, reply: Reply<'_>) {
        match &self.outcome {
            Ok(answer) => self.request.reply(answer, key, reply),
            Err(refusal) => reply.error(&refusal.to_string()),
        }
    }

    fn undo(&self, ctx: Ctx<'_>, key: ServerStr<'_>) {
        if let Ok(answer) = &self.outcome {
            self.request.undo(answer, ctx, key);
        }
    }
}
