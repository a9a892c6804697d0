//! Runs a command for a client, and replays it on a replica or from the AOF.

use std::marker::PhantomData;

use crate::domain::refusal::{Code, Refusal};
use crate::module_api::command;
use crate::module_api::command::{Call, Entry, FindsKeys, Program};
use crate::module_api::context::Origin;

use super::counters::{CALLS, FENCED};

/// A command. It either has replied in full or returns the error to reply with.
pub trait Handler {
    fn run(call: Call<'_>) -> Result<(), Refusal>;
}

/// A command that may be replicated as the client sent it (see [`super::replicated_clock`]): two
/// programs.
pub trait VerbatimHandler {
    /// A client asks.
    fn run(call: Call<'_>, origin: Origin) -> Result<(), Refusal>;

    /// The primary's link, the append-only file or the exporter of a slot repeats what a primary
    /// has decided.
    fn replay(call: Call<'_>, origin: Origin) -> Result<(), Refusal>;
}

/// The entry from C of a handler.
pub const fn entry<H: Handler>() -> Entry {
    command::entry::<Run<H>>()
}

/// Like [`entry`], for an internal command: its calls are not counted as those of clients.
pub const fn internal_entry<H: Handler>() -> Entry {
    command::entry::<RunInternal<H>>()
}

/// Like [`entry`], for a command with the flag `getkeys-api`.
pub const fn entry_finding_keys<H: Handler + FindsKeys>() -> Entry {
    command::entry_finding_keys::<Run<H>, H>()
}

/// The entry from C of a handler that may be replicated verbatim.
pub const fn verbatim_entry<H: VerbatimHandler>() -> Entry {
    command::entry::<RunOrReplay<H>>()
}

/// Like [`verbatim_entry`], for a command with the flag `getkeys-api`.
pub const fn verbatim_entry_finding_keys<H: VerbatimHandler + FindsKeys>() -> Entry {
    command::entry_finding_keys::<RunOrReplay<H>, H>()
}

struct Run<H>(PhantomData<H>);

impl<H: Handler> Program for Run<H> {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        counted(H::run(call))
    }
}

/// Counts a call and, where a token was refused, that too.
fn counted(outcome: Result<(), Refusal>) -> Result<(), Refusal> {
    CALLS.add(1);
    if outcome.as_ref().is_err_and(|refusal| refusal.code == Code::Fenced) {
        FENCED.add(1);
    }
    outcome
}

struct RunInternal<H>(PhantomData<H>);

impl<H: Handler> Program for RunInternal<H> {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        H::run(call)
    }
}

struct RunOrReplay<H>(PhantomData<H>);

impl<H: VerbatimHandler> Program for RunOrReplay<H> {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        match call.ctx.origin() {
            origin @ (Origin::Client | Origin::ClientOfCluster | Origin::ClientOfReplica) => {
                counted(H::run(call, origin))
            }
            origin @ (Origin::ReplicationOrAof | Origin::Import) => H::replay(call, origin),
        }
    }
}
