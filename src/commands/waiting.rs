//! Commands that can wait (`BLOCK d`): one way through for all of them.

use std::rc::Rc;

use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::Value;
use crate::server::command::Call;
use crate::server::ctx::Ctx;
use crate::server::name::Name;
use crate::server::reply::Reply;
use crate::server::waiters::{self, Attempt, Delivery, Request};

use super::commit;
use super::stored::Stored;

/// A request that can be made again and again until it gets something.
pub trait Waitable: 'static {
    type Value: Stored;
    type Answer: 'static;

    /// What the command decides, as if it had come just now.
    fn decide(
        &self,
        state: Option<&Self::Value>,
        now: UnixMs,
        tokens: &TokenClock,
    ) -> Result<Decision<Self::Answer, <Self::Value as Value>::Effect>, Refusal>;

    /// Whether this answer is one to wait on.
    fn is_nothing(answer: &Self::Answer) -> bool;

    /// When something may be there though nobody touches the key.
    fn next_due(state: &Self::Value) -> Option<UnixMs>;

    /// What is said when the time is up and the state in between would have answered otherwise.
    fn nothing(&self) -> Self::Answer;

    /// What is said of a key that holds another type; `None` is an error.
    fn of_other_type(_ctx: Ctx<'_>, _key: Name<'_>) -> Option<Self::Answer> {
        None
    }

    fn reply(&self, answer: &Self::Answer, key: Name<'_>, reply: Reply<'_>);

    /// Gives back what an answer granted to a client that has gone.
    fn put_back(&self, answer: &Self::Answer, ctx: Ctx<'_>, key: Name<'_>);
}

/// Makes the request; waits for up to `block` milliseconds where it gets nothing at once.
pub fn answer<W: Waitable>(
    call: Call<'_>,
    key: Name<'_>,
    request: W,
    block: Option<u64>,
) -> Result<(), Refusal> {
    let ctx = call.ctx;
    let outcome = commit::write(ctx, key, |state, now, tokens| request.decide(state, now, tokens));
    let answer = or_other_type::<W>(ctx, key, outcome)?;
    if let Some(timeout) = block
        && W::is_nothing(&answer)
    {
        let request = Rc::new(request);
        let waiting = Box::new(Waiting(Rc::clone(&request)));
        if waiters::block(ctx, key, timeout, waiting, until::<W>(ctx, key)).is_err() {
            request.reply(&answer, key, call.reply);
        }
        return Ok(());
    }
    request.reply(&answer, key, call.reply);
    Ok(())
}

fn or_other_type<W: Waitable>(
    ctx: Ctx<'_>,
    key: Name<'_>,
    outcome: Result<W::Answer, Refusal>,
) -> Result<W::Answer, Refusal> {
    match outcome {
        Err(refusal) if refusal.code == Code::WrongType => W::of_other_type(ctx, key).ok_or(refusal),
        outcome => outcome,
    }
}

fn until<W: Waitable>(ctx: Ctx<'_>, key: Name<'_>) -> Option<UnixMs> {
    commit::read::<W::Value, _>(ctx, key, |state, _| Ok(state.and_then(W::next_due))).ok().flatten()
}

struct Waiting<W>(Rc<W>);

impl<W: Waitable> Request for Waiting<W> {
    fn attempt(&self, ctx: Ctx<'_>, key: Name<'_>) -> Attempt {
        let outcome = commit::write_alone(ctx, key, |state, now, tokens| self.0.decide(state, now, tokens));
        match or_other_type::<W>(ctx, key, outcome) {
            Ok(answer) if W::is_nothing(&answer) => Attempt::Wait { until: until::<W>(ctx, key) },
            outcome => Attempt::Served(Rc::new(Granted { request: Rc::clone(&self.0), outcome })),
        }
    }

    fn give_up(&self, ctx: Ctx<'_>, key: Name<'_>, reply: Reply<'_>) {
        // Deciding changes nothing; only an answer that grants nothing may be given from here.
        let tokens = TokenClock::new();
        let now = commit::read::<W::Value, _>(ctx, key, |state, now| self.0.decide(state, now, &tokens));
        match now {
            Ok(Decision { reply: answer, effect: None }) if W::is_nothing(&answer) => {
                self.0.reply(&answer, key, reply);
            }
            _ => self.0.reply(&self.0.nothing(), key, reply),
        }
    }
}

/// What a waiter was handed.
struct Granted<W: Waitable> {
    request: Rc<W>,
    outcome: Result<W::Answer, Refusal>,
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
