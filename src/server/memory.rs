//! What the server does when its memory is full.

use super::{api, raw};

/// Whether there is a memory limit, with a policy that drops keys to stay below it.
pub fn may_evict() -> bool {
    // SAFETY: a null context is allowed; the data is freed below and not used afterwards.
    unsafe {
        let info = api!(RedisModule_GetServerInfo)(std::ptr::null_mut(), c"memory".as_ptr());
        let limit =
            api!(RedisModule_ServerInfoGetFieldUnsigned)(info, c"maxmemory".as_ptr(), std::ptr::null_mut());
        let policy = api!(RedisModule_ServerInfoGetFieldC)(info, c"maxmemory_policy".as_ptr());
        let drops = !policy.is_null() && std::ffi::CStr::from_ptr(policy) != c"noeviction";
        api!(RedisModule_FreeServerInfo)(std::ptr::null_mut::<raw::RedisModuleCtx>(), info);
        limit > 0 && drops
    }
}
