//! Clients that wait for a key, in the order of their blocking.
//!
//! The server's own key-ready signal wakes every client blocked on a key and does not know which of
//! them may have what has arrived, so it is not what serves them. Instead:
//!
//! 1. [`block`] blocks the client and puts it at the end of the key's line.
//! 2. Whoever changes a key calls [`serve`]: the head of the line tries its request again, inside
//!    the same unit of replication, and is *handed* what it gets. Then the next one tries.
//! 3. A timer of 0 ms wakes those that were handed something. It writes nothing. (Waking inside the
//!    command desynchronises the protocol on 7.x, and leaves work undone on Valkey when the client
//!    is unblocked with an error in the same unit.)
//! 4. For a client blocked on keys the server delivers through the *timeout* callback; only that one
//!    marks a waiter as delivered.
//! 5. What was handed to a client that is no longer there is put back, by a timer, through the
//!    commit gate. The *free* callback alone decides on that.
//!
//! What nobody's command brings about (a lease that runs out, a key that is deleted, flushed,
//! renamed or swapped in) makes the line *stale*: the same timer looks at it again.
//!
//! # Lines
//!
//! What a waiter waits for says in which line of its key it stands and how that line is served:
//!
//! - [`Awaited::ItsTurn`] is the one line *in order*: the first that gets nothing ends the serving, for
//!   those behind it want the same thing. Every [`serve`] of the key looks at it.
//! - [`Awaited::NewsOf`] a subject of the key (a number that the family chooses: a job, the event log):
//!   everyone is tried *by itself*, once for each change of that subject, which the commit announces by
//!   [`stir`] (see `Value::stirred`). What changes another subject costs these waiters nothing, and a
//!   waiter for its turn who gets nothing holds none of them back. A round that takes too long goes on
//!   in the timer, from where it was; a further change lengthens it to everyone once more.
//!
//! A waiter may stand in the lines of several keys. It is served by the first of them that has
//! something, at its place in that key's line, and leaves all of them in the same moment.

pub(crate) mod callbacks;
pub(crate) mod dispatch;
pub(crate) mod key_waiters;
pub(crate) mod registry;
pub(crate) mod wait_list;
pub(crate) mod work_budget;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::rc::Rc;

use super::config::Number;
use super::context::Ctx;
use super::reply::Reply;
use super::server_string::Name;
use crate::module_api::{api, raw};

pub use dispatch::{all_stale, db_stale, serve, stale, stir};
pub use registry::counts;
pub use work_budget::Stretch;

/// The name of a key, shared by all who wait for it.
type KeyName = Rc<[u8]>;

/// How many clients may wait for one key.
pub static MAX_PER_KEY: Number = Number::new("max-waiters-per-key", 20_000, 0, 1_000_000);
/// How many clients may wait in all.
pub static MAX_IN_ALL: Number = Number::new("max-waiters", 100_000, 0, 10_000_000);

/// What a client waits for at a key: its line there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Awaited {
    /// Something that one waiter takes from the next: they are served in the order of blocking.
    ItsTurn,
    /// Something that all of them may see: each is served by itself when this subject changes.
    NewsOf(u64),
}

/// What a waiting client asked for.
pub trait Request {
    /// Tries again, as the command would at this moment; may write. `shared` is for what one waiter
    /// of a round leaves to the next, so that a large answer that all get is kept once.
    fn attempt(&self, ctx: Ctx<'_>, key: Name<'_>, shared: &mut Shared) -> Attempt;

    /// The answer when the time is up.
    fn give_up(&self, ctx: Ctx<'_>, key: Name<'_>, reply: Reply<'_>);
}

/// What the waiters of one round share; of a type that only they know.
pub type Shared = Option<Rc<dyn Any>>;

/// What came of an attempt.
pub enum Attempt {
    Served(Rc<dyn Delivery>),
    /// Nothing yet; look again at this time (Unix milliseconds) even if nobody touches the key.
    Wait {
        until: Option<u64>,
    },
}

/// What was handed to a waiter, until it is on its way to the client.
pub trait Delivery {
    fn send(&self, key: Name<'_>, reply: Reply<'_>);

    /// The client has gone: gives back what only it could have used. Runs behind the commit gate.
    fn put_back(&self, ctx: Ctx<'_>, key: Name<'_>);
}

/// What a waiter was handed, and for which of its keys.
pub(crate) struct Handed {
    key: KeyName,
    delivery: Rc<dyn Delivery>,
}

/// The client cannot be blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerNow;

/// Where a waiter stands.
enum State {
    Waiting,
    Handed(Handed),
    /// The reply has been written; what was handed is kept until the client is known to be there.
    Delivered(Option<Handed>),
    /// Disconnected while it waited.
    Left,
}

/// One blocked client.
pub(crate) struct Waiter {
    db: i32,
    /// At least one, each once.
    keys: Box<[KeyName]>,
    awaits: Awaited,
    client: u64,
    handle: Cell<*mut raw::RedisModuleBlockedClient>,
    request: Box<dyn Request>,
    state: RefCell<State>,
    disconnected: Cell<bool>,
    freed: Cell<bool>,
}

impl Waiter {
    /// Whether it waits for news.
    fn reads(&self) -> bool {
        matches!(self.awaits, Awaited::NewsOf(_))
    }

    fn waits(&self) -> bool {
        matches!(*self.state.borrow(), State::Waiting)
    }
}

/// Blocks the client of this call for up to `timeout_ms` and puts it at the end of the line of each of
/// the keys, which are different ones. Beside each stands when to look there again by itself.
///
/// An error means that the client must be answered at once: inside MULTI and scripts, on a replica,
/// or when too many wait already.
pub fn block(
    ctx: Ctx<'_>,
    keys: &[(Name<'_>, Option<u64>)],
    awaits: Awaited,
    timeout_ms: u64,
    request: Box<dyn Request>,
) -> Result<(), AnswerNow> {
    let db = ctx.db();
    let names: Box<[KeyName]> = keys.iter().map(|(key, _)| key.bytes().into()).collect();
    if names.is_empty()
        || ctx.must_not_block()
        || !ctx.is_primary()
        || crate::module_api::blocking::registry::is_full(db, &names)
    {
        return Err(AnswerNow);
    }
    let waiter = Rc::new(Waiter {
        db,
        keys: names,
        awaits,
        client: ctx.client_id(),
        handle: Cell::new(std::ptr::null_mut()),
        request,
        state: RefCell::new(State::Waiting),
        disconnected: Cell::new(false),
        freed: Cell::new(false),
    });
    let data = Rc::into_raw(Rc::clone(&waiter)).cast_mut();
    let mut names: Vec<_> = keys.iter().map(|(key, _)| key.raw()).collect();
    // SAFETY: the context is alive, so are the names, and `data` is a counted reference that the free
    // callback takes back.
    let handle = unsafe {
        let handle = api!(RedisModule_BlockClientOnKeys)(
            ctx.raw(),
            Some(callbacks::reply),
            Some(callbacks::timeout),
            Some(callbacks::free),
            i64::try_from(timeout_ms).unwrap_or(i64::MAX),
            names.as_mut_ptr(),
            names.len() as c_int,
            data.cast(),
        );
        api!(RedisModule_SetDisconnectCallback)(handle, Some(callbacks::disconnect));
        handle
    };
    waiter.handle.set(handle);
    let untils: Vec<_> = keys.iter().map(|(_, until)| *until).collect();
    crate::module_api::blocking::registry::join(&waiter, &untils);
    crate::module_api::blocking::dispatch::rearm(ctx, false);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Idle;

    impl Request for Idle {
        fn attempt(&self, _: Ctx<'_>, _: Name<'_>, _: &mut Shared) -> Attempt {
            Attempt::Wait { until: None }
        }

        fn give_up(&self, _: Ctx<'_>, _: Name<'_>, _: Reply<'_>) {}
    }

    /// A waiter known by a number, of which the server knows nothing.
    pub(crate) fn waiter(number: u64) -> Rc<Waiter> {
        Rc::new(Waiter {
            db: 0,
            keys: Box::new([Rc::from(&b"q"[..])]),
            awaits: Awaited::NewsOf(0),
            client: number,
            handle: Cell::new(std::ptr::null_mut()),
            request: Box::new(Idle),
            state: RefCell::new(State::Waiting),
            disconnected: Cell::new(false),
            freed: Cell::new(false),
        })
    }

    pub(crate) fn number(waiter: &Waiter) -> u64 {
        waiter.client
    }

    pub(crate) fn leaves(waiter: &Waiter) {
        *waiter.state.borrow_mut() = State::Left;
    }
}
