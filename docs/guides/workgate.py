"""Workgate for Python: one file to copy. Needs redis-py 5 or newer.

    import redis, workgate
    r = workgate.connect("redis://127.0.0.1:6379")

    workgate.limit(r, "user:42", "ai=10/1m")                    rate limits
    workgate.once(r, "webhook:evt_1", body, handle)             one event, one effect
    workgate.cached(r, "user:7", load, ttl="10m")               one loader for each miss
    workgate.enqueue(r, "mail", payload, id="welcome-42")       a job
    workgate.consume(r, "mail", send)                           a worker in your own process

Keys and durations ("250ms", "30s", "15m", "24h", "7d") are those of the commands. Replies are bytes.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Callable, Iterator, Optional, Union

import redis

Bytes = Union[bytes, str]


def connect(url: str, longest_block: float = 60.0) -> redis.Redis:
    """A client whose time-out is above every BLOCK, and that sends nothing a second time by itself.

    With the default time-out of redis-py a `BLOCK 30s` ends in a TimeoutError after 5 seconds, and a
    retried POP leaves the job of the first try without a holder until its lease ends.
    """
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(url, socket_timeout=longest_block + 5, retry=Retry(NoBackoff(), 0))


# ---- rate limits -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limit:
    """What CHECK answered for the limit that binds: times in seconds, `retry_after` None for never."""

    allowed: bool
    limit: int
    remaining: int
    retry_after: Optional[float]
    reset_after: float


def limit(r: redis.Redis, subject: Bytes, *limits: Bytes, cost: int = 1) -> Limit:
    """Takes `cost` of every limit, or of none: `limit(r, "user:42", "ai=10/1m", "day=100/1d")`."""
    row = r.execute_command("RATELIMIT.CHECK", subject, *limits, "COST", cost)
    taken, most, remaining, retry, reset = row[:5]
    return Limit(taken > 0, most, remaining, None if retry < 0 else retry / 1000, reset / 1000)


# ---- one event, one effect ---------------------------------------------------------------------------


class Busy(Exception):
    """Another process works on it and was not done in time: answer 503, the sender comes again."""


class Mismatch(Exception):
    """This key came before with another payload: answer 422."""


def once(
    r: redis.Redis,
    key: Bytes,
    payload: Bytes,
    work: Callable[[], Bytes],
    lease: str = "30s",
    ttl: str = "7d",
    wait: str = "10s",
) -> bytes:
    """The result of `work`, which one caller of this key runs; all others get what it returned.

    When `work` raises, the next caller may try again. A caller whose lease was taken over while it
    worked gets redis.ResponseError (FENCED): its successor's result counts.
    """
    try:
        claim = r.execute_command(
            "IDEMP.CLAIM", key, "LEASE", lease, "TTL", ttl, "PAYLOAD", payload, "BLOCK", wait
        )
    except redis.ResponseError as error:
        if str(error).startswith("MISMATCH"):
            raise Mismatch(str(error)) from None
        raise
    state, result, token = claim[:3]
    if state == b"DONE":
        return result
    if state == b"BUSY":
        raise Busy(key)
    try:
        result = work()
    except BaseException:
        _release(r, "IDEMP.RELEASE", key, token)
        raise
    result = result.encode() if isinstance(result, str) else result
    r.execute_command("IDEMP.COMPLETE", key, token, result)
    return result


# ---- cache -------------------------------------------------------------------------------------------


def cached(
    r: redis.Redis,
    key: Bytes,
    load: Callable[[], Optional[Bytes]],
    ttl: str = "10m",
    lease: str = "10s",
    patience: float = 10.0,
) -> Optional[bytes]:
    """The value of the key; on a miss one caller loads it and all others wait for that.

    `load` returns None for what does not exist, which is remembered too. When it raises, a stale
    value is used where there is one.
    """
    deadline = time.monotonic() + patience
    while True:
        row = r.execute_command("CACHE.GETSET", key, "LEASE", lease, "BLOCK", "2s")
        state, value, token, ms = row[:4]
        if state in (b"HIT", b"STALE"):
            return value
        if state == b"ABSENT":
            return None
        if state == b"BUSY":
            if time.monotonic() > deadline:
                raise Busy(key)
            time.sleep(min(ms, 250) / 1000)
            continue
        try:
            loaded = load()
        except BaseException:
            _release(r, "CACHE.RELEASE", key, token)
            if state == b"REFRESH":
                return value
            raise
        if loaded is None:
            r.execute_command("CACHE.ABSENT", key, "TOKEN", token, "TTL", ttl)
            return None
        loaded = loaded.encode() if isinstance(loaded, str) else loaded
        r.execute_command("CACHE.SET", key, loaded, "TOKEN", token, "TTL", ttl)
        return loaded


def _release(r: redis.Redis, command: str, key: Bytes, token: int) -> None:
    """Ends a lease after a failure. The failure itself is what the caller must hear of."""
    try:
        r.execute_command(command, key, token)
    except redis.RedisError:
        pass


# ---- jobs --------------------------------------------------------------------------------------------


def enqueue(r: redis.Redis, queue: Bytes, payload: Bytes, *options: Bytes, id: Optional[Bytes] = None) -> bytes:
    """Pushes a job and returns its id. With `id` a second push adds nothing, so it may be sent again.

    Options are those of JOBQ.PUSH: `enqueue(r, "mail", body, "DELAY", "5m", id="evt_1")`.
    """
    chosen = () if id is None else ("ID", id)
    return r.execute_command("JOBQ.PUSH", queue, payload, *chosen, *options)[0]


class Retry(Exception):
    """Raise it in a handler to try again after a time of your choice: `raise Retry("30s")`."""

    def __init__(self, delay: str, error: str = ""):
        super().__init__(error or f"retry after {delay}")
        self.delay = delay


class Dead(Exception):
    """Raise it in a handler when no further run can help."""


@dataclass(frozen=True)
class Job:
    id: bytes
    token: int
    payload: bytes
    attempt: int
    queue: bytes


def consume(
    r: redis.Redis,
    queue: Bytes,
    handle: Callable[[Job], Optional[Bytes]],
    lease_seconds: float = 30.0,
    stop: Optional[threading.Event] = None,
    until_empty: bool = False,
) -> None:
    """Runs `handle` for one job after the other, renewing the lease while it runs.

    The value that it returns is the job's result. Retry, Dead and every other exception are told to
    the queue, which retries with the job's backoff. Give it a connection of its own: POP blocks it.
    """
    lease = f"{int(lease_seconds * 1000)}ms"
    wait = () if until_empty else ("BLOCK", "5s")
    while stop is None or not stop.is_set():
        rows = r.execute_command("JOBQ.POP", queue, "LEASE", lease, *wait)
        if not rows and until_empty:
            return
        for row in rows:
            job = Job(id=row[0], token=row[1], payload=row[2], attempt=row[3], queue=row[5])
            _run(r, job, handle, lease, lease_seconds)


def _run(
    r: redis.Redis, job: Job, handle: Callable[[Job], Optional[Bytes]], lease: str, lease_seconds: float
) -> None:
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease_seconds / 3):
            try:
                r.execute_command("JOBQ.EXTEND", job.queue, job.id, job.token, "LEASE", lease)
            except redis.ResponseError:
                return  # The job is another's now: what is said of it at the end is FENCED.
            except redis.RedisError:
                continue

    heartbeat = threading.Thread(target=renew, daemon=True)
    heartbeat.start()
    held = (job.queue, job.id, job.token)
    try:
        result = handle(job)
        end = ("JOBQ.ACK", *held, *(() if result is None else ("RESULT", result)))
    except Dead as error:
        end = ("JOBQ.FAIL", *held, "ERROR", str(error), "DEAD")
    except Retry as error:
        end = ("JOBQ.FAIL", *held, "ERROR", str(error), "DELAY", error.delay)
    except Exception as error:
        end = ("JOBQ.FAIL", *held, "ERROR", f"{type(error).__name__}: {error}", "KIND", type(error).__name__)
    finally:
        done.set()
        heartbeat.join()
    try:
        r.execute_command(*end)
    except redis.ResponseError as error:
        # FENCED or NOJOB: the lease was lost, and another worker has the job.
        if not str(error).startswith(("FENCED", "NOJOB")):
            raise
