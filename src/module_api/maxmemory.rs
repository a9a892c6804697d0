//! What the server does when its memory is full.

use crate::module_api::{api, raw};

/// What a server that is full drops to stay below its memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// Nothing, or there is no limit.
    Nothing,
    /// Keys with a TTL.
    Volatile,
    Any,
}

pub fn eviction() -> Eviction {
    // SAFETY: a null context is allowed; the data is freed below and not used afterwards.
    unsafe {
        let info = api!(RedisModule_GetServerInfo)(std::ptr::null_mut(), c"memory".as_ptr());
        let limit =
            api!(RedisModule_ServerInfoGetFieldUnsigned)(info, c"maxmemory".as_ptr(), std::ptr::null_mut());
        let policy = api!(RedisModule_ServerInfoGetFieldC)(info, c"maxmemory_policy".as_ptr());
        let policy = if policy.is_null() { b"" } else { std::ffi::CStr::from_ptr(policy).to_bytes() };
        let drops = match policy {
            b"" | b"noeviction" => Eviction::Nothing,
            policy if policy.starts_with(b"volatile") => Eviction::Volatile,
            _ => Eviction::Any,
        };
        api!(RedisModule_FreeServerInfo)(std::ptr::null_mut::<raw::RedisModuleCtx>(), info);
        if limit > 0 { drops } else { Eviction::Nothing }
    }
}
