//! What the server does when its memory is full, and whether it is.

use std::ffi::{CStr, CString};

use super::context::Ctx;
use crate::module_api::{api, raw};

/// What a server that is full drops to stay below its memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// There is no limit.
    Unlimited,
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
        let policy = if policy.is_null() { b"" } else { CStr::from_ptr(policy).to_bytes() };
        let drops = match policy {
            _ if limit == 0 => Eviction::Unlimited,
            b"" | b"noeviction" => Eviction::Nothing,
            policy if policy.starts_with(b"volatile") => Eviction::Volatile,
            _ => Eviction::Any,
        };
        api!(RedisModule_FreeServerInfo)(std::ptr::null_mut::<raw::RedisModuleCtx>(), info);
        drops
    }
}

/// Whether the server holds more than `maxmemory` allows, and that limit is in force: not on a
/// replica that leaves it to its primary.
pub fn is_exceeded(ctx: Ctx<'_>) -> bool {
    let both = raw::REDISMODULE_CTX_FLAGS_MAXMEMORY | raw::REDISMODULE_CTX_FLAGS_OOM;
    ctx.flags() & both == both
}

/// Whether there is a key, or (`with_ttl`) one with a TTL, in any database.
pub fn has_keys(ctx: Ctx<'_>, with_ttl: bool) -> bool {
    let field = if with_ttl { "expires=" } else { "keys=" };
    // SAFETY: a null context is allowed; the data is freed below and not used afterwards.
    let info = unsafe { api!(RedisModule_GetServerInfo)(std::ptr::null_mut(), c"keyspace".as_ptr()) };
    let home = ctx.db();
    let mut dbs = (0..).take_while(|db| ctx.select(*db));
    let found = dbs.any(|db| {
        let Ok(name) = CString::new(format!("db{db}")) else { return false };
        // SAFETY: the data is alive, and the server ends its texts with NUL.
        unsafe {
            let text = api!(RedisModule_ServerInfoGetFieldC)(info, name.as_ptr());
            !text.is_null() && has_field_above_zero(&CStr::from_ptr(text).to_string_lossy(), field)
        }
    });
    ctx.select(home);
    // SAFETY: got from the server and freed once.
    unsafe { api!(RedisModule_FreeServerInfo)(std::ptr::null_mut::<raw::RedisModuleCtx>(), info) };
    found
}

/// The text is that of a database: `keys=1,expires=0,avg_ttl=0`.
fn has_field_above_zero(text: &str, field: &str) -> bool {
    text.split(',')
        .filter_map(|part| part.strip_prefix(field))
        .any(|number| number.parse::<u64>().is_ok_and(|number| number > 0))
}

#[cfg(test)]
mod tests {
    use super::has_field_above_zero;

    #[test]
    fn the_counts_of_a_database_are_read() {
        let text = "keys=1,expires=1,avg_ttl=9";
        assert!(has_field_above_zero(text, "keys=") && has_field_above_zero(text, "expires="));
        let text = "keys=7,expires=0,avg_ttl=5,subexpiry=3";
        assert!(has_field_above_zero(text, "keys=") && !has_field_above_zero(text, "expires="));
        assert!(!has_field_above_zero("", "keys="));
    }
}
