"""Handlers of Workgate jobs in Python. One file, standard library only.

    from workgate_handler import job, run

    @job("mail")
    def send(job):
        deliver(job.json())

    run()

    workgate work --queue mails --stdio "python3 mails.py"

A handler returns the job's result (None, text, bytes, or what JSON can hold) or raises:
Retry, Dead, Release, or any other exception, which is a retry with its traceback.
The protocol is described in docs/worker-stdio.md.
"""

import base64
import json
import os
import queue
import sys
import threading
import traceback

PROTOCOL = 1

_handlers = {}


class Retry(Exception):
    """The job failed and is tried again, after `delay` ("30s") or by its backoff."""

    def __init__(self, error="", kind=None, delay=None, progress=None):
        super().__init__(error)
        self.kind, self.delay, self.progress = kind, delay, progress


class Dead(Exception):
    """The job failed and no further run can help."""

    def __init__(self, error="", kind=None):
        super().__init__(error)
        self.kind = kind


class Release(Exception):
    """The job is given back, after `delay`; the attempt is not charged."""

    def __init__(self, delay=None, progress=None):
        super().__init__("released")
        self.delay, self.progress = delay, progress


class Lost(Exception):
    """The job is not this worker's any more: stop, nothing that is said of it counts."""


class Job:
    """One job. `payload`, `id`, `name`, `meta` and `progress` are bytes where they are no text."""

    __slots__ = ("_fields", "cancelled")

    def __init__(self, fields):
        self._fields = fields
        self.cancelled = None

    def __getattr__(self, name):
        fields = self._fields
        if name in fields:
            return fields[name]
        if name + "_base64" in fields:
            return base64.b64decode(fields[name + "_base64"])
        if name in ("name", "group", "meta", "progress"):
            return None
        raise AttributeError(name)

    def json(self):
        """The payload, read as JSON."""
        return json.loads(self.payload)

    def save(self, progress):
        """Keeps what the next run can go on from, and returns when the server has it."""
        _say(dict(_bytes("progress", progress), type="progress", run=self.run))
        self._wait()

    def extend(self, lease):
        """Renews the lease for so long ("10m"). The worker renews it by itself: most handlers need no call."""
        _say({"type": "extend", "run": self.run, "lease": lease})
        self._wait()

    def log(self, line):
        """Adds a line to the job's log."""
        _say({"type": "log", "run": self.run, "line": str(line)})

    def _wait(self):
        if not _saved(self.run):
            raise Lost(self.id)


def job(name=None):
    """Marks the handler of the jobs of this name; without a name, of all that have no other."""

    def mark(handler):
        _handlers[name] = handler
        return handler

    return mark


def run():
    """Handles jobs until the worker closes the input."""
    threading.Thread(target=_read, daemon=True).start()
    _say({"type": "ready", "protocol": PROTOCOL})
    while True:
        message = _incoming.get()
        if message is None:
            return
        if message["type"] == "job":
            _say(_handle(message))
        elif message["type"] == "jobs":
            # The ends of jobs without a result are one short message.
            done, others = [], []
            for fields in message["jobs"]:
                end = _handle(fields)
                if len(end) == 2 and end["type"] == "done":
                    done.append(end["run"])
                else:
                    others.append(end)
            if done:
                others.append({"type": "done", "runs": done})
            _say({"type": "results", "results": others})


# What the reading thread hands to the handling one.
_incoming = queue.SimpleQueue()
_answers = queue.SimpleQueue()
_current = {}
_saying = threading.Lock()
# Prints of a handler must not stand between the messages.
_out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)


def _read():
    for line in sys.stdin.buffer:
        message = json.loads(line)
        kind = message["type"]
        if kind == "saved":
            _answers.put((message["run"], message["held"]))
        elif kind == "cancel":
            running = _current.get(message["run"])
            if running is not None:
                running.cancelled = message["reason"]
        elif kind in ("job", "jobs"):
            _incoming.put(message)
        elif kind == "hello" and message["protocol"] != PROTOCOL:
            sys.exit("the worker speaks protocol %s, this file speaks %s" % (message["protocol"], PROTOCOL))
    _incoming.put(None)
    _answers.put((None, False))


def _say(message):
    line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    with _saying:
        _out.write(line)
        _out.flush()


def _saved(run):
    while True:
        answered, held = _answers.get()
        if answered in (run, None):
            return held


def _handle(fields):
    run = fields["run"]
    this = _current[run] = Job(fields)
    try:
        handler = _handlers.get(fields.get("name"), _handlers.get(None))
        if handler is None:
            return {"type": "dead", "run": run, "error": "no handler for jobs named %r" % this.name}
        result = handler(this)
        if result is None:
            return {"type": "done", "run": run}
        if not isinstance(result, (str, bytes)):
            result = json.dumps(result)
        return dict(_bytes("result", result), type="done", run=run)
    except Retry as retry:
        return _failure("retry", run, str(retry), retry)
    except Dead as dead:
        return _failure("dead", run, str(dead), dead)
    except Release as release:
        return _failure("release", run, None, release)
    except Exception as error:
        end = {"type": "retry", "run": run, "error": traceback.format_exc(), "kind": type(error).__name__[:64]}
        return end
    finally:
        del _current[run]


def _failure(kind, run, error, exception):
    end = {"type": kind, "run": run}
    if error is not None:
        end["error"] = error
    for name in ("kind", "delay"):
        value = getattr(exception, name, None)
        if value is not None:
            end[name] = value
    if getattr(exception, "progress", None) is not None:
        end.update(_bytes("progress", exception.progress))
    return end


def _bytes(name, value):
    """A member: text as it is, other bytes in base64."""
    if isinstance(value, bytes):
        try:
            return {name: value.decode()}
        except UnicodeDecodeError:
            return {name + "_base64": base64.b64encode(value).decode()}
    return {name: str(value)}
