//! IDEMP.

use super::arg_spec::{KEY, duration, integer, multiple, one_of, option, optional, text};
use crate::commands::idemp::{IdempClaim, IdempComplete, IdempExtend, IdempGet, IdempRelease, IdempSeen};
use crate::commands::table::internal::effects;
use crate::domain::idemp;
use crate::domain::idemp::Record;
use crate::module_api::command::{Access, Keys, Spec};
use crate::runtime::handler::{entry, verbatim_entry};

pub static ROWS: &[Spec] = &[
    Spec {
        name: "IDEMP.CLAIM",
        flags: "write fast blocking",
        arity: -2,
        keys: Keys::At(1, Access::Update),
        summary: "Claims the right to do something once, or tells that it is done or being done",
        complexity: "O(1), and O(N*log(N)) in the length of a PAYLOAD or JSON",
        since: "0.1.0",
        args: &[
            KEY,
            duration("LEASE"),
            duration("TTL"),
            option("OWNER", text("owner")),
            optional(one_of(
                "content",
                &[
                    option("FINGERPRINT", text("fingerprint")),
                    option("PAYLOAD", text("payload")),
                    option("JSON", text("json")),
                ],
            )),
            duration("BLOCK"),
        ],
        entry: verbatim_entry::<IdempClaim>(),
    },
    Spec {
        name: "IDEMP.COMPLETE",
        flags: "write fast",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Keeps the result of what was claimed, for every later claim to get",
        complexity: "O(W) with W the number of clients that wait",
        since: "0.1.0",
        args: &[KEY, integer("token"), text("result"), option("META", text("meta")), duration("TTL")],
        entry: entry::<IdempComplete>(),
    },
    Spec {
        name: "IDEMP.RELEASE",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Gives a claim back undone, so that a later one may do it",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, integer("token"), duration("DELAY")],
        entry: entry::<IdempRelease>(),
    },
    Spec {
        name: "IDEMP.EXTEND",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Renews a claim's lease and may leave a checkpoint for the next attempt",
        complexity: "O(N) in the length of the checkpoint",
        since: "0.1.0",
        args: &[KEY, integer("token"), duration("LEASE"), option("CHECKPOINT", text("checkpoint"))],
        entry: entry::<IdempExtend>(),
    },
    Spec {
        name: "IDEMP.GET",
        flags: "readonly fast",
        arity: 2,
        keys: Keys::At(1, Access::Read),
        summary: "Shows a record without claiming it",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY],
        entry: entry::<IdempGet>(),
    },
    Spec {
        name: "IDEMP.SEEN",
        flags: "write fast",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Tells which ids were met before within a window, and marks the new ones",
        complexity: "O(N) with N the number of ids",
        since: "0.1.0",
        args: &[KEY, text("window"), multiple(text("id"))],
        entry: entry::<IdempSeen>(),
    },
    effects::<idemp::SeenIds>("IDEMP.SEEN._APPLY", "O(N) with N the number of ids"),
    effects::<Record>("IDEMP._APPLY", "O(1)"),
];
