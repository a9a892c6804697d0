"""Moves the jobs of a BullMQ queue into a JOBQ queue. Needs redis-py 5 or newer, and nothing else.

    python3 drain_bullmq.py --from redis://old:6379 --to redis://new:6379 mails

The queue must be paused (`await queue.pause()`), so that no worker takes a job while it moves. A job is pushed first and
removed from BullMQ after that, so a run that is cut off loses nothing. The ids are kept: a second run finds what the
first one has pushed (`known`) and goes on. Producers may go on adding; run it again when they have moved over.

    moved      wait, paused, prioritized, delayed; with --failed and --active those as well
    kept       id, name, data, due time, priority, order, retries that are left, backoff, deduplication
    left       completed jobs, flows (parents and children), runs of job schedulers (each is told, with its JOBQ.CRON SET),
               active jobs of a worker that is alive, and what the server refuses: each with the reason, and exit status 1
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from dataclasses import dataclass, field

import redis

BATCH = 500
LONGEST_WAIT_MS = 3650 * 86_400_000
STATES = ["wait", "paused", "prioritized", "delayed"]


@dataclass
class Job:
    """A job of BullMQ: its state, its id, the fields of its hash."""

    state: str
    id: bytes
    fields: dict = field(default_factory=dict)
    due_ms: int = 0
    new_id: bytes = b""

    def __post_init__(self):
        self.options = json.loads(self.fields.get(b"opts") or b"{}")

    def number(self, *names: bytes) -> int:
        return next((int(float(self.fields[name])) for name in names if self.fields.get(name)), 0)


class Source:
    """A queue of BullMQ, by the names of its keys."""

    def __init__(self, client: redis.Redis, prefix: str, name: str):
        self.client = client
        self.base = f"{prefix}:{name}:".encode()

    def key(self, *parts) -> bytes:
        return self.base + b":".join(part if isinstance(part, bytes) else part.encode() for part in parts)

    def is_paused(self) -> bool:
        return self.client.hexists(self.key("meta"), "paused")

    def ids(self, state: str) -> list[tuple[bytes, float]]:
        """Ids with their scores, the next to run first."""
        kind = self.client.type(self.key(state))
        if kind == b"list":
            # BullMQ takes from the end. Older versions have a marker in the list.
            ids = reversed(self.client.lrange(self.key(state), 0, -1))
            return [(id, 0) for id in ids if not id.startswith(b"0:")]
        return self.client.zrange(self.key(state), 0, -1, withscores=True) if kind == b"zset" else []

    def jobs(self, state: str):
        """Batches of jobs of a state."""
        ids = self.ids(state)
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            pipe = self.client.pipeline(transaction=False)
            for id, _ in part:
                pipe.hgetall(self.key(id))
            hashes = pipe.execute()
            yield [
                # The score of a delayed job is its time and 12 bits of order.
                Job(state, id, fields, int(score) // 0x1000 if state == "delayed" else 0)
                for (id, score), fields in zip(part, hashes)
                if fields
            ]

    def deduplications(self, jobs: list[Job]) -> list[tuple[bytes, int] | None]:
        """For each job the key that it holds, and for how many milliseconds yet (-1: until it is done)."""
        pipe = self.client.pipeline(transaction=False)
        for job in jobs:
            key = self.key("de", job.fields.get(b"deid", b""))
            pipe.get(key).pttl(key)
        answers = pipe.execute()
        held = zip(jobs, answers[::2], answers[1::2])
        return [(job.fields[b"deid"], ttl) if holder == job.id and b"deid" in job.fields else None for job, holder, ttl in held]

    def has_lock(self, job: Job) -> bool:
        return bool(self.client.exists(self.key(job.id, "lock")))

    def remove(self, jobs: list[Job]) -> None:
        pipe = self.client.pipeline(transaction=True)
        for job in jobs:
            if job.state in ("wait", "paused", "active"):
                # From the end, where BullMQ takes jobs and where the ids were read.
                pipe.lrem(self.key(job.state), -1, job.id)
            else:
                pipe.zrem(self.key(job.state), job.id)
            if job.state == "active":
                pipe.srem(self.key("stalled"), job.id)
            names = ("logs", "dependencies", "processed", "failed", "unsuccessful")
            pipe.delete(self.key(job.id), *(self.key(job.id, name) for name in names))
        pipe.execute()
        for job, held in zip(jobs, self.deduplications(jobs)):
            if held:
                self.client.delete(self.key("de", held[0]))

    def schedules(self) -> list[str]:
        """The JOBQ.CRON SET that stands for each job scheduler, without its key."""
        lines = []
        for name in self.client.zrange(self.key("repeat"), 0, -1):
            fields = self.client.hgetall(self.key("repeat", name))
            get = lambda field: fields.get(field, b"").decode()
            every = get(b"every")
            cron = f"@every {every}ms" if every else get(b"pattern")
            options = ["TZ", get(b"tz")] if get(b"tz") else []
            options += ["NAME", get(b"name")] if get(b"name") else []
            lines.append(shlex.join([name.decode(), cron, get(b"data") or "{}", *options]))
        return lines


def duration(ms: float) -> str:
    return f"{max(1, min(int(ms), LONGEST_WAIT_MS))}ms"


def backoff(job: Job, made: int) -> list[str]:
    """The BACKOFF that goes on where the job has got to."""
    wanted = job.options.get("backoff")
    wanted = {"type": "fixed", "delay": wanted} if isinstance(wanted, (int, float)) else wanted
    if not wanted:
        return ["BACKOFF", "fixed:1ms"]
    wait = wanted.get("delay") or 1
    if wanted.get("type") == "fixed":
        return ["BACKOFF", f"fixed:{duration(wait)}"]
    if wanted.get("type") == "exponential":
        return ["BACKOFF", f"exp:{duration(wait * 2 ** min(made, 40))}"]
    # A function of the worker's own: the queue's backoff stands for it.
    return []


def reason_to_leave(source: Source, job: Job) -> str | None:
    if b"parentKey" in job.fields:
        return "a child of a flow, whose parent waits in BullMQ"
    if b"rjk" in job.fields or job.id.startswith(b"repeat:"):
        return "a run of a job scheduler: set the schedule by JOBQ.CRON SET"
    if job.state == "active" and source.has_lock(job):
        return "its worker is alive"
    if not 1 <= len(job.new_id) <= 128:
        return f"its id has {len(job.new_id)} bytes, JOBQ takes 1 to 128"
    if job.new_id.startswith(b"#"):
        return "its id begins with #, which JOBQ keeps for its own"
    return None


def push(key: str, job: Job, held: tuple[bytes, int] | None) -> list:
    """The command that pushes the job."""
    made = job.number(b"atm", b"attemptsMade")
    again = job.state == "failed"
    attempts = max(1, int(job.options.get("attempts") or 1))
    words = ["JOBQ.PUSH", key, job.fields.get(b"data", b""), "ID", job.new_id, "MATCH"]
    words += ["RETRIES", min(65_535, max(0, attempts - 1 - (0 if again else made)))]
    words += backoff(job, 0 if again else made)
    if job.fields.get(b"name"):
        words += ["NAME", job.fields[b"name"][:128]]
    if job.due_ms:
        words += ["AT", job.due_ms]
    priority = job.number(b"priority") or int(job.options.get("priority") or 0)
    if priority:
        words += ["PRIORITY", priority]
    if held and 1 <= len(held[0]) <= 128:
        words += ["UNIQUE", held[0]] + (["FOR", duration(held[1])] if held[1] > 0 else [])
    return words


def drain(source: Source, target: redis.Redis, key: str, args, say) -> Counter:
    counts: Counter = Counter()
    states = STATES + (["failed"] if args.failed else []) + (["active"] if args.active else [])
    for state in states:
        for jobs in source.jobs(state):
            movable = []
            for job in jobs:
                job.new_id = args.id_prefix.encode() + job.id
                if reason := reason_to_leave(source, job):
                    counts["left"] += 1
                    say(f"left {state} {job.id.decode(errors='replace')}: {reason}")
                else:
                    movable.append(job)
            if args.dry_run:
                counts["would move"] += len(movable)
                continue
            pipe = target.pipeline(transaction=False)
            for job, held in zip(movable, source.deduplications(movable)):
                pipe.execute_command(*push(key, job, held))
            pushed = []
            for job, answer in zip(movable, pipe.execute(raise_on_error=False)):
                is_same = not isinstance(answer, Exception) and answer[0] == job.new_id
                if is_same:
                    counts["moved" if answer[1] == b"NEW" else "known"] += 1
                    pushed.append(job)
                else:
                    counts["refused"] += 1
                    text = answer if isinstance(answer, Exception) else f"{answer[0].decode()} holds its deduplication key"
                    say(f"refused {state} {job.id.decode(errors='replace')}: {text}")
            if not args.copy:
                source.remove(pushed)
    for line in source.schedules():
        say(f"schedule: JOBQ.CRON SET {shlex.quote(key)} {line}")
    for state in "active", "failed", "waiting-children", "completed":
        if state not in states and (there := len(source.ids(state))):
            say(f"not looked at: {there} {state}")
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description="Moves the jobs of a BullMQ queue into a JOBQ queue.")
    parser.add_argument("queue", help="the name of the BullMQ queue")
    parser.add_argument("--from", dest="source", required=True, metavar="URL", help="the server of BullMQ")
    parser.add_argument("--to", dest="target", required=True, metavar="URL", help="a server with the module")
    parser.add_argument("--key", help="the key of the JOBQ queue; the name of the BullMQ queue where it is not given")
    parser.add_argument("--prefix", default="bull", help="the prefix of BullMQ's keys (bull)")
    parser.add_argument("--id-prefix", default="", help="before each id, where several queues become one key")
    parser.add_argument("--failed", action="store_true", help="failed jobs too: they run again, with all of their retries")
    parser.add_argument("--active", action="store_true", help="active jobs too, whose workers are gone (no lock)")
    parser.add_argument("--copy", action="store_true", help="leaves the jobs in BullMQ")
    parser.add_argument("--dry-run", action="store_true", help="changes nothing")
    args = parser.parse_args()

    source = Source(redis.Redis.from_url(args.source), args.prefix, args.queue)
    target = redis.Redis.from_url(args.target)
    key = args.key or args.queue
    if not source.client.exists(source.key("meta")):
        parser.error(f"there is no BullMQ queue {args.queue!r} with the prefix {args.prefix!r}")
    if not source.is_paused() and not args.dry_run:
        parser.error(f"{args.queue} is not paused: workers would run jobs that have moved. `await queue.pause()` first")
    if target.type(key) not in (b"none", b"workgateQ"):
        parser.error(f"{key!r} is no JOBQ queue at {args.target}: --key names another")
    counts = drain(source, target, key, args, print)
    print(", ".join(f"{number} {what}" for what, number in counts.items()) or "nothing to move")
    return 1 if counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
