//! Commands that can wait (`BLOCK d`): one way through for all of them.

use std::rc::Rc;

use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::Value;
use crate::module_api::blocking;
use crate::module_api::blocking::{Attempt, Awaited, Delivery, Request, Shared};
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::Name;

use super::commit::Carrier;
use super::value_type::Stored;
use crate::runtime::commit;

/// A request that can be made again and again until it gets something.
pub trait Waitable: 'static {
    type Value: Stored;
    /// May borrow from the value: it is sent before the effect is applied.
    type Answer<'v>;

    /// Whether it only looks: its decisions have no effect, and its command opens the key for reading. An attempt for
    /// a client that waits then brings about what time has made due, as every write does: maybe nobody else comes.
    const READS: bool = false;

    /// In which line of the key it waits.
    fn awaits(&self) -> Awaited {
        Awaited::ItsTurn
    }

    /// What the command decides, as if it had come just now.
    fn decide<'v>(
        &self,
        state: Option<&'v Self::Value>,
        now: UnixMs,
        tokens: &TokenClock,
    ) -> Decided<'v, Self>;

    /// What carries the effect of a request that is granted at once.
    fn carrier(&self) -> Carrier {
        Carrier::Effect
    }

    /// Whether this answer is one to wait on.
    fn is_nothing(answer: &Self::Answer<'_>) -> bool;

    /// The answer freed from the value, to be kept until its client is woken.
    fn owned(answer: Self::Answer<'_>) -> Self::Answer<'static>;

    /// Whether every waiter that is answered now gets the same, so that one copy serves all.
    fn is_for_all(&self, _answer: &Self::Answer<'_>) -> bool {
        false
    }

    /// Called when the client begins to wait.
    fn waits(&self) {}

    /// When something may be there though nobody touches the key.
    fn next_due(&self, state: &Self::Value, now: UnixMs) -> Option<UnixMs>;

    /// What is said when the time is up and the state in between would have answered otherwise; one that only looks
    /// says what it sees.
    fn nothing(&self) -> Self::Answer<'static>;

    /// What is said of a key that holds another type; `None` is an error.
    fn of_other_type(&self, _ctx: Ctx<'_>, _key: Name<'_>) -> Option<Self::Answer<'static>> {
        None
    }

    fn reply(&self, answer: &Self::Answer<'_>, key: Name<'_>, reply: Reply<'_>);

    /// Gives back what an answer granted to a client that has gone; one that only looks has nothing to.
    fn put_back(&self, _answer: &Self::Answer<'_>, _ctx: Ctx<'_>, _key: Name<'_>) {}
}

/// What [`Waitable::decide`] gives.
pub type Decided<'v, W> =
    Result<Decision<<W as Waitable>::Answer<'v>, <<W as Waitable>::Value as Value>::Effect>, Refusal>;

/// Makes the request; waits for up to `block` milliseconds where it gets nothing at once.
pub fn answer<W: Waitable>(
    call: Call<'_>,
    key: Name<'_>,
    request: W,
    block: Option<u64>,
) -> Result<(), Refusal> {
    let ctx = call.ctx;
    let serving = Serving::First(request.carrier());
    let outcome = decided::<W, _>(ctx, key, serving, |state, now, tokens| {
        let Decision { reply: answer, effect } = request.decide(state, now, tokens)?;
        let waits = block.is_some() && W::is_nothing(&answer);
        if !waits {
            request.reply(&answer, key, call.reply);
        }
        Ok(Decision { reply: waits.then(|| W::owned(answer)), effect })
    });
    match (or_other_type(&request, ctx, key, outcome), block) {
        (Ok(Found::OfOtherType(answer)), _) => request.reply(&answer, key, call.reply),
        (Ok(Found::Decided(Some(nothing))), Some(timeout)) => {
            wait(call, &[key], request, nothing, timeout);
        }
        (Ok(Found::Decided(_)), _) => {}
        (Err(refusal), _) => return Err(refusal),
    }
    Ok(())
}

/// Waits at all of these keys, which are different ones, for what the first of them has; where the client
/// cannot wait, `nothing` is said.
pub fn wait<W: Waitable>(
    call: Call<'_>,
    keys: &[Name<'_>],
    request: W,
    nothing: W::Answer<'static>,
    timeout: u64,
) {
    let ctx = call.ctx;
    let request = Rc::new(request);
    let waiting = Box::new(Waiting(Rc::clone(&request)));
    let places: Vec<_> = keys.iter().map(|key| (*key, until(&*request, ctx, *key))).collect();
    match blocking::block(ctx, &places, request.awaits(), timeout, waiting) {
        Ok(_) => request.waits(),
        Err(_) => request.reply(&nothing, keys[0], call.reply),
    }
}

/// Who else is served on the occasion of a request: in an attempt for a waiter, nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serving {
    /// Those who wait already; the request is a client's command, with its carrier.
    First(Carrier),
    Nobody,
}

/// Decides on the key's value, and makes the effect happen unless the request only looks.
fn decided<W: Waitable, R>(
    ctx: Ctx<'_>,
    key: Name<'_>,
    serving: Serving,
    decide: impl FnOnce(
        Option<&W::Value>,
        UnixMs,
        &TokenClock,
    ) -> Result<Decision<R, <W::Value as Value>::Effect>, Refusal>,
) -> Result<R, Refusal> {
    match serving {
        Serving::First(_) if W::READS => commit::read(ctx, key, |state, now| {
            let decision = decide(state, now, &TokenClock::new())?;
            debug_assert!(decision.effect.is_none(), "a request that only looks changes nothing");
            Ok(decision.reply)
        }),
        Serving::First(carrier) => commit::write_carried(ctx, key, carrier, decide),
        Serving::Nobody => commit::write_alone(ctx, key, decide),
    }
}

/// What was found at a key: a decision on the family's value, or what is said of another type.
enum Found<T, A> {
    Decided(T),
    OfOtherType(A),
}

fn or_other_type<W: Waitable, T>(
    request: &W,
    ctx: Ctx<'_>,
    key: Name<'_>,
    outcome: Result<T, Refusal>,
) -> Result<Found<T, W::Answer<'static>>, Refusal> {
    match outcome {
        Ok(decided) => Ok(Found::Decided(decided)),
        Err(refusal) if refusal.code == Code::WrongType => {
            request.of_other_type(ctx, key).map(Found::OfOtherType).ok_or(refusal)
        }
        Err(refusal) => Err(refusal),
    }
}

fn until<W: Waitable>(request: &W, ctx: Ctx<'_>, key: Name<'_>) -> Option<UnixMs> {
    let due = |state: Option<&W::Value>, now| Ok(state.and_then(|state| request.next_due(state, now)));
    commit::read(ctx, key, due).ok().flatten()
}

/// The answer, to be kept until its client is woken: the one that an earlier waiter of this round was
/// given, where all get the same.
fn keep<W: Waitable>(request: &W, answer: W::Answer<'_>, shared: &mut Shared) -> Rc<W::Answer<'static>> {
    if !request.is_for_all(&answer) {
        *shared = None;
        return Rc::new(W::owned(answer));
    }
    if let Some(earlier) = shared.as_ref().and_then(|earlier| Rc::clone(earlier).downcast().ok()) {
        return earlier;
    }
    let kept = Rc::new(W::owned(answer));
    *shared = Some(kept.clone());
    kept
}

/// How many there were.
#[cfg(feature = "test-commands")]
pub static ATTEMPTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

struct Waiting<W>(Rc<W>);

impl<W: Waitable> Request for Waiting<W> {
    fn attempt(&self, ctx: Ctx<'_>, key: Name<'_>, shared: &mut Shared) -> Attempt {
        #[cfg(feature = "test-commands")]
        ATTEMPTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let outcome = decided::<W, _>(ctx, key, Serving::Nobody, |state, now, tokens| {
            let Decision { reply: answer, effect } = self.0.decide(state, now, tokens)?;
            Ok(Decision { reply: keep(&*self.0, answer, shared), effect })
        });
        let outcome = match or_other_type(&*self.0, ctx, key, outcome) {
            Ok(Found::Decided(answer)) if W::is_nothing(&answer) => {
                return Attempt::Wait { until: until(&*self.0, ctx, key) };
            }
            Ok(Found::Decided(answer)) => Ok(answer),
            Ok(Found::OfOtherType(answer)) => Ok(Rc::new(answer)),
            Err(refusal) => Err(refusal),
        };
        Attempt::Served(Rc::new(Granted { request: Rc::clone(&self.0), outcome }))
    }

    fn give_up(&self, ctx: Ctx<'_>, key: Name<'_>, reply: Reply<'_>) {
        // Deciding changes nothing; only an answer that grants nothing may be given from here.
        let tokens = TokenClock::new();
        let said = commit::read::<W::Value, _>(ctx, key, |state, now| {
            let decision = self.0.decide(state, now, &tokens)?;
            let nothing = decision.effect.is_none() && (W::READS || W::is_nothing(&decision.reply));
            if nothing {
                self.0.reply(&decision.reply, key, reply);
            }
            Ok(nothing)
        });
        match said {
            Ok(true) => {}
            Err(refusal) if W::READS => reply.error(&refusal.to_string()),
            _ => self.0.reply(&self.0.nothing(), key, reply),
        }
    }
}

/// What a waiter was handed.
struct Granted<W: Waitable> {
    request: Rc<W>,
    outcome: Result<Rc<W::Answer<'static>>, Refusal>,
}

impl<W: Waitable> Delivery for Granted<W> {
    fn send(&self, key: Name<'_>, reply: Reply<'_>) {
        match &self.outcome {
            Ok(answer) => self.request.reply(answer, key, reply),
            Err(refusal) => reply.error(&refusal.to_string()),
        }
    }

    fn put_back(&self, ctx: Ctx<'_>, key: Name<'_>) {
        if let Ok(answer) = &self.outcome {
            self.request.put_back(answer, ctx, key);
        }
    }
}
