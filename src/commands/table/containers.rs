//! The commands that only hold subcommands.

use crate::module_api::command::Container;

pub static CONTAINERS: &[Container] = &[
    Container {
        name: "RATELIMIT.POLICY",
        summary: "A container for commands on named policies of limits",
        reaches_every_shard: true,
    },
    Container {
        name: "JOBQ.CONFIG",
        summary: "A container for commands on the settings of a queue",
        reaches_every_shard: false,
    },
    Container {
        name: "JOBQ.CRON",
        summary: "A container for commands on the schedules of a queue",
        reaches_every_shard: false,
    },
    Container {
        name: "JOBQ.GROUP",
        summary: "A container for commands on single groups of a queue",
        reaches_every_shard: false,
    },
    Container {
        name: "CACHE.INVALIDATE",
        summary: "A container for commands that invalidate many values at once",
        reaches_every_shard: true,
    },
    Container {
        name: "CACHE.POLICY",
        summary: "A container for commands on the policies of key prefixes",
        reaches_every_shard: true,
    },
    Container {
        name: "BREAKER.CONFIG",
        summary: "A container for commands on the settings of a breaker",
        reaches_every_shard: false,
    },
];
