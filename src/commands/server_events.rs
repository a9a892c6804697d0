//! What follows from events that concern more than one key.

use crate::module_api::blocking;
use crate::module_api::context::Ctx;
use crate::module_api::data_type;
use crate::module_api::events::Event;
use crate::module_api::keyspace;
use crate::module_api::own_files;
use crate::module_api::replication::write_conditions;
use crate::module_api::timer;

use crate::commands::cache::invalidate;
use crate::commands::jobq::queue_registry;
use crate::runtime::{eviction, global_state};

pub fn of(ctx: Ctx<'_>, event: Event) {
    match event {
        Event::LoadStarted(source) => {
            own_files::load_started(source);
            global_state::load_started();
            queue_registry::load_started();
        }
        Event::LoadEnded | Event::Promoted => {
            global_state::history_may_be_lost(ctx.now_ms());
            if event == Event::LoadEnded {
                own_files::load_ended(ctx);
                invalidate::load_ended(ctx);
            }
            queue_registry::load_ended();
            // Where this server may write now, what is due has waited for that.
            queue_registry::arm(ctx);
            blocking::all_stale(ctx);
        }
        Event::Flushed(db) => {
            queue_registry::flushed(db);
            match db {
                Some(db) => blocking::db_stale(ctx, db),
                None => blocking::all_stale(ctx),
            }
        }
        Event::Swapped(first, second) => {
            queue_registry::swapped(ctx, first, second);
            blocking::db_stale(ctx, first);
            blocking::db_stale(ctx, second);
        }
        Event::Configured => {
            eviction::read_settings(ctx);
            keyspace::read_settings();
            own_files::read_settings(ctx);
            write_conditions::read_settings(ctx);
        }
        Event::Cron => {
            if timer::clock_was_set_back(ctx.now_ms()) {
                queue_registry::clock_moved(ctx);
                blocking::clock_moved(ctx);
            }
            blocking::end_overdue();
        }
        Event::SavesWholeFile(begins) => data_type::note_whole_file(begins),
        Event::RewriteBegan => global_state::rewrite_began(ctx),
        // The dispatcher of blocked clients asks for the role itself
        // (module_api/blocking/dispatch).
        Event::Demoted => {}
    }
}
