//! One blocked client: what it asked for, and what it was handed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use super::wanted::{self, WantedName};
use crate::module_api::context::Ctx;
use crate::module_api::raw;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;

/// The name of a key, shared by all its waiters.
pub(crate) type KeyName = Rc<[u8]>;

/// What a client waits for at a key: its list there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitFor {
    /// Something that one waiter takes from the next: they are served in the order of blocking.
    Turn,
    /// Like `Turn`, but in a line of its own: those who want this, told apart by a number that the
    /// family chooses, wait without holding back those who want less.
    TurnOf(u64),
    /// Something that all of them may see: each is served by itself when this subject changes.
    Subject(u64),
}

impl WaitFor {
    /// The list in order of those that want exactly these names, which are sorted.
    pub fn turn(wants: &[WantedName]) -> Self {
        wanted::line(wants).map_or(WaitFor::Turn, WaitFor::TurnOf)
    }
}

/// What a waiting client asked for.
pub trait Request {
    /// Tries again, as the command would at this moment; may write. `shared` is for what one waiter
    /// of a round leaves to the next, so that a large answer that all get is kept once.
    fn attempt(&self, ctx: Ctx<'_>, key: ServerStr<'_>, shared: &mut Shared) -> Attempt;

    /// What it wants of the key, if there are several things to want: it stands behind those that
    /// came earlier and want any of them.
    fn wants(&self) -> &[WantedName] {
        &[]
    }

    /// A key beside those that it waits at, in whose line it stands while they have something for
    /// it.
    fn shared_key(&self) -> Option<&SharedKey> {
        None
    }

    /// The answer when the time is up.
    fn on_timeout(&self, ctx: Ctx<'_>, key: ServerStr<'_>, reply: Reply<'_>);
}

/// A key that requests of several keys take from, such as a subject of RATELIMIT whose limits the
/// queues of one provider share.
#[derive(Debug)]
pub struct SharedKey {
    pub name: KeyName,
    /// What is wanted of it, sorted; not empty.
    pub wants: Vec<WantedName>,
}

/// What the waiters of one round share; of a type that only they know.
pub type Shared = Option<Rc<dyn Any>>;

/// What came of an attempt.
pub enum Attempt {
    Served(Rc<dyn Delivery>),
    /// Nothing yet; look again at this time (Unix milliseconds) even without a command at the key.
    Wait {
        until: Option<u64>,
    },
    /// One of its keys has something: it stands in the line of its shared key, where it is tried
    /// next. As for `until`, that of the key which was tried.
    Stand {
        until: Option<u64>,
    },
    /// Tried at its shared key, it has found nothing at its keys: it stands there no longer.
    StepBack,
}

/// What was handed to a waiter, until it is on its way to the client.
pub trait Delivery {
    fn send(&self, key: ServerStr<'_>, reply: Reply<'_>);

    /// The client has gone: gives back what only it could have used. Runs behind the commit gate.
    fn undo(&self, ctx: Ctx<'_>, key: ServerStr<'_>);
}

/// What a waiter was handed, and for which of its keys.
pub(crate) struct Handed {
    pub(crate) key: KeyName,
    pub(crate) delivery: Rc<dyn Delivery>,
}

/// The client cannot be blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotBlock;

/// The position of a waiter.
pub(crate) enum State {
    Waiting,
    Handed(Handed),
    /// The reply has been written; what was handed is kept until the client is known to be there.
    Delivered(Option<Handed>),
    /// Disconnected while it waited.
    Left,
}

/// One blocked client.
pub(crate) struct Waiter {
    /// Rises from one waiter to the next.
    pub(crate) number: u64,
    pub(crate) db: i32,
    /// At least one, each once.
    pub(crate) keys: Box<[KeyName]>,
    /// For each key the number of its last round of callbacks that came to this waiter.
    pub(crate) rounds: Box<[Cell<u64>]>,
    pub(crate) wait_for: WaitFor,
    pub(crate) client: u64,
    pub(crate) handle: Cell<*mut raw::RedisModuleBlockedClient>,
    pub(crate) request: Box<dyn Request>,
    pub(crate) state: RefCell<State>,
    /// When the wait has ended for certain, whatever happened to the server's clock.
    pub(crate) ends: Instant,
    pub(crate) disconnected: Cell<bool>,
    pub(crate) freed: Cell<bool>,
    /// Its number in the line of its shared key; 0 while it does not stand there.
    pub(crate) standing: Cell<u64>,
}

impl Waiter {
    /// What it wants of a key.
    pub(crate) fn wants_at(&self, key: &[u8]) -> &[WantedName] {
        match self.request.shared_key() {
            Some(shared) if *shared.name == *key => &shared.wants,
            Some(_) => &[],
            None => self.request.wants(),
        }
    }

    /// Whether this is its shared key.
    pub(crate) fn stands_at(&self, key: &[u8]) -> bool {
        self.request.shared_key().is_some_and(|shared| *shared.name == *key)
    }

    /// Whether a place in a list is still its own.
    pub(crate) fn has_place(&self, number: u64) -> bool {
        self.waits() && (number == self.number || number == self.standing.get())
    }

    /// Whether it waits for subjects.
    pub(crate) fn reads(&self) -> bool {
        matches!(self.wait_for, WaitFor::Subject(_))
    }

    pub(crate) fn waits(&self) -> bool {
        matches!(*self.state.borrow(), State::Waiting)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    struct Idle;

    impl Request for Idle {
        fn attempt(&self, _: Ctx<'_>, _: ServerStr<'_>, _: &mut Shared) -> Attempt {
            Attempt::Wait { until: None }
        }

        fn on_timeout(&self, _: Ctx<'_>, _: ServerStr<'_>, _: Reply<'_>) {}
    }

    /// A waiter known by a number, of which the server knows nothing.
    pub(crate) fn waiter(number: u64) -> Rc<Waiter> {
        Rc::new(Waiter {
            number,
            db: 0,
            keys: Box::new([Rc::from(&b"q"[..])]),
            rounds: Box::new([Cell::new(0)]),
            wait_for: WaitFor::Subject(0),
            client: number,
            handle: Cell::new(std::ptr::null_mut()),
            request: Box::new(Idle),
            state: RefCell::new(State::Waiting),
            ends: Instant::now(),
            disconnected: Cell::new(false),
            freed: Cell::new(false),
            standing: Cell::new(0),
        })
    }

    pub(crate) fn number(waiter: &Waiter) -> u64 {
        waiter.client
    }

    pub(crate) fn leaves(waiter: &Waiter) {
        *waiter.state.borrow_mut() = State::Left;
    }
}
