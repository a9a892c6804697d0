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

mod callbacks;
mod clerk;
mod line;
mod stretch;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::config::Number;
use super::ctx::Ctx;
use super::name::Name;
use super::reply::Reply;
use super::{api, raw};

pub use clerk::{all_stale, counts, db_stale, serve, stale};

/// How many clients may wait for one key.
pub static MAX_PER_KEY: Number = Number::new("max-waiters-per-key", 20_000, 0, 1_000_000);
/// How many clients may wait in all.
pub static MAX_IN_ALL: Number = Number::new("max-waiters", 100_000, 0, 10_000_000);

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

/// The client cannot be blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerNow;

/// Where a waiter stands.
enum State {
    Waiting,
    Handed(Rc<dyn Delivery>),
    /// The reply has been written; what was handed is kept until the client is known to be there.
    Delivered(Option<Rc<dyn Delivery>>),
    /// Disconnected while it waited.
    Left,
}

/// One blocked client.
struct Waiter {
    db: i32,
    key: Box<[u8]>,
    client: u64,
    handle: Cell<*mut raw::RedisModuleBlockedClient>,
    request: Box<dyn Request>,
    state: RefCell<State>,
    disconnected: Cell<bool>,
    freed: Cell<bool>,
}

impl Waiter {
    fn waits(&self) -> bool {
        matches!(*self.state.borrow(), State::Waiting)
    }
}

/// Blocks the client of this call for up to `timeout_ms` and puts it at the end of the key's line.
/// `until` is when to look again by itself.
///
/// An error means that the client must be answered at once: inside MULTI and scripts, on a replica,
/// or when too many wait already.
pub fn block(
    ctx: Ctx<'_>,
    key: Name<'_>,
    timeout_ms: u64,
    request: Box<dyn Request>,
    until: Option<u64>,
) -> Result<(), AnswerNow> {
    let db = ctx.db();
    if ctx.must_not_block() || !ctx.is_primary() || clerk::is_full(db, key.bytes()) {
        return Err(AnswerNow);
    }
    let waiter = Rc::new(Waiter {
        db,
        key: key.bytes().into(),
        client: ctx.client_id(),
        handle: Cell::new(std::ptr::null_mut()),
        request,
        state: RefCell::new(State::Waiting),
        disconnected: Cell::new(false),
        freed: Cell::new(false),
    });
    let data = Rc::into_raw(Rc::clone(&waiter)).cast_mut();
    let mut names = [key.raw()];
    // SAFETY: the context is alive, one name is passed, and `data` is a counted reference that the
    // free callback takes back.
    let handle = unsafe {
        let handle = api!(RedisModule_BlockClientOnKeys)(
            ctx.raw(),
            Some(callbacks::reply),
            Some(callbacks::timeout),
            Some(callbacks::free),
            i64::try_from(timeout_ms).unwrap_or(i64::MAX),
            names.as_mut_ptr(),
            1,
            data.cast(),
        );
        api!(RedisModule_SetDisconnectCallback)(handle, Some(callbacks::disconnect));
        handle
    };
    waiter.handle.set(handle);
    clerk::join(ctx, waiter, until);
    Ok(())
}
