//! Commands that only tests call; not in a release build.

use std::sync::atomic::{AtomicU64, Ordering};

use super::arguments::Words;
use super::commit;
use super::jobq::{register, state_name};
use super::waiting::{self, Decided, Waitable};
use crate::domain::decision::Decision;
use crate::domain::jobq::{self, Queue, State};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::command::{Call, Handler};
use crate::server::ctx::CLOCK_AHEAD_MS;
use crate::server::name::Name;
use crate::server::reply::Reply;
use crate::server::waiters::{self, Awaited};

/// `WORKGATE.TEST PANIC`: panics, to prove that the guard holds; `HALFWAY` does so within a reply.
/// `LOOK key id d` waits for the end of a job, and `LOOKS` counts how often
/// such a look was taken. `CLOCK ms`: the module's clock is so far ahead of the server's, or (negative) behind it.
pub struct Test;

impl Handler for Test {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        match call.args.get(1) {
            Some(b"PANIC") => panic!("asked to"),
            Some(b"HALFWAY") => {
                call.reply.array(2);
                panic!("asked to")
            }
            Some(b"LOOK") => look(call),
            Some(b"LOOKS") => {
                call.reply.uint(LOOKS.load(Ordering::Relaxed));
                Ok(())
            }
            Some(b"CLOCK") => {
                let given = std::str::from_utf8(call.args.get(2).unwrap_or_default()).unwrap_or_default();
                let ahead = given.parse().map_err(|_| Refusal::err("CLOCK: expected milliseconds"))?;
                CLOCK_AHEAD_MS.store(ahead, Ordering::Relaxed);
                register::clock_moved(call.ctx);
                waiters::all_stale(call.ctx);
                call.reply.ok();
                Ok(())
            }
            other => Err(Refusal::err(format!("unknown test '{}'", shown(other.unwrap_or_default())))),
        }
    }
}

static LOOKS: AtomicU64 = AtomicU64::new(0);

fn look(call: Call<'_>) -> Result<(), Refusal> {
    let mut words = Words::of(call.args);
    words.word("what")?;
    let (key, id) = (words.name("key")?, words.id("id")?);
    let block = words.duration("BLOCK")?;
    let subject = commit::read(call.ctx, key, |queue: Option<&Queue>, _| {
        queue.and_then(|queue| queue.subject(id)).ok_or(Refusal::new(Code::NoJob, "there is no such job"))
    })?;
    waiting::answer(call, key, Looking { id: id.into(), subject }, Some(block))
}

/// A look at one job that waits for its end.
struct Looking {
    id: Box<[u8]>,
    subject: u64,
}

impl Looking {
    /// The job, unless it has gone or its id is another one's now.
    fn job<'q>(&self, queue: &'q Queue, now: UnixMs) -> Option<jobq::JobView<'q>> {
        let view = jobq::job(Some(queue), &self.id, now).ok()?;
        (queue.subject(&self.id) == Some(self.subject)).then_some(view)
    }
}

impl Waitable for Looking {
    type Value = Queue;
    type Answer<'q> = Option<State>;

    const READS: bool = true;

    fn awaits(&self) -> Awaited {
        Awaited::NewsOf(self.subject)
    }

    fn decide<'q>(&self, queue: Option<&'q Queue>, now: UnixMs, _: &TokenClock) -> Decided<'q, Self> {
        LOOKS.fetch_add(1, Ordering::Relaxed);
        Ok(Decision::answer(queue.and_then(|queue| self.job(queue, now)).map(|view| view.state)))
    }

    fn is_nothing(answer: &Option<State>) -> bool {
        answer.is_some_and(|state| !state.is_end())
    }

    fn owned(answer: Option<State>) -> Option<State> {
        answer
    }

    fn next_due(&self, queue: &Queue, _now: UnixMs) -> Option<UnixMs> {
        let view = self.job(queue, 0)?;
        (view.state == State::Active).then_some(view.at)
    }

    fn nothing(&self) -> Option<State> {
        None
    }

    fn reply(&self, answer: &Option<State>, _: Name<'_>, reply: Reply<'_>) {
        match answer {
            Some(state) => reply.word(state_name(*state)),
            None => reply.null(),
        }
    }
}
