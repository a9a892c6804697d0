//! Whose a key is, in a cluster.

use std::ffi::CStr;

use super::context::Ctx;
use super::server_string::ServerStr;
use crate::module_api::{api, raw};

/// Whether this server owns the key's slot. One that imports a slot holds its keys before they are
/// its own; until then the node that they come from decides what becomes of them.
pub fn owns(ctx: Ctx<'_>, key: ServerStr<'_>) -> bool {
    if !ctx.is_cluster() {
        return true;
    }
    // The module API has no question for it that all supported servers know, but every server
    // refuses to call a command on a key that is another node's, and one that writes where the
    // cluster is down. These write nothing: no expiry is put off to 1970. The second one is for
    // servers where the first was renamed.
    const QUESTIONS: [&CStr; 2] = [c"PEXPIREAT", c"EXPIREAT"];
    QUESTIONS.into_iter().any(|question| answers(ctx, question, key))
}

/// Whether the cluster's configuration makes this node a replica. After a restart the node is told
/// of its primary a moment later, and till then the server's own flags say that it is one itself.
pub fn is_replica(ctx: Ctx<'_>) -> bool {
    if !ctx.is_cluster() {
        return false;
    }
    let mut flags = 0;
    // SAFETY: the id that the server shows has no NUL at its end, so it is copied; of address,
    // primary and port nothing is asked.
    let known = unsafe {
        let own = api!(RedisModule_GetMyClusterID)();
        if own.is_null() {
            return false;
        }
        let mut id = [0; raw::REDISMODULE_NODE_ID_LEN as usize + 1];
        own.copy_to(id.as_mut_ptr(), raw::REDISMODULE_NODE_ID_LEN as usize);
        let ask = api!(RedisModule_GetClusterNodeInfo);
        let (nothing, no_port) = (std::ptr::null_mut(), std::ptr::null_mut());
        ask(ctx.raw(), id.as_ptr(), nothing, nothing, no_port, &mut flags) == raw::REDISMODULE_OK as i32
    };
    known && flags & raw::REDISMODULE_NODE_SLAVE as i32 != 0
}

/// Whether the server takes `command key 1 GT`, without an error.
fn answers(ctx: Ctx<'_>, command: &CStr, key: ServerStr<'_>) -> bool {
    let (one, greater) = (c"1".as_ptr(), c"GT".as_ptr());
    // SAFETY: the format names exactly the arguments that follow; the reply is ours until freed.
    unsafe {
        let call = api!(RedisModule_Call);
        let reply = call(ctx.raw(), command.as_ptr(), c"scc".as_ptr(), key.raw(), one, greater);
        if reply.is_null() {
            return false;
        }
        let is_error = api!(RedisModule_CallReplyType)(reply) == raw::REDISMODULE_REPLY_ERROR as i32;
        api!(RedisModule_FreeCallReply)(reply);
        !is_error
    }
}
