//! JOBQ.

use super::arg_spec::{KEY, duration, flag, further_key, integer, multiple, one_of, option, optional, text};
use crate::commands::jobq::{
    Ack, AckMany, Cancel, Events, Extend, ExtendMany, Fail, Get, GetResult, List, Log, Pop, Purge, Push,
    PushMany, Queues, Redrive, Release, Stats, Update,
};
use crate::commands::table::internal::effects;
use crate::domain::jobq::Queue;
use crate::module_api::command::{Access, Arg, ArgType, Behind, Keys, Spec};
use crate::runtime::handler::{entry, entry_finding_keys, verbatim_entry, verbatim_entry_finding_keys};

const MATCH: Arg = flag("MATCH", "match");
pub(super) const NAME: Arg = option("NAME", text("name"));
const DUE: Arg = optional(one_of("due", &[duration("DELAY"), option("AT", integer("unix-ms"))]));
pub(super) const PRIORITY: Arg = option("PRIORITY", integer("priority"));
pub(super) const LIFO: Arg = flag("LIFO", "lifo");
pub(super) const GROUP: Arg = option("GROUP", text("group"));
pub(super) const RETRIES: Arg = option("RETRIES", integer("retries"));
pub(super) const BACKOFF: Arg = option("BACKOFF", text("spec"));
const UNIQUE: Arg = option("UNIQUE", text("key"));
const UNTIL: Arg = option("UNTIL", one_of("until", &[flag("START", "start"), flag("DONE", "done")]));
const ONDUP: Arg = option(
    "ONDUP",
    one_of(
        "on-dup",
        &[flag("KEEP", "keep"), flag("REPLACE", "replace"), flag("NEXT", "next"), flag("CANCEL", "cancel")],
    ),
);
const AFTER: Arg = option(
    "AFTER",
    Arg { kind: ArgType::Block, parts: &[integer("count"), multiple(text("id"))], ..text("after") },
);
const ONDEAD: Arg =
    option("ONDEAD", one_of("on-dead", &[flag("WAIT", "wait"), flag("FAIL", "fail"), flag("RUN", "run")]));
const PROGRESS: Arg = option("PROGRESS", text("progress"));
const KIND: Arg = option("KIND", text("kind"));
const ERROR_GLOB: Arg = option("ERROR", text("glob"));
pub(super) const META: Arg = option("META", text("meta"));
const HELD: Arg =
    multiple(Arg { kind: ArgType::Block, parts: &[text("id"), integer("token")], ..text("job") });
const IDS: Arg = option(
    "IDS",
    Arg { kind: ArgType::Block, parts: &[integer("count"), multiple(text("id"))], ..text("ids") },
);
const ALSO: Arg = option(
    "ALSO",
    Arg { kind: ArgType::Block, parts: &[integer("count"), multiple(further_key(1))], ..text("also") },
);
pub(super) const COST: Arg = option("COST", integer("cost"));
const RATE: Arg = option(
    "RATE",
    Arg {
        kind: ArgType::Block,
        parts: &[further_key(2), integer("count"), multiple(text("limit"))],
        ..text("rate")
    },
);
/// Of ACK and FAIL: the POP has named the limits.
const RATE_AND_COST: Arg = option(
    "RATE",
    Arg { kind: ArgType::Block, parts: &[further_key(1), Arg { optional: false, ..COST }], ..text("rate") },
);
const FINDS_RATE: Keys = Keys::AtAndBehind(1, &[Behind::OneOfAmbiguous("RATE")], Access::Update);
const LIMIT: Arg = option("LIMIT", integer("limit"));
const STATE: Arg = one_of(
    "state",
    &[
        flag("READY", "ready"),
        flag("DELAYED", "delayed"),
        flag("ACTIVE", "active"),
        flag("BLOCKED", "blocked"),
        flag("DONE", "done"),
        flag("DEAD", "dead"),
    ],
);
const ENDED: Arg = one_of(
    "state",
    &[
        flag("READY", "ready"),
        flag("DELAYED", "delayed"),
        flag("BLOCKED", "blocked"),
        flag("DONE", "done"),
        flag("DEAD", "dead"),
    ],
);

pub static ROWS: &[Spec] = &[
    Spec {
        name: "JOBQ.PUSH",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Adds a job to a queue, once for each ID",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[
            KEY,
            text("payload"),
            option("ID", text("id")),
            MATCH,
            NAME,
            DUE,
            PRIORITY,
            LIFO,
            GROUP,
            RETRIES,
            BACKOFF,
            duration("LEASE"),
            duration("EXPIRE"),
            duration("KEEP"),
            UNIQUE,
            UNTIL,
            duration("FOR"),
            ONDUP,
            duration("MAXWAIT"),
            AFTER,
            ONDEAD,
            COST,
            META,
        ],
        entry: verbatim_entry::<Push>(),
    },
    Spec {
        name: "JOBQ.MPUSH",
        flags: "write",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Adds several jobs to a queue, all or nothing",
        complexity: "O(P log N) with P the number of payloads and N the number of jobs",
        since: "0.1.0",
        args: &[
            KEY,
            integer("count"),
            multiple(text("payload")),
            IDS,
            MATCH,
            NAME,
            DUE,
            PRIORITY,
            LIFO,
            GROUP,
            RETRIES,
            BACKOFF,
            duration("LEASE"),
            duration("EXPIRE"),
            duration("KEEP"),
            UNIQUE,
            UNTIL,
            duration("FOR"),
            ONDUP,
            duration("MAXWAIT"),
            AFTER,
            ONDEAD,
            COST,
            META,
        ],
        entry: verbatim_entry::<PushMany>(),
    },
    Spec {
        name: "JOBQ.POP",
        flags: "write fast blocking getkeys-api",
        arity: -2,
        keys: Keys::AtAndBehind(1, &[Behind::Counted("ALSO"), Behind::One("RATE")], Access::Update),
        summary: "Takes jobs that are ready, each with a lease and a fencing token",
        complexity: "O(Q + C log N) with Q the number of queues, C the COUNT and N the number of jobs",
        since: "0.1.0",
        args: &[
            KEY,
            ALSO,
            RATE,
            option("COUNT", integer("count")),
            duration("LINGER"),
            flag("GROUPED", "grouped"),
            duration("BLOCK"),
            duration("LEASE"),
            option("WORKER", text("worker")),
        ],
        entry: verbatim_entry_finding_keys::<Pop>(),
    },
    Spec {
        name: "JOBQ.ACK",
        flags: "write fast getkeys-api",
        arity: -4,
        keys: FINDS_RATE,
        summary: "Reports a job as done",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[KEY, text("id"), integer("token"), option("RESULT", text("result")), RATE_AND_COST],
        entry: verbatim_entry_finding_keys::<Ack>(),
    },
    Spec {
        name: "JOBQ.FAIL",
        flags: "write fast getkeys-api",
        arity: -4,
        keys: FINDS_RATE,
        summary: "Reports a job as failed: it is tried again after its backoff, or is dead",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[
            KEY,
            text("id"),
            integer("token"),
            option("ERROR", text("text")),
            KIND,
            duration("DELAY"),
            flag("DEAD", "dead"),
            PROGRESS,
            RATE_AND_COST,
        ],
        entry: entry_finding_keys::<Fail>(),
    },
    Spec {
        name: "JOBQ.RELEASE",
        flags: "write fast",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Gives a job back to its place in the queue without charging an attempt",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[KEY, text("id"), integer("token"), duration("DELAY"), PROGRESS],
        entry: entry::<Release>(),
    },
    Spec {
        name: "JOBQ.EXTEND",
        flags: "write fast",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Renews the lease of a job that is being worked on",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[KEY, text("id"), integer("token"), duration("LEASE"), PROGRESS],
        entry: entry::<Extend>(),
    },
    Spec {
        name: "JOBQ.LOG",
        flags: "write fast",
        arity: 5,
        keys: Keys::At(1, Access::Update),
        summary: "Adds a line to the log of a job that is being worked on",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[KEY, text("id"), integer("token"), text("line")],
        entry: entry::<Log>(),
    },
    Spec {
        name: "JOBQ.UPDATE",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Changes a job that has not been done",
        complexity: "O((A + 1) log N) with A the number of jobs behind AFTER and N the number of jobs",
        since: "0.1.0",
        args: &[
            KEY,
            text("id"),
            PRIORITY,
            optional(one_of(
                "due",
                &[duration("DELAY"), option("AT", integer("unix-ms")), flag("NOW", "now")],
            )),
            optional(one_of("order", &[flag("LIFO", "lifo"), flag("FIFO", "fifo")])),
            RETRIES,
            option("PAYLOAD", text("payload")),
            flag("NOUNIQUE", "no-unique"),
            AFTER,
            ONDEAD,
        ],
        entry: entry::<Update>(),
    },
    Spec {
        name: "JOBQ.RESULT",
        flags: "readonly fast blocking",
        arity: -3,
        keys: Keys::At(1, Access::Read),
        summary: "Shows what became of a job, and can wait for its end",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, text("id"), duration("BLOCK")],
        entry: entry::<GetResult>(),
    },
    Spec {
        name: "JOBQ.EVENTS",
        flags: "readonly blocking",
        arity: -3,
        keys: Keys::At(1, Access::Read),
        summary: "Lists what has happened in a queue since an event, and can wait for the next one",
        complexity: "O(C) with C the COUNT",
        since: "0.1.0",
        args: &[KEY, integer("since"), option("COUNT", integer("count")), duration("BLOCK")],
        entry: entry::<Events>(),
    },
    Spec {
        name: "JOBQ.GET",
        flags: "readonly fast",
        arity: 3,
        keys: Keys::At(1, Access::Read),
        summary: "Shows all that is known of a job",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, text("id")],
        entry: entry::<Get>(),
    },
    Spec {
        name: "JOBQ.LIST",
        flags: "readonly",
        arity: -3,
        keys: Keys::At(1, Access::Read),
        summary: "Shows the jobs of a state, page by page",
        complexity: "O(C + L) with C the COUNT and L the jobs looked at for GROUP, NAME, KIND and ERROR, 10,000 at most",
        since: "0.1.0",
        args: &[
            KEY,
            STATE,
            option("CURSOR", text("cursor")),
            option("COUNT", integer("count")),
            GROUP,
            NAME,
            KIND,
            ERROR_GLOB,
            option("PAYLOAD", integer("bytes")),
            flag("NEWEST", "newest"),
        ],
        entry: entry::<List>(),
    },
    Spec {
        name: "JOBQ.STATS",
        flags: "readonly fast",
        arity: -2,
        keys: Keys::At(1, Access::Read),
        summary: "Counts the jobs of a queue by state, and shows what has become of all: in sum, minute by minute, by name or by kind of failure",
        complexity: "O(log N) with N the number of jobs; with SERIES as well the minutes of a day, with BY at most 101 rows",
        since: "0.1.0",
        args: &[
            KEY,
            option("SERIES", integer("minutes")),
            option("BY", one_of("by", &[flag("KIND", "kind"), flag("NAME", "name")])),
        ],
        entry: entry::<Stats>(),
    },
    Spec {
        name: "JOBQ.MACK",
        flags: "write",
        arity: -5,
        keys: Keys::At(1, Access::Update),
        summary: "Reports several jobs as done, each by itself",
        complexity: "O(J log N) with J the number of jobs given and N the number of jobs",
        since: "0.1.0",
        args: &[KEY, integer("count"), HELD],
        entry: entry::<AckMany>(),
    },
    Spec {
        name: "JOBQ.MEXTEND",
        flags: "write",
        arity: -5,
        keys: Keys::At(1, Access::Update),
        summary: "Renews the leases of several jobs, each by itself",
        complexity: "O(J log N) with J the number of jobs given and N the number of jobs",
        since: "0.1.0",
        args: &[KEY, integer("count"), HELD, duration("LEASE")],
        entry: entry::<ExtendMany>(),
    },
    Spec {
        name: "JOBQ.CANCEL",
        flags: "write",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Removes jobs that wait, and asks the workers of active ones to stop",
        complexity: "O(J log N) with J the number of ids and N the number of jobs",
        since: "0.1.0",
        args: &[KEY, multiple(text("id"))],
        entry: entry::<Cancel>(),
    },
    Spec {
        name: "JOBQ.REDRIVE",
        flags: "write",
        arity: -2,
        keys: Keys::At(1, Access::Update),
        summary: "Makes dead or done jobs ready again",
        complexity: "O(L log N) with L the LIMIT and N the number of jobs; it looks at 10,000 jobs at most",
        since: "0.1.0",
        args: &[KEY, IDS, KIND, ERROR_GLOB, duration("OLDER"), flag("DONE", "done"), LIMIT],
        entry: entry::<Redrive>(),
    },
    Spec {
        name: "JOBQ.PURGE",
        flags: "write",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Removes the oldest jobs of a state",
        complexity: "O(L log N) with L the LIMIT and N the number of jobs",
        since: "0.1.0",
        args: &[KEY, ENDED, KIND, ERROR_GLOB, duration("OLDER"), LIMIT],
        entry: entry::<Purge>(),
    },
    Spec {
        name: "JOBQ.QUEUES",
        flags: "readonly",
        arity: -1,
        keys: Keys::None,
        summary: "Lists the queues of a database",
        complexity: "O(C log N) with C the COUNT and N the number of queues",
        since: "0.1.0",
        args: &[option("CURSOR", text("cursor")), option("COUNT", integer("count"))],
        entry: entry::<Queues>(),
    },
    effects::<Queue>("JOBQ._APPLY", "O(C log N) with C the number of jobs changed and N the number of jobs"),
];
