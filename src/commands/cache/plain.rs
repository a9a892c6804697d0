//! One of the server's own strings under a cache key: a HIT, never leased.

use crate::server::ctx::Ctx;
use crate::server::key::Key;
use crate::server::name::Name;

/// Milliseconds that one of the server's own strings has left, `Some(None)` without an expiry;
/// `None` when the key holds no such string.
pub fn left(ctx: Ctx<'_>, key: Name<'_>) -> Option<Option<u64>> {
    let key = Key::unnoticed(ctx, key);
    key.is_string().then(|| key.expiry().map(|at| at.saturating_sub(ctx.now_ms())))
}
