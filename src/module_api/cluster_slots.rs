//! Whose a key is, in a cluster.

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
    // command on a key that is another node's; EXISTS leaves no trace.
    // SAFETY: the format names exactly the argument that follows; the reply is ours until freed.
    unsafe {
        let reply = api!(RedisModule_Call)(ctx.raw(), c"EXISTS".as_ptr(), c"s".as_ptr(), key.raw());
        if reply.is_null() {
            return false;
        }
        let answered = api!(RedisModule_CallReplyType)(reply) == raw::REDISMODULE_REPLY_INTEGER as i32;
        api!(RedisModule_FreeCallReply)(reply);
        answered
    }
}
