"""Workgate for Python: one file to copy. Needs redis-py 5 or newer.

    import redis, workgate
    r = workgate.connect("redis://127.0.0.1:6379")

    workgate.limit(r, "user:42", "ai=10/1m")                    rate limits
    workgate.usage(r, "user:42")                                what is used of them
    workgate.once(r, "webhook:evt_1", body, handle)             one event, one effect
    workgate.cached(r, "user:7", load, ttl="10m")               one loader for each miss
    workgate.enqueue(r, "mail", payload, id="welcome-42")       a job
    workgate.consume(r, "mail", send)                           a worker in your own process
    workgate.result(r, "mail", "welcome-42", "30s")             what came of a job
    workgate.guarded(r, "openai", ask)                          a circuit breaker

Keys and durations ("250ms", "30s", "15m", "24h", "7d") are those of the commands. Replies are bytes.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional, TypeVar, Union

import redis

Bytes = Union[bytes, str]
T = TypeVar("T")
log = logging.getLogger("workgate")


def call(r: redis.Redis, *words: Union[Bytes, int]) -> Any:
    """Sends any command of Workgate: `call(r, "RATELIMIT.PEEK", "user:42")`."""
    send: Callable[..., Any] = r.execute_command
    return send(*words)


def _word(reply: Bytes) -> str:
    """A state, whether or not the client decodes replies."""
    return reply if isinstance(reply, str) else reply.decode()


def _bytes(value: Bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


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


def limit(
    r: redis.Redis,
    subject: Bytes,
    *limits: Bytes,
    cost: int = 1,
    hold: Optional[Bytes] = None,
    hold_for: str = "10m",
) -> Limit:
    """Takes `cost` of every limit, or of none: `limit(r, "user:42", "ai=10/1m", "day=100/1d")`.

    With `hold`, an id of the call, the same call again within `hold_for` takes nothing more.
    """
    held = () if hold is None else ("HOLD", hold, hold_for)
    row = call(r, "RATELIMIT.CHECK", subject, *limits, "COST", cost, *held)
    taken, most, remaining, retry, reset = row[:5]
    return Limit(taken > 0, most, remaining, None if retry < 0 else retry / 1000, reset / 1000)


class Usage(NamedTuple):
    """One limit of a subject: times in seconds."""

    name: str
    used: int
    limit: int
    remaining: int
    reset_after: float


def usage(r: redis.Redis, subject: Bytes, *limits: Bytes) -> list[Usage]:
    """What is used of these limits, or without limits of all that were taken from. Takes nothing."""
    reply = call(r, "RATELIMIT.PEEK", subject, *limits, "COST", 0, "DETAIL")
    rows = reply[6] if limits else reply
    return [Usage(_word(row[0]), row[6], row[2], row[3], row[5] / 1000) for row in rows if _word(row[8]) != "lock"]


# ---- one event, one effect ---------------------------------------------------------------------------


class Busy(Exception):
    """Another process works on it and was not done in time: answer 409 with Retry-After, the sender comes again."""


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
    worked gets redis.ResponseError (FENCED): its successor's result counts. A payload above 64 KiB stays here: the
    server gets its SHA-256, which is compared in its place.
    """
    about: tuple[Bytes, ...] = ("PAYLOAD", payload)
    if len(_bytes(payload)) > 65_536:
        about = ("FINGERPRINT", hashlib.sha256(_bytes(payload)).hexdigest())
    try:
        claim = call(r, "IDEMP.CLAIM", key, "LEASE", lease, "TTL", ttl, *about, "BLOCK", wait)
    except redis.ResponseError as error:
        if str(error).startswith("MISMATCH"):
            raise Mismatch(str(error)) from None
        raise
    state, stored, token = _word(claim[0]), claim[1], claim[2]
    if state == "DONE":
        return _bytes(stored)
    if state == "BUSY":
        raise Busy(key)
    try:
        result = _bytes(work())
    except BaseException:
        _release(r, "IDEMP.RELEASE", key, token)
        raise
    call(r, "IDEMP.COMPLETE", key, token, result)
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
        row = call(r, "CACHE.GETSET", key, "LEASE", lease, "BLOCK", "2s")
        state, value, token, ms = _word(row[0]), row[1], row[2], row[3]
        if state in ("HIT", "STALE"):
            return _bytes(value)
        if state == "ABSENT":
            return None
        if state == "BUSY":
            if time.monotonic() > deadline:
                raise Busy(key)
            time.sleep(min(ms, 250) / 1000)
            continue
        try:
            loaded = load()
        except BaseException:
            _release(r, "CACHE.RELEASE", key, token)
            if state == "REFRESH":
                return _bytes(value)
            raise
        if loaded is None:
            call(r, "CACHE.ABSENT", key, "TOKEN", token, "TTL", ttl)
            return None
        call(r, "CACHE.SET", key, loaded, "TOKEN", token, "TTL", ttl)
        return _bytes(loaded)


def _release(r: redis.Redis, command: str, key: Bytes, token: int) -> None:
    """Ends a lease after a failure. The failure itself is what the caller must hear of."""
    try:
        call(r, command, key, token)
    except redis.RedisError:
        pass


# ---- jobs --------------------------------------------------------------------------------------------


def enqueue(
    r: redis.Redis, queue: Bytes, payload: Bytes, *options: Union[Bytes, int], id: Optional[Bytes] = None
) -> bytes:
    """Pushes a job and returns its id. With `id` a second push adds nothing, so it may be sent again.

    Options are those of JOBQ.PUSH: `enqueue(r, "mail", body, "DELAY", "5m", id="evt_1")`.
    """
    chosen = () if id is None else ("ID", id)
    return _bytes(call(r, "JOBQ.PUSH", queue, payload, *chosen, *options)[0])


class Retry(Exception):
    """Raise it in a handler to try again after a time of your choice: `raise Retry("30s")`."""

    def __init__(self, delay: str, error: str = ""):
        super().__init__(error or f"retry after {delay}")
        self.delay = delay


class Release(Exception):
    """Raise it in a handler to give the job back, to be run after `delay`: this run is not charged."""

    def __init__(self, delay: str = "0s"):
        super().__init__(f"released for {delay}")
        self.delay = delay


class Dead(Exception):
    """Raise it in a handler when no further run can help."""


@dataclass(frozen=True)
class Job:
    """What a handler gets. `progress` is what an earlier run left, None at first."""

    id: bytes
    token: int
    payload: bytes
    attempt: int
    queue: bytes
    progress: Optional[bytes] = None
    client: Optional[redis.Redis] = None
    lease: str = "30s"

    def save(self, progress: Bytes) -> bool:
        """Keeps what a later run goes on from, and says whether this run should go on: False is "cancelled"."""
        assert self.client is not None
        words = (self.queue, self.id, self.token, "LEASE", self.lease, "PROGRESS", progress)
        return bool(call(self.client, "JOBQ.EXTEND", *words) == 1)


def consume(
    r: redis.Redis,
    queue: Bytes,
    handle: Callable[[Job], Union[Bytes, None]],
    lease_seconds: float = 30.0,
    stop: Optional[threading.Event] = None,
    until_empty: bool = False,
) -> None:
    """Runs `handle` for one job after the other, renewing the lease while it runs.

    The value that it returns is the job's result. Retry, Release, Dead and every other exception are told to
    the queue, which retries with the job's backoff. While the server is away it tries again, every 5 s at
    last, and logs that. Threads may share `r`: each call that waits has a connection of the pool.
    """
    lease = f"{int(lease_seconds * 1000)}ms"
    wait = () if until_empty else ("BLOCK", "5s")
    stop = stop or threading.Event()
    while not stop.is_set():
        rows = _persist(r, stop, "JOBQ.POP", queue, "LEASE", lease, *wait)
        if not rows and until_empty:
            return
        for row in rows or ():
            id, token, payload, attempt, _, name = row[:6]
            progress = None if row[9] is None else _bytes(row[9])
            job = Job(_bytes(id), token, _bytes(payload), attempt, _bytes(name), progress, r, lease)
            _settle(r, stop, job, _run(r, job, handle, lease, lease_seconds))


def _run(
    r: redis.Redis, job: Job, handle: Callable[[Job], Optional[Bytes]], lease: str, lease_seconds: float
) -> tuple[Union[Bytes, int], ...]:
    """The command that tells the queue what came of the job."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease_seconds / 3):
            try:
                call(r, "JOBQ.EXTEND", job.queue, job.id, job.token, "LEASE", lease)
            except redis.ResponseError:
                return  # The job is another's now: what is said of it at the end is FENCED.
            except redis.RedisError:
                continue

    heartbeat = threading.Thread(target=renew, daemon=True)
    heartbeat.start()
    held = (job.queue, job.id, job.token)
    try:
        result = handle(job)
        return ("JOBQ.ACK", *held, *(() if result is None else ("RESULT", result)))
    except Dead as error:
        return ("JOBQ.FAIL", *held, "ERROR", str(error), "DEAD")
    except Release as error:
        return ("JOBQ.RELEASE", *held, "DELAY", error.delay)
    except Retry as error:
        return ("JOBQ.FAIL", *held, "ERROR", str(error), "DELAY", error.delay)
    except Exception as error:
        return ("JOBQ.FAIL", *held, "ERROR", f"{type(error).__name__}: {error}", "KIND", type(error).__name__)
    finally:
        done.set()
        heartbeat.join()


def _settle(r: redis.Redis, stop: threading.Event, job: Job, end: tuple[Union[Bytes, int], ...]) -> None:
    try:
        _persist(r, stop, *end)
    except redis.RedisError as error:
        # FENCED or NOJOB: the lease was lost, and another worker has the job.
        if _is(error, "FENCED", "NOJOB"):
            return
        # A result that is TOOBIG or no text, a delay that is none: another run would end alike.
        _persist(r, stop, "JOBQ.FAIL", job.queue, job.id, job.token, "ERROR", str(error), "DEAD")


def _persist(r: redis.Redis, stop: threading.Event, *words: Union[Bytes, int]) -> Any:
    """The answer to a command that may be sent again; None when told to stop while the server is away."""
    pause = 0.5
    while True:
        try:
            return call(r, *words)
        except redis.RedisError as error:
            if not _away(error):
                raise
            log.warning("%s; again in %s s", error, pause)
        if stop.wait(pause):
            return None
        pause = min(2 * pause, 5.0)


def _away(error: redis.RedisError) -> bool:
    """The server is not to be reached, starts, or is no primary for now. A wrong password stays wrong."""
    if isinstance(error, (redis.AuthenticationError, redis.exceptions.AuthorizationError)):
        return False
    away = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ReadOnlyError)
    return isinstance(error, away) or _is(error, "UNBLOCKED")


def _is(error: redis.RedisError, *codes: str) -> bool:
    return str(error).startswith(codes)


class Result(NamedTuple):
    """A job's state, and what a `done` one returned or of what a `dead` one died."""

    state: str
    value: Optional[bytes]


def result(r: redis.Redis, queue: Bytes, id: Bytes, block: Optional[str] = None) -> Optional[Result]:
    """What came of a job, for which it waits up to `block`. None where the queue has no such job (any more)."""
    try:
        state, value = call(r, "JOBQ.RESULT", queue, id, *(() if block is None else ("BLOCK", block)))
    except redis.ResponseError as error:
        if _is(error, "NOJOB"):
            return None
        raise
    return Result(_word(state), None if value is None else _bytes(value))


# ---- circuit breakers --------------------------------------------------------------------------------


class Open(Exception):
    """The breaker is open: the call was not made. `retry_after` is in seconds, None for no end."""

    def __init__(self, key: Bytes, retry_after: Optional[float]):
        super().__init__(f"{_word(key)} is not called for now")
        self.retry_after = retry_after


def guarded(r: redis.Redis, key: Bytes, work: Callable[[], T]) -> T:
    """What `work` returns. Once too many calls of this key have failed, Open is raised instead of calling it."""
    allowed, _, permit, retry = call(r, "BREAKER.ALLOW", key)
    if not allowed:
        raise Open(key, None if retry < 0 else retry / 1000)
    outcome = "FAIL"
    try:
        result = work()
        outcome = "OK"
        return result
    finally:
        _report(r, key, outcome, permit)


def _report(r: redis.Redis, key: Bytes, outcome: str, permit: int) -> None:
    try:
        call(r, "BREAKER.REPORT", key, outcome, 1, "PERMIT", permit)
    except redis.RedisError:
        pass  # What the call itself came to counts.
