//! Sends changes to replicas and the AOF. [`may_write`] tells whether this server may make one;
//! `runtime/commit` chooses the form in which a change travels.
//!
//! Inside a client's command every change may be replicated at once. Outside one (timers, waiters,
//! disconnections) [`may_write`] must be asked first: a server that is a replica must not write at
//! all, and one that is paused (CLIENT PAUSE, FAILOVER, a graceful SHUTDOWN, the hand-off of a
//! slot) aborts when something replicates, so the change has to wait.

use std::ffi::CStr;

use super::context::Ctx;
use super::data_type::AuxState;
use super::server_string::ServerStr;
use crate::module_api::{api, raw, write_conditions};

/// Whether a change may be made now, outside a client's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// The server is paused, or refuses the writes of its clients: try again soon.
    Later,
    /// This server is a replica or is loading: the change is not ours to make.
    Never,
}

pub fn may_write(ctx: Ctx<'_>) -> Gate {
    if !ctx.is_primary() || ctx.is_loading() {
        Gate::Never
    } else if ctx.must_not_replicate() || write_conditions::refuse_writes() {
        Gate::Later
    } else {
        Gate::Open
    }
}

/// Sends `command key blob` to replicas and the AOF.
pub fn effect(ctx: Ctx<'_>, command: &CStr, key: ServerStr<'_>, blob: &[u8]) {
    // SAFETY: the format names exactly the arguments that follow.
    unsafe {
        api!(RedisModule_Replicate)(
            ctx.raw(),
            command.as_ptr(),
            c"sb".as_ptr(),
            key.raw(),
            blob.as_ptr(),
            blob.len(),
        )
    };
}

/// Sends `command key blob payload`: the payload travels beside the blob instead of inside it.
pub fn effect_with_payload(ctx: Ctx<'_>, command: &CStr, key: ServerStr<'_>, blob: &[u8], payload: &[u8]) {
    // SAFETY: the format names exactly the arguments that follow.
    unsafe {
        api!(RedisModule_Replicate)(
            ctx.raw(),
            command.as_ptr(),
            c"sbb".as_ptr(),
            key.raw(),
            blob.as_ptr(),
            blob.len(),
            payload.as_ptr(),
            payload.len(),
        )
    };
}

/// The internal command that carries what belongs to no key.
pub const APPLY_AUX: &CStr = c"workgate._apply";

/// Sends `WORKGATE._APPLY table blob`, a change of what belongs to no key.
pub fn table_effect(ctx: Ctx<'_>, table: &CStr, blob: &[u8]) {
    // SAFETY: the format names exactly the arguments that follow.
    unsafe {
        api!(RedisModule_Replicate)(
            ctx.raw(),
            APPLY_AUX.as_ptr(),
            c"cb".as_ptr(),
            table.as_ptr(),
            blob.as_ptr(),
            blob.len(),
        )
    };
}

/// Appends `WORKGATE._APPLY table STATE encoding bytes` to the AOF of this server alone.
pub fn table_to_aof(ctx: Ctx<'_>, state: &AuxState) {
    // SAFETY: the format names exactly the arguments that follow; R keeps it from the replicas.
    unsafe {
        api!(RedisModule_Replicate)(
            ctx.raw(),
            APPLY_AUX.as_ptr(),
            c"Rcclb".as_ptr(),
            state.name.as_ptr(),
            c"STATE".as_ptr(),
            i64::from(state.encoding),
            state.bytes.as_ptr(),
            state.bytes.len(),
        )
    };
}

/// Whether a child rewrites the AOF.
pub fn is_rewriting() -> bool {
    // SAFETY: a null context is allowed; the data is freed below and not used afterwards.
    unsafe {
        let info = api!(RedisModule_GetServerInfo)(std::ptr::null_mut(), c"persistence".as_ptr());
        let field = c"aof_rewrite_in_progress".as_ptr();
        let rewrites = api!(RedisModule_ServerInfoGetFieldUnsigned)(info, field, std::ptr::null_mut());
        api!(RedisModule_FreeServerInfo)(std::ptr::null_mut::<raw::RedisModuleCtx>(), info);
        rewrites != 0
    }
}

/// Passes the current command on as it came: for an effect that is being applied, to the replicas
/// and the AOF of this server.
pub fn verbatim(ctx: Ctx<'_>) {
    // SAFETY: the context is alive.
    unsafe { api!(RedisModule_ReplicateVerbatim)(ctx.raw()) };
}
