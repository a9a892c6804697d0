//! The server's own strings.

use std::ffi::c_int;

use super::context::Ctx;
use super::server_string::ServerStr;
use crate::module_api::{api, raw};

/// The string under a key, read as GET reads it: the module API's direct access rewrites small
/// strings and numbers into another encoding even for reading. It is taken where GET was renamed.
/// `None` when there is no string.
pub fn get(ctx: Ctx<'_>, key: ServerStr<'_>) -> Option<Vec<u8>> {
    // SAFETY: the format names exactly the argument that follows; the reply is ours until freed.
    unsafe {
        let reply = api!(RedisModule_Call)(ctx.raw(), c"GET".as_ptr(), c"s".as_ptr(), key.raw());
        if reply.is_null() {
            return get_directly(ctx, key);
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

fn get_directly(ctx: Ctx<'_>, key: ServerStr<'_>) -> Option<Vec<u8>> {
    // SAFETY: context and name are alive; the bytes are copied before the key is closed, once.
    unsafe {
        let open = api!(RedisModule_OpenKey)(ctx.raw(), key.raw(), raw::REDISMODULE_READ as c_int).cast();
        let is_string = api!(RedisModule_KeyType)(open) as isize == raw::REDISMODULE_KEYTYPE_STRING;
        let bytes = is_string.then(|| {
            let mut length = 0usize;
            let start = api!(RedisModule_StringDMA)(open, &mut length, raw::REDISMODULE_READ as c_int);
            std::slice::from_raw_parts(start.cast::<u8>(), length).to_vec()
        });
        if !open.is_null() {
            api!(RedisModule_CloseKey)(open);
        }
        bytes
    }
}
