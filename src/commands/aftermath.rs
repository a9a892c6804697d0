//! What follows from events that concern more than one key.

use crate::server::ctx::Ctx;
use crate::server::events::Event;
use crate::server::waiters;

use super::jobq::register;
use super::{eviction, world};

pub fn of(ctx: Ctx<'_>, event: Event) {
    match event {
        Event::LoadStarted => {
            world::load_started();
            register::load_started();
        }
        Event::LoadEnded | Event::Promoted => {
            world::history_may_be_lost(ctx.now_ms());
            register::load_ended();
            // Where this server may write now, what is due has waited for that.
            register::arm(ctx);
            waiters::all_stale(ctx);
        }
        Event::Flushed(db) => {
            register::flushed(db);
            match db {
                Some(db) => waiters::db_stale(ctx, db),
                None => waiters::all_stale(ctx),
            }
        }
        Event::Swapped(first, second) => {
            register::swapped(ctx, first, second);
            waiters::db_stale(ctx, first);
            waiters::db_stale(ctx, second);
        }
        Event::Configured => eviction::look(ctx),
        Event::RewriteBegan => world::rewrite_began(ctx),
        Event::Demoted => {}
    }
}
