//! What `INFO workgate` shows. docs/guides/operations.md explains every field, and a test compares
//! the two.

use crate::commands::cache::invalidate;
use crate::commands::jobq::queue_registry;
use crate::module_api::{blocking, info};
use crate::runtime::{counters, eviction};

pub const SECTIONS: &[info::Section] = &[
    info::Section {
        name: "counters",
        fields: || {
            let counters = [
                ("calls", &counters::CALLS),
                ("allowed", &counters::ALLOWED),
                ("denied", &counters::DENIED),
                ("locked", &counters::LOCKED),
                ("pushed", &counters::PUSHED),
                ("done", &counters::DONE),
                ("dead", &counters::DEAD),
                ("hits", &counters::HITS),
                ("fills", &counters::FILLS),
                ("fenced", &counters::FENCED),
            ];
            counters.into_iter().map(|(name, counter)| (name, counter.get())).collect()
        },
    },
    info::Section {
        name: "memory",
        fields: || {
            vec![
                ("eviction_may_drop_claims", eviction::may_drop().into()),
                ("eviction_may_drop_queues", eviction::may_drop_queues().into()),
            ]
        },
    },
    info::Section {
        name: "cache",
        fields: || {
            let (tags, prefixes) = invalidate::remembered_counts();
            vec![("invalidated_tags", tags as u64), ("invalidated_prefixes", prefixes as u64)]
        },
    },
    info::Section {
        name: "jobq",
        fields: || {
            let (queues, scheduled) = queue_registry::counts();
            vec![("queues", queues as u64), ("queues_with_schedules", scheduled as u64)]
        },
    },
    info::Section {
        name: "waiters",
        fields: || {
            let (clients, keys) = blocking::counts();
            vec![("blocked_clients", clients as u64), ("blocked_keys", keys as u64)]
        },
    },
];
