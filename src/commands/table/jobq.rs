//! JOBQ.

use super::effects;
use super::grammar::{KEY, duration, flag, integer, multiple, one_of, option, optional, text};
use crate::commands::jobq::{
    Ack, AckMany, Cancel, Extend, ExtendMany, Fail, Get, Pop, Purge, Push, PushMany, Redrive, Release, Stats,
};
use crate::domain::jobq::Queue;
use crate::server::command::{Access, Arg, ArgType, Keys, Spec, entry};

const MATCH: Arg = flag("MATCH", "match");
const NAME: Arg = option("NAME", text("name"));
const DUE: Arg = optional(one_of("due", &[duration("DELAY"), option("AT", integer("unix-ms"))]));
const PRIORITY: Arg = option("PRIORITY", integer("priority"));
const LIFO: Arg = flag("LIFO", "lifo");
const RETRIES: Arg = option("RETRIES", integer("retries"));
const BACKOFF: Arg = option("BACKOFF", text("spec"));
const META: Arg = option("META", text("meta"));
const HELD: Arg =
    multiple(Arg { kind: ArgType::Block, parts: &[text("id"), integer("token")], ..text("job") });
const IDS: Arg = option(
    "IDS",
    Arg { kind: ArgType::Block, parts: &[integer("count"), multiple(text("id"))], ..text("ids") },
);
const LIMIT: Arg = option("LIMIT", integer("limit"));
const ENDED: Arg = one_of(
    "state",
    &[flag("READY", "ready"), flag("DELAYED", "delayed"), flag("DONE", "done"), flag("DEAD", "dead")],
);

pub static ROWS: &[Spec] = &[
    Spec {
        name: "JOBQ.PUSH",
        flags: "write deny-oom fast",
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
            RETRIES,
            BACKOFF,
            duration("LEASE"),
            META,
        ],
        entry: entry::<Push>(),
    },
    Spec {
        name: "JOBQ.MPUSH",
        flags: "write deny-oom",
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
            RETRIES,
            BACKOFF,
            duration("LEASE"),
            META,
        ],
        entry: entry::<PushMany>(),
    },
    Spec {
        name: "JOBQ.POP",
        flags: "write fast blocking",
        arity: -2,
        keys: Keys::At(1, Access::Update),
        summary: "Takes jobs that are ready, each with a lease and a fencing token",
        complexity: "O(C log N) with C the COUNT and N the number of jobs",
        since: "0.1.0",
        args: &[KEY, option("COUNT", integer("count")), duration("BLOCK"), duration("LEASE")],
        entry: entry::<Pop>(),
    },
    Spec {
        name: "JOBQ.ACK",
        flags: "write fast",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Reports a job as done",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[KEY, text("id"), integer("token"), option("RESULT", text("result"))],
        entry: entry::<Ack>(),
    },
    Spec {
        name: "JOBQ.FAIL",
        flags: "write fast",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Reports a job as failed: it is tried again after its backoff, or is dead",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[
            KEY,
            text("id"),
            integer("token"),
            option("ERROR", text("text")),
            duration("DELAY"),
            flag("DEAD", "dead"),
        ],
        entry: entry::<Fail>(),
    },
    Spec {
        name: "JOBQ.RELEASE",
        flags: "write fast",
        arity: -4,
        keys: Keys::At(1, Access::Update),
        summary: "Gives a job back to its place in the queue without charging an attempt",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[KEY, text("id"), integer("token"), duration("DELAY")],
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
        args: &[KEY, text("id"), integer("token"), duration("LEASE")],
        entry: entry::<Extend>(),
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
        name: "JOBQ.STATS",
        flags: "readonly fast",
        arity: 2,
        keys: Keys::At(1, Access::Read),
        summary: "Counts the jobs of a queue by state, and what has become of all so far",
        complexity: "O(log N) with N the number of jobs",
        since: "0.1.0",
        args: &[KEY],
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
        summary: "Makes dead jobs ready again",
        complexity: "O(L log N) with L the LIMIT and N the number of jobs; by ERROR it looks at 10,000 jobs at most",
        since: "0.1.0",
        args: &[KEY, IDS, option("ERROR", text("prefix")), LIMIT],
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
        args: &[KEY, ENDED, duration("OLDER"), LIMIT],
        entry: entry::<Purge>(),
    },
    effects::<Queue>("JOBQ._APPLY", "O(C log N) with C the number of jobs changed and N the number of jobs"),
];
