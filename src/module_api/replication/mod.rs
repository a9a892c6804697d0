//! Sends changes to replicas and the AOF. `runtime/commit` chooses the form in which a change
//! travels. Outside a client's command `write_gate` must be asked first.

pub(crate) mod write_conditions;
pub(crate) mod write_gate;

use std::ffi::CStr;

use crate::module_api::context::Ctx;
use crate::module_api::data_type::AuxState;
use crate::module_api::server_string::ServerStr;
use crate::module_api::{api, raw};

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
