//! What belongs to no family.

use super::arg_spec::{KEY, multiple, optional, text};
use crate::commands::admin::digest::Digest;
use crate::module_api::command::{Access, Keys, Spec};
use crate::runtime::apply_command::ApplyWorld;
use crate::runtime::handler::{entry, internal_entry};

pub static ROWS: &[Spec] = &[
    Spec {
        name: "WORKGATE.DIGEST",
        flags: "readonly admin",
        arity: -1,
        keys: Keys::At(1, Access::Read),
        summary: "Digests one key, or all that the module holds, for comparing servers",
        complexity: "O(N) with N the size of the key, or of the whole data set",
        since: "0.1.0",
        args: &[optional(KEY)],
        entry: entry::<Digest>(),
    },
    Spec {
        name: "WORKGATE._APPLY",
        flags: "write internal",
        arity: -3,
        keys: Keys::None,
        summary: "Internal: carries changes of what belongs to no key to replicas and through the AOF",
        complexity: "O(N) with N the size of the change",
        since: "0.1.0",
        args: &[text("table"), multiple(text("effect"))],
        entry: internal_entry::<ApplyWorld>(),
    },
    #[cfg(feature = "test-commands")]
    Spec {
        name: "WORKGATE.TEST",
        flags: "readonly blocking",
        arity: -2,
        keys: Keys::None,
        summary: "Only in test builds: PANIC and HALFWAY panic inside the command, CLOCK moves the module's clock, ATTEMPTS counts attempts to serve blocked clients, IMPORT takes clients for the exporter of a slot",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[text("what"), multiple(optional(text("of")))],
        entry: entry::<crate::commands::admin::test_hooks::Test>(),
    },
];
