//! Clients that wait for a key, in the order of their blocking.
//!
//! The server's own key-ready signal wakes every client blocked on a key and does not know which of
//! them may have what has arrived, so it is not what serves them. Instead:
//!
//! 1. [`block()`] blocks the client and puts it at the end of the key's list.
//! 2. A command that changes a key calls [`serve`]: the head of the list tries its request again,
//!    inside the same unit of replication, and is *handed* what it gets. Then the next one tries.
//!    Within a transaction, script or function it only notes the list, which is served when that
//!    ends ([`unit_end`]).
//! 3. A timer of 0 ms wakes those that were handed something. It writes nothing. (Waking inside the
//!    command desynchronises the protocol on 7.x, and leaves work undone on Valkey when the client
//!    is unblocked with an error in the same unit.)
//! 4. For a client blocked on keys the server delivers through the *timeout* callback; only that
//!    one marks a waiter as delivered.
//! 5. What was handed to a client that is no longer there is put back, by a timer, through the
//!    commit gate. The *free* callback alone decides on that.
//!
//! What no command brings about (a lease that runs out, a key that is deleted, flushed, renamed or
//! swapped in) makes the list *stale*: it is looked at when the unit ends, or by the same timer.
//!
//! # Lines
//!
//! What a waiter waits for decides which list of its key it joins and how that list is served:
//!
//! - [`WaitFor::Turn`] is a list *in order*: the first that gets nothing ends the serving, for
//!   those behind it want the same thing. Every [`serve`] of the key looks at it.
//! - [`WaitFor::TurnOf`] is a further list in order, of those who want more than the others: a POP
//!   that lingers for 32 jobs waits while others take one by one. Its waiters want the same thing
//!   too. Where requests name what they want of a key (limits), those that name the same have one
//!   such list, and [`turns`] says who stands behind whom. The heads of all lists are asked in the
//!   order of their coming.
//! - [`WaitFor::Subject`] a subject of the key (a number that the family chooses: a job, the event
//!   log): everyone is tried *by itself*, once for each change of that subject, which the commit
//!   announces by [`notify`] (see `Value::take_changed_subjects`). What changes another subject
//!   costs these waiters nothing, and a waiter for its turn that gets nothing holds none of them
//!   back. A round that takes too long goes on in the timer, from where it was; a further change
//!   lengthens it to everyone once more.
//!
//! A waiter may be in the lists of several keys. It is served by the first of them that has
//! something, at its place in that key's list, and leaves all of them in the same moment.
//!
//! What it gets of them may also take from a *shared key*: a POP with RATE takes a job of its queue
//! and an amount of a subject. It then stands in the line of the shared key, behind those that came
//! earlier, while one of its own keys has something for it, and only that long. It is served there.

pub(crate) mod block;
pub(crate) mod callbacks;
pub(crate) mod dispatch;
pub(crate) mod key_waiters;
pub(crate) mod limits;
pub(crate) mod registry;
pub(crate) mod serve_turn;
pub(crate) mod turns;
pub(crate) mod unit_end;
pub(crate) mod wait_list;
pub(crate) mod waiter;
pub(crate) mod wanted;
pub(crate) mod work_budget;

pub use block::block;
pub use dispatch::{
    all_stale, clock_moved, db_stale, end_overdue, has_waiters, notify, serve, stale, turns_stale,
};
pub use limits::{MAX_WAITERS, MAX_WAITERS_PER_KEY};
pub use registry::counts;
pub use turns::stands_behind_others;
pub use waiter::{Attempt, Delivery, Request, Shared, SharedKey, WaitFor};
pub use wanted::WantedName;
pub use work_budget::WorkBudget;
