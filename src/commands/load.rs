//! What happens when the server loads the module.

use redis_module::{Context, RedisString, Status};

use crate::domain::{breaker, cache, idemp, jobq, ratelimit};
use crate::server::ctx::{Ctx, Level};
use crate::server::{command, config, events, guard, info, native, waiters};

use super::cache::invalidate;
use super::jobq::register;
use super::{aftermath, eviction, policy_file, settings, table, tables, world};

/// Registers everything; an error makes the server refuse the module.
pub fn init(context: &Context, args: &[RedisString]) -> Status {
    let ctx = Ctx::of_load(context);
    if !args.is_empty() {
        ctx.log(Level::Warning, "workgate: takes no arguments; use CONFIG SET workgate.<name>");
        return Status::Err;
    }
    if !guard::quietly(false, || register(ctx)) {
        return Status::Err;
    }
    guard::quietly((), || eviction::look(ctx));
    Status::Ok
}

fn register(ctx: Ctx<'_>) -> bool {
    ctx.promise();
    ctx.make_home();
    register_types(ctx)
        && register_commands(ctx)
        && config::register(ctx, settings::ALL, settings::SWITCHES, settings::TEXTS)
        && info::register(ctx, INFO)
        && events::subscribe(ctx, aftermath::of)
        && policy_file::read(ctx)
}

fn register_types(ctx: Ctx<'_>) -> bool {
    native::register::<ratelimit::Subject>(ctx)
        && native::register::<idemp::Record>(ctx)
        && native::register::<idemp::Seen>(ctx)
        && native::register::<jobq::Queue>(ctx)
        && native::register::<cache::Entry>(ctx)
        && native::register::<breaker::Breaker>(ctx)
        && native::register_aux::<world::Clock>(ctx)
        && tables::register(ctx)
}

fn register_commands(ctx: Ctx<'_>) -> bool {
    let category = command::add_category(ctx, c"workgate").then_some("workgate");
    for spec in table::guests() {
        if !command::register(ctx, category, spec) {
            let text = format!("workgate: another module has {}; that one is used", spec.name);
            ctx.log(Level::Notice, &text);
        }
    }
    table::own_rows().all(|spec| {
        let registered = command::register(ctx, category, spec);
        if !registered {
            ctx.log(Level::Warning, &format!("workgate: the server refuses the command {}", spec.name));
        }
        registered
    })
}

const INFO: &[info::Section] = &[
    info::Section {
        name: "memory",
        fields: || vec![("eviction_may_drop_claims", eviction::may_drop().into())],
    },
    info::Section {
        name: "cache",
        fields: || {
            let (tags, prefixes) = invalidate::remembered();
            vec![("invalidated_tags", tags as u64), ("invalidated_prefixes", prefixes as u64)]
        },
    },
    info::Section {
        name: "jobq",
        fields: || {
            let (queues, scheduled) = register::counts();
            vec![("queues", queues as u64), ("queues_with_schedules", scheduled as u64)]
        },
    },
    info::Section {
        name: "waiters",
        fields: || {
            let (clients, keys) = waiters::counts();
            vec![("blocked_clients", clients as u64), ("blocked_keys", keys as u64)]
        },
    },
];
