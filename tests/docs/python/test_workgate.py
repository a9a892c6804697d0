"""docs/guides/workgate.py against a server whose address is in REDIS_URL."""

import contextlib
import os
import threading
import time
import unittest

import redis
import workgate

URL = os.environ["REDIS_URL"]


class Helper(unittest.TestCase):
    def setUp(self):
        self.r = workgate.connect(URL)
        self.r.flushall()

    def test_a_limit_tells_what_is_left_and_for_how_long_to_wait(self):
        first = workgate.limit(self.r, "u", "a=2/1m")
        self.assertEqual((first.allowed, first.limit, first.remaining, first.retry_after), (True, 2, 1, 0))
        self.assertTrue(workgate.limit(self.r, "u", "a=2/1m", "b=5/1d").allowed)
        denied = workgate.limit(self.r, "u", "a=2/1m", "b=5/1d")
        self.assertFalse(denied.allowed)
        self.assertTrue(0 < denied.retry_after <= 60)
        self.assertIsNone(workgate.limit(self.r, "u", "none=0/1d").retry_after)
        self.assertFalse(workgate.limit(self.r, "v", "a=2/1m", cost=3).allowed)

    def test_usage_shows_each_limit_and_takes_nothing(self):
        workgate.limit(self.r, "u", "a=2/1m", cost=2)
        for _ in range(2):
            used, fresh = workgate.usage(self.r, "u", "a=2/1m", "b=5/1d")
            self.assertEqual((used.name, used.used, used.limit, used.remaining), ("a", 2, 2, 0))
            self.assertTrue(0 < used.reset_after <= 60)
            self.assertEqual(fresh, ("b", 0, 5, 5, 0))
        self.assertEqual([row.name for row in workgate.usage(self.r, "u")], ["a"])
        self.assertEqual(workgate.usage(self.r, "nobody"), [])
        self.r.execute_command("RATELIMIT.LOCK", "u", "1h")
        self.assertEqual([row.name for row in workgate.usage(self.r, "u")], ["a"])
        self.assertEqual([row.name for row in workgate.usage(self.r, "u", "a=2/1m")], ["a"])

    def test_the_same_call_held_twice_takes_once(self):
        for _ in range(2):
            held = workgate.limit(self.r, "u", "a=3/1m", hold="evt_1")
            self.assertEqual((held.allowed, held.remaining), (True, 2))

    def test_a_client_that_decodes_replies_is_served_alike(self):
        text = redis.Redis.from_url(URL, decode_responses=True)
        runs = []
        for _ in range(2):
            self.assertEqual(workgate.once(text, "k", "body", lambda: runs.append(1) or "done"), b"done")
            self.assertEqual(workgate.cached(text, "c", lambda: runs.append(2) or "value"), b"value")
        self.assertEqual(runs, [1, 2])
        workgate.enqueue(text, "q", "payload", id="one")
        workgate.consume(text, "q", lambda job: runs.append(job.payload), until_empty=True)
        self.assertEqual(runs[2:], [b"payload"])

    def test_a_breaker_opens_after_failures_and_is_told_of_successes(self):
        self.r.execute_command("BREAKER.CONFIG", "SET", "b", "min_calls", 2, "open", "1h")
        self.assertEqual(workgate.guarded(self.r, "b", lambda: 7), 7)
        with self.assertRaises(ZeroDivisionError):
            workgate.guarded(self.r, "b", lambda: 1 / 0)
        with self.assertRaises(workgate.Open) as opened:
            workgate.guarded(self.r, "b", lambda: self.fail("it was called"))
        self.assertTrue(3590 < opened.exception.retry_after <= 3600)

    def test_a_later_run_goes_on_from_what_was_saved_and_a_cancelled_one_is_told(self):
        workgate.enqueue(self.r, "q", "rows", id="one")
        seen = []

        def handle(job):
            seen.append((job.progress, job.save("row 7")))
            if len(seen) == 1:
                raise workgate.Retry("1ms")
            self.r.execute_command("JOBQ.CANCEL", "q", "one")
            seen.append(job.save("row 9"))
            raise workgate.Dead("cancelled")

        while len(seen) < 3:
            workgate.consume(self.r, "q", handle, until_empty=True)
        self.assertEqual(seen, [(None, True), (b"row 7", True), False])

    def test_work_is_done_once_and_all_get_its_result(self):
        runs = []

        def work():
            runs.append(1)
            time.sleep(0.1)
            return "done"

        results = in_threads(4, lambda r: workgate.once(r, "k", "body", work))
        self.assertEqual((results, len(runs)), ([b"done"] * 4, 1))
        with self.assertRaises(workgate.Mismatch):
            workgate.once(self.r, "k", "another body", work)

    def test_failed_work_may_be_tried_again_and_held_work_is_busy(self):
        with self.assertRaises(ZeroDivisionError):
            workgate.once(self.r, "k", "body", lambda: 1 / 0)
        self.assertEqual(workgate.once(self.r, "k", "body", lambda: b"ok"), b"ok")
        self.r.execute_command("IDEMP.CLAIM", "held", "PAYLOAD", "body", "LEASE", "1h")
        with self.assertRaises(workgate.Busy):
            workgate.once(self.r, "held", "body", lambda: b"", wait="10ms")

    def test_a_payload_of_any_length_is_compared(self):
        for length in (65_536, 65_537, 3_000_000):
            for _ in range(2):
                self.assertEqual(workgate.once(self.r, f"k{length}", "x" * length, lambda: "ok"), b"ok")
            with self.assertRaises(workgate.Mismatch):
                workgate.once(self.r, f"k{length}", "x" * (length - 1) + "y", lambda: "ok")

    def test_a_late_worker_is_fenced(self):
        def slow():
            self.r.execute_command("IDEMP.CLAIM", "k", "PAYLOAD", "body", "BLOCK", "5s", "LEASE", "1h")
            return b"late"

        with self.assertRaisesRegex(redis.ResponseError, "FENCED"):
            workgate.once(self.r, "k", "body", slow, lease="10ms")

    def test_a_miss_is_loaded_once(self):
        loads = []

        def load():
            loads.append(1)
            time.sleep(0.1)
            return "value"

        self.assertEqual(in_threads(6, lambda r: workgate.cached(r, "c", load)), [b"value"] * 6)
        self.assertEqual(len(loads), 1)

    def test_absence_is_remembered_and_a_failed_load_is_told(self):
        self.assertIsNone(workgate.cached(self.r, "c", lambda: None))
        self.assertIsNone(workgate.cached(self.r, "c", lambda: 1 / 0))
        with self.assertRaises(ZeroDivisionError):
            workgate.cached(self.r, "d", lambda: 1 / 0)
        self.assertEqual(workgate.cached(self.r, "d", lambda: "now"), b"now")

    def test_the_error_of_a_load_is_told_though_the_key_went_meanwhile(self):
        def load():
            self.r.delete("c")
            raise KeyError("of the load")

        with self.assertRaises(KeyError):
            workgate.cached(self.r, "c", load)

    def test_jobs_are_pushed_once_and_end_as_their_handler_says(self):
        for _ in range(2):
            self.assertEqual(workgate.enqueue(self.r, "q", "good", id="one"), b"one")
        workgate.enqueue(self.r, "q", "bad", "RETRIES", "0", id="two")
        workgate.enqueue(self.r, "q", "never", id="three")
        workgate.enqueue(self.r, "q", "again", id="four")
        runs = []

        def handle(job):
            runs.append((job.id, job.attempt))
            if job.payload == b"bad":
                raise ValueError("no")
            if job.payload == b"never":
                raise workgate.Dead("hopeless")
            if job.payload == b"back" and runs.count((b"five", 1)) == 1:
                raise workgate.Release("1ms")
            if job.payload == b"again" and job.attempt == 1:
                raise workgate.Retry("1ms")
            return b"result of " + job.payload

        workgate.enqueue(self.r, "q", "back", id="five")
        while (b"four", 2) not in runs or runs.count((b"five", 1)) < 2:
            workgate.consume(self.r, "q", handle, until_empty=True)
        self.assertEqual(runs.count((b"one", 1)), 1)
        self.assertEqual(workgate.result(self.r, "q", "one"), ("done", b"result of good"))
        self.assertEqual(workgate.result(self.r, "q", "two"), ("dead", b"ValueError: no"))
        self.assertEqual(workgate.result(self.r, "q", "three"), ("dead", b"hopeless"))
        self.assertEqual(workgate.result(self.r, "q", "four"), ("done", b"result of again"))
        self.assertIsNone(workgate.result(self.r, "q", "six"))

    def test_a_result_is_waited_for(self):
        workgate.enqueue(self.r, "q", "slow", id="one")
        self.assertEqual(workgate.result(self.r, "q", "one", "10ms"), ("ready", None))
        with consuming("q", lambda job: time.sleep(0.1) or "late"):
            self.assertEqual(workgate.result(self.r, "q", "one", block="30s"), ("done", b"late"))

    def test_a_job_whose_end_is_refused_is_dead_and_the_next_one_runs(self):
        ends = {b"long": "x" * 65_537, b"table": {"a": 1}, b"delay": workgate.Retry("soon"), b"good": "ok"}
        runs = []

        def handle(job):
            runs.append(job.id)
            if isinstance(ends[job.payload], Exception):
                raise ends[job.payload]
            return ends[job.payload]

        for payload in ends:
            workgate.enqueue(self.r, "q", payload, id=payload)
        workgate.consume(self.r, "q", handle, until_empty=True)
        self.assertEqual(runs, list(ends))
        found = {id: workgate.result(self.r, "q", id) for id in ends}
        self.assertEqual([state for state, _ in found.values()], ["dead", "dead", "dead", "done"])
        self.assertRegex(found[b"long"].value, b"^TOOBIG ")
        self.assertRegex(found[b"table"].value, b"dict")
        self.assertRegex(found[b"delay"].value, b"soon")

    def test_a_consumer_goes_on_when_its_connection_was_cut(self):
        with self.assertLogs("workgate"), consuming("q", lambda job: job.payload):
            for id in ("one", "two"):
                while "jobq.pop" not in str(self.r.client_list()):
                    time.sleep(0.01)
                self.r.execute_command("CLIENT", "KILL", "TYPE", "normal")
                workgate.enqueue(self.r, "q", "text", id=id)
                self.assertEqual(workgate.result(self.r, "q", id, "30s"), ("done", b"text"))

    def test_the_end_of_a_job_is_sent_until_it_is_answered(self):
        for error in redis.ConnectionError("cut"), redis.TimeoutError("slow"), redis.ResponseError("UNBLOCKED moved"):
            workgate.enqueue(self.r, "q", "text", id=str(error))
            failing = Failing(self.r, "JOBQ.ACK", error)
            with self.assertLogs("workgate"):
                workgate.consume(failing, "q", lambda job: "once", until_empty=True)
            self.assertEqual(failing.sent.count("JOBQ.ACK"), 2)
            self.assertEqual(workgate.result(self.r, "q", str(error)), ("done", b"once"))

    def test_a_wrong_password_ends_a_consumer_and_so_does_stop_while_the_server_is_away(self):
        with self.assertRaises(redis.AuthenticationError):
            workgate.consume(workgate.connect(URL.replace("://", "://nobody:wrong@")), "q", None)
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        with self.assertLogs("workgate"):
            workgate.consume(workgate.connect("redis://127.0.0.1:1"), "q", None, stop=stop)

    def test_a_long_job_keeps_its_lease(self):
        workgate.enqueue(self.r, "q", "long", id="one")
        others = workgate.connect(URL)

        def handle(job):
            until = time.monotonic() + 3
            while time.monotonic() < until:
                self.assertEqual(others.execute_command("JOBQ.POP", "q"), [])
                time.sleep(0.01)

        workgate.consume(self.r, "q", handle, lease_seconds=2, until_empty=True)
        self.assertEqual(self.r.execute_command("JOBQ.RESULT", "q", "one")[0], b"done")

    def test_a_consumer_stops_when_it_is_told(self):
        stop = threading.Event()
        workgate.enqueue(self.r, "q", "only")
        workgate.consume(self.r, "q", lambda job: stop.set(), stop=stop)


class Failing:
    """A client whose first `command` ends in `error`."""

    def __init__(self, r, command, error):
        self.r, self.command, self.error, self.sent = r, command, error, []

    def execute_command(self, *words):
        self.sent.append(words[0])
        if words[0] == self.command and self.sent.count(words[0]) == 1:
            raise self.error
        return self.r.execute_command(*words)


@contextlib.contextmanager
def consuming(queue, handle):
    """A consumer in a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=workgate.consume, args=(workgate.connect(URL), queue, handle), kwargs={"stop": stop})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def in_threads(count, call):
    results = [None] * count

    def run(i):
        results[i] = call(workgate.connect(URL))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


if __name__ == "__main__":
    unittest.main()
