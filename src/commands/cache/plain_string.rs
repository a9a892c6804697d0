//! One of the server's own strings under a cache key: a HIT, never leased.

use crate::domain::cache;
use crate::domain::cache::{CacheEntry, GetSetReply};
use crate::domain::decision::Decision;
use crate::module_api::context::Ctx;
use crate::module_api::key::Key;
use crate::module_api::server_string::ServerStr;
use crate::module_api::string_keys;
use crate::runtime::commit;
use crate::runtime::commit::Write;

/// Milliseconds that one of the server's own strings has left, `Some(None)` without an expiry;
/// `None` when the key holds no such string.
pub fn left(ctx: Ctx<'_>, key: ServerStr<'_>) -> Option<Option<u64>> {
    let key = Key::open_no_touch(ctx, key);
    key.is_string().then(|| key.expiry().map(|at| at.saturating_sub(ctx.now_ms())))
}

/// What a GETSET answers; with `touch` the string is fresh for that long from now, ms.
pub fn hit(ctx: Ctx<'_>, key: ServerStr<'_>, touch: Option<u64>) -> Option<GetSetReply<'static>> {
    let mut left = left(ctx, key)?;
    let value = string_keys::get(ctx, key)?;
    if let Some(touch) = touch {
        let how = Write { serves_waiters: false, ..Write::over_string() };
        let touched = commit::write_with::<CacheEntry, _>(ctx, key, how, |_, now, _| {
            Ok(Decision::change((), cache::Effect::Touch { fresh_until: now.saturating_add(touch) }))
        });
        touched.ok()?;
        left = Some(touch);
    }
    Some(GetSetReply::hit(&value, left).into_owned())
}
