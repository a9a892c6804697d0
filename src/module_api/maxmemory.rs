//! What the server does when its memory is full, and whether it is.

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
        let policy = if policy.is_null() { b"" } else { std::ffi::CStr::from_ptr(policy).to_bytes() };
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

/// Whether the server holds more than `maxmemory` allows, and that limit is in force: not on a replica that
/// leaves it to its primary.
pub fn is_exceeded(ctx: Ctx<'_>) -> bool {
    let both = raw::REDISMODULE_CTX_FLAGS_MAXMEMORY | raw::REDISMODULE_CTX_FLAGS_OOM;
    ctx.flags() & both == both
}

/// Whether there is a key, or (`with_ttl`) one with a TTL, in any database.
pub fn has_keys(ctx: Ctx<'_>, with_ttl: bool) -> bool {
    let mut length = 0usize;
    // SAFETY: the format names exactly the argument that follows; the text is used before its reply is freed.
    unsafe {
        let reply = api!(RedisModule_Call)(ctx.raw(), c"INFO".as_ptr(), c"c".as_ptr(), c"keyspace".as_ptr());
        if reply.is_null() {
            // INFO was renamed: the server will find out by itself.
            return true;
        }
        let start = api!(RedisModule_CallReplyStringPtr)(reply, &mut length);
        let text = if start.is_null() { &[] } else { std::slice::from_raw_parts(start.cast(), length) };
        let has = has_field_above_zero(text, if with_ttl { "expires=" } else { "keys=" });
        api!(RedisModule_FreeCallReply)(reply);
        has
    }
}

/// `keyspace` has a line for each database: `db0:keys=1,expires=0,avg_ttl=0`.
fn has_field_above_zero(keyspace: &[u8], field: &str) -> bool {
    let text = String::from_utf8_lossy(keyspace);
    text.split(['\r', '\n', ':', ','])
        .filter_map(|part| part.strip_prefix(field))
        .any(|number| number.parse::<u64>().is_ok_and(|number| number > 0))
}

#[cfg(test)]
mod tests {
    use super::has_field_above_zero;

    #[test]
    fn keys_are_counted_in_every_database() {
        let has = |text: &str, field| has_field_above_zero(text.as_bytes(), field);
        let text = "# Keyspace\r\ndb0:keys=7,expires=0,avg_ttl=0\r\ndb12:keys=1,expires=1,avg_ttl=9\r\n";
        assert!(has(text, "keys=") && has(text, "expires="));
        let text = "# Keyspace\r\ndb0:keys=7,expires=0,avg_ttl=5,subexpiry=3\r\n";
        assert!(has(text, "keys=") && !has(text, "expires="));
        assert!(!has("# Keyspace\r\n", "keys=") && !has("", "keys="));
    }
}
