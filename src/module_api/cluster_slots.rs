//! Whose a key is, in a cluster.

use std::ffi::CStr;

use super::context::Ctx;
use super::server_string::ServerStr;
use crate::module_api::{api, raw};

/// Whether this server owns the key's slot. One that imports a slot holds its keys before they are its own; until
/// then the node that they come from decides what becomes of them.
pub fn owns(ctx: Ctx<'_>, key: ServerStr<'_>) -> bool {
    if !ctx.is_cluster() {
        return true;
    }
    // The module API has no question for it that all supported servers know, but every server refuses to call a
    // command on a key that is another node's. These leave no trace; the later ones are for servers where the earlier
    // ones were renamed.
    const QUESTIONS: [&CStr; 3] = [c"EXISTS", c"TYPE", c"PTTL"];
    QUESTIONS.into_iter().any(|question| answers(ctx, question, key))
}

/// Whether the server answers this command about the key, without an error.
fn answers(ctx: Ctx<'_>, command: &CStr, key: ServerStr<'_>) -> bool {
    // SAFETY: the format names exactly the argument that follows; the reply is ours until freed.
    unsafe {
        let reply = api!(RedisModule_Call)(ctx.raw(), command.as_ptr(), c"s".as_ptr(), key.raw());
        if reply.is_null() {
            return false;
        }
        let is_error = api!(RedisModule_CallReplyType)(reply) == raw::REDISMODULE_REPLY_ERROR as i32;
        api!(RedisModule_FreeCallReply)(reply);
        !is_error
    }
}
