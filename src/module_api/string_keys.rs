//! The server's own strings.

use super::context::Ctx;
use super::server_string::ServerStr;
use crate::module_api::{api, raw};

/// The string under a key, read as GET reads it: the module API's direct access would rewrite small
/// strings and numbers into another encoding even for reading.
pub fn get(ctx: Ctx<'_>, key: ServerStr<'_>) -> Option<Vec<u8>> {
    // SAFETY: the format names exactly the argument that follows; the reply is ours until freed.
    unsafe {
        let reply = api!(RedisModule_Call)(ctx.raw(), c"GET".as_ptr(), c"s".as_ptr(), key.raw());
        if reply.is_null() {
            return None;
        }
        let mut length = 0usize;
        let is_string = api!(RedisModule_CallReplyType)(reply) == raw::REDISMODULE_REPLY_STRING as i32;
        let bytes = is_string.then(|| {
            let start = api!(RedisModule_CallReplyStringPtr)(reply, &mut length);
            std::slice::from_raw_parts(start.cast::<u8>(), length).to_vec()
        });
        api!(RedisModule_FreeCallReply)(reply);
        bytes
    }
}

/// Deletes the string as a client's UNLINK does, and replicates that.
pub fn unlink(ctx: Ctx<'_>, key: ServerStr<'_>) {
    // SAFETY: the format names exactly the argument that follows; a null reply may be freed.
    unsafe {
        let reply = api!(RedisModule_Call)(ctx.raw(), c"UNLINK".as_ptr(), c"s!".as_ptr(), key.raw());
        free(reply);
    }
}

/// Gives the string an expiry, in Unix milliseconds, and replicates that.
pub fn expire_at(ctx: Ctx<'_>, key: ServerStr<'_>, at: u64) {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    // SAFETY: the format names exactly the arguments that follow; a null reply may be freed.
    unsafe {
        let reply = api!(RedisModule_Call)(ctx.raw(), c"PEXPIREAT".as_ptr(), c"sl!".as_ptr(), key.raw(), at);
        free(reply);
    }
}

/// # Safety
/// The reply is null, or ours and not freed yet.
unsafe fn free(reply: *mut raw::RedisModuleCallReply) {
    if !reply.is_null() {
        // SAFETY: as this function asks.
        unsafe { api!(RedisModule_FreeCallReply)(reply) };
    }
}
