//! The server's own strings.

use super::ctx::Ctx;
use super::name::Name;
use super::{api, raw};

/// The string under a key, read as GET reads it: the module API's direct access would rewrite small
/// strings and numbers into another encoding even for reading.
pub fn get(ctx: Ctx<'_>, key: Name<'_>) -> Option<Vec<u8>> {
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
