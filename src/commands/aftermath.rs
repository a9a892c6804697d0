//! What follows from events that concern more than one key.

use crate::server::ctx::Ctx;
use crate::server::events::Event;
use crate::server::waiters;

use super::{eviction, world};

pub fn of(ctx: Ctx<'_>, event: Event) {
    match event {
        Event::LoadStarted => world::load_started(),
        Event::LoadEnded | Event::Promoted => {
            world::history_may_be_lost(ctx.now_ms());
            waiters::all_stale(ctx);
        }
        Event::Flushed(Some(db)) => waiters::db_stale(ctx, db),
        Event::Flushed(None) => waiters::all_stale(ctx),
        Event::Swapped(first, second) => {
            waiters::db_stale(ctx, first);
            waiters::db_stale(ctx, second);
        }
        Event::Configured => eviction::look(ctx),
        Event::RewriteBegan => world::rewrite_began(ctx),
        Event::Demoted => {}
    }
}
