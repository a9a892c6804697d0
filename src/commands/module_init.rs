//! What happens when the server loads the module.

use redis_module::{Context, RedisString, Status};

use crate::domain::{breaker, cache, idemp, jobq, ratelimit};
use crate::module_api::context::{Ctx, Level};
use crate::module_api::replication::write_conditions;
use crate::module_api::{command, config, data_type, events, info, keyspace, own_files, panic_guard, timer};

use crate::commands::info_fields;
use crate::commands::ratelimit::policy_file;
use crate::commands::server_events;
use crate::commands::table;
use crate::commands::table::containers::CONTAINERS;
use crate::runtime::{eviction, global_state, global_tables, replicated_clock, settings, time_zone_files};

/// Registers everything; an error makes the server refuse the module.
pub fn init(context: &Context, args: &[RedisString]) -> Status {
    let ctx = Ctx::of_load(context);
    if let Err(text) = check_server(ctx.server_version()) {
        ctx.log(Level::Warning, &text);
        return Status::Err;
    }
    if !args.is_empty() {
        ctx.log(Level::Warning, "workgate: takes no arguments; use CONFIG SET workgate.<name>");
        return Status::Err;
    }
    if !panic_guard::catch_panic_or(false, || register(ctx)) {
        return Status::Err;
    }
    panic_guard::catch_panic_or((), || {
        eviction::read_settings(ctx);
        keyspace::read_settings();
        own_files::read_settings(ctx);
        write_conditions::read_settings(ctx);
        // There may be no file to load, since it was lost.
        global_state::history_may_be_lost(ctx.now_ms());
    });
    Status::Ok
}

/// The oldest server whose module API has all that the module calls: 7.0.0, as the server writes
/// it.
const OLDEST_SERVER: u32 = 0x07_00_00;

/// An older server lacks functions that registration calls, so nothing may be registered there.
fn check_server(version: Option<u32>) -> Result<(), String> {
    let needed = "workgate: needs Redis 7.0 or newer, or Valkey 8.0 or newer";
    match version {
        Some(version) if version >= OLDEST_SERVER => Ok(()),
        Some(version) => {
            let [_, major, minor, patch] = version.to_be_bytes();
            Err(format!("{needed}; this server is version {major}.{minor}.{patch}"))
        }
        None => Err(format!("{needed}; this server is too old to tell its version")),
    }
}

fn register(ctx: Ctx<'_>) -> bool {
    ctx.set_module_options();
    ctx.init_detached();
    timer::init();
    // Redis 7.0 keeps the subscriptions of a module whose load fails, and crashes at the next
    // event. So the subscription comes last: nothing may fail behind it.
    register_types(ctx)
        && register_commands(ctx)
        && config::register(ctx, settings::ALL, settings::SWITCHES, settings::TEXTS)
        && {
            time_zone_files::begin(ctx);
            policy_file::read(ctx)
        }
        && info::register(ctx, info_fields::SECTIONS)
        && events::subscribe(ctx, server_events::of)
}

/// The tables beside the keys.
const TABLES: &[global_tables::TableRow] = &[
    global_tables::TableRow::of::<ratelimit::LimitPolicies>(),
    global_tables::TableRow::of::<cache::CachePolicies>(),
    global_tables::TableRow::of::<cache::Invalidations>(),
];

fn register_types(ctx: Ctx<'_>) -> bool {
    data_type::register::<ratelimit::Subject>(ctx)
        && data_type::register::<idemp::Record>(ctx)
        && data_type::register::<idemp::SeenIds>(ctx)
        && data_type::register::<jobq::Queue>(ctx)
        && data_type::register::<cache::CacheEntry>(ctx)
        && data_type::register::<breaker::Breaker>(ctx)
        && data_type::register_aux::<replicated_clock::Clock>(ctx)
        && global_tables::register(ctx, TABLES)
}

fn register_commands(ctx: Ctx<'_>) -> bool {
    let category = command::add_category(ctx, c"workgate").then_some("workgate");
    for spec in table::compatible_rows() {
        if !command::register(ctx, category, CONTAINERS, spec) {
            let text = format!("workgate: another module has {}; that one is used", spec.name);
            ctx.log(Level::Notice, &text);
        }
    }
    table::own_rows().all(|spec| {
        let registered = command::register(ctx, category, CONTAINERS, spec);
        if !registered {
            ctx.log(Level::Warning, &format!("workgate: the server refuses the command {}", spec.name));
        }
        registered
    })
}

#[cfg(test)]
mod tests {
    use super::check_server;

    #[test]
    fn a_server_from_7_0_on_may_load_the_module() {
        for version in [0x07_00_00, 0x07_02_04, 0x08_06_03, 0xff_00_00] {
            assert_eq!(check_server(Some(version)), Ok(()));
        }
    }

    #[test]
    fn an_older_server_is_told_what_is_needed_and_what_it_is() {
        let needed = "workgate: needs Redis 7.0 or newer, or Valkey 8.0 or newer";
        assert_eq!(check_server(Some(0x06_02_05)), Err(format!("{needed}; this server is version 6.2.5")));
        assert_eq!(check_server(None), Err(format!("{needed}; this server is too old to tell its version")));
    }
}
