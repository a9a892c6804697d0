"""examples/python/drain_bullmq.py against queues that BullMQ has written: REDIS_URL is a server with the module."""

import asyncio
import os
import subprocess
import sys
import time
import unittest

import redis
from bullmq import FlowProducer, Queue, Worker

URL = os.environ["REDIS_URL"]
SCRIPT = os.path.join(os.path.dirname(__file__), "../../../examples/python/drain_bullmq.py")


def drain(*args, status=0):
    run = subprocess.run([sys.executable, SCRIPT, "--from", URL, "--to", URL, *args], capture_output=True, text=True)
    assert run.returncode == status, (run.returncode, run.stdout, run.stderr)
    return run.stdout.splitlines() + run.stderr.splitlines()


class Drain(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.r = redis.Redis.from_url(URL)
        self.r.flushall()

    def get(self, id, queue="new"):
        flat = self.r.execute_command("JOBQ.GET", queue, id)
        if isinstance(flat, dict):
            return flat
        return flat and dict(zip(flat[::2], flat[1::2]))

    def pop_all(self, queue="new"):
        return [row[0].decode() for row in self.r.execute_command("JOBQ.POP", queue, "COUNT", 1000)]

    async def filled(self):
        """A paused queue `old` with a job of each kind."""
        queue = Queue("old", {"connection": URL})
        await queue.add("mail", {"to": "ada"}, {"jobId": "first"})
        await queue.add("mail", {"to": "bob"}, {"attempts": 5, "backoff": {"type": "exponential", "delay": 1000}})
        await queue.add("mail", {"to": "cy"}, {"jobId": "low", "priority": 9})
        await queue.add("mail", {"to": "di"}, {"jobId": "high", "priority": 2})
        await queue.add("mail", {"to": "eve"}, {"jobId": "later", "delay": 3_600_000})
        await queue.add("mail", {"to": "flo"}, {"jobId": "single", "deduplication": {"id": "flo"}})
        await queue.add("mail", {"to": "gus"}, {"jobId": "hour", "deduplication": {"id": "gus", "ttl": 3_600_000}})
        await queue.add("mail", {"to": "hal"}, {"jobId": "head", "lifo": True})
        await queue.pause()
        return queue

    async def test_jobs_move_with_all_that_they_have_and_a_second_run_finds_nothing(self):
        queue = await self.filled()
        before = time.time() * 1000
        self.assertEqual(drain("old", "--key", "new")[-1], "8 moved")
        left = {key.decode().split(":")[2] for key in self.r.keys("bull:old:*")}
        self.assertLessEqual(left, {"meta", "events", "id", "pc", "marker", "stalled-check"})
        self.assertEqual(await queue.getJobCounts("wait", "paused", "prioritized", "delayed"),
                         {"wait": 0, "paused": 0, "prioritized": 0, "delayed": 0})
        later = self.get("later")
        self.assertEqual(later[b"state"], b"delayed")
        self.assertAlmostEqual(later[b"due_ms"], before + 3_600_000, delta=60_000)
        job = self.get("2")
        self.assertEqual((job[b"name"], job[b"payload"]), (b"mail", b'{"to":"bob"}'))
        self.assertEqual((job[b"retries"], job[b"backoff"]), (4, b"exp:1s"))
        self.assertEqual(self.get("first")[b"retries"], 0)
        self.assertEqual((self.get("single")[b"unique"], self.get("hour")[b"unique"]), (b"flo", b"gus"))
        self.assertEqual(self.r.execute_command("JOBQ.PUSH", "new", "x", "UNIQUE", "gus"), [b"hour", b"DUP"])
        self.assertEqual(drain("old", "--key", "new"), ["nothing to move"])
        self.assertEqual(self.pop_all(), ["head", "first", "2", "single", "hour", "high", "low"])
        await queue.close()

    async def test_a_run_that_was_cut_off_is_run_again(self):
        queue = await self.filled()
        # All is pushed, nothing removed, and a worker has done one of them meanwhile.
        self.assertEqual(drain("old", "--key", "new", "--copy")[-1], "8 moved")
        id, token = self.r.execute_command("JOBQ.POP", "new")[0][:2]
        self.r.execute_command("JOBQ.ACK", "new", id, token)
        self.assertEqual(drain("old", "--key", "new")[-1], "8 known")
        self.assertEqual(len(self.pop_all()), 6)
        await queue.close()

    async def test_the_attempts_that_were_made_count(self):
        queue = Queue("old", {"connection": URL})
        options = {"jobId": "again", "attempts": 4, "backoff": {"type": "exponential", "delay": 600_000}}
        await queue.add("mail", {}, options)
        await queue.add("mail", {}, {"jobId": "dead"})
        failed = asyncio.Event()
        runs = []

        async def fail(job, _token):
            runs.append(job.id)
            raise ValueError("no")

        worker = Worker("old", fail, {"connection": URL})
        for _ in range(200):
            counts = await queue.getJobCounts("delayed", "failed")
            if counts == {"delayed": 1, "failed": 1}:
                failed.set()
                break
            await asyncio.sleep(0.05)
        self.assertTrue(failed.is_set(), counts)
        await worker.close(True)
        await queue.pause()
        self.assertEqual(drain("old", "--key", "new"), ["not looked at: 1 failed", "1 moved"])
        again = self.get("again")
        self.assertEqual((again[b"retries"], again[b"backoff"], again[b"state"]), (2, b"exp:20m", b"delayed"))
        self.assertEqual(drain("old", "--key", "new", "--failed"), ["1 moved"])
        self.assertEqual(self.get("dead")[b"state"], b"ready")
        await queue.close()

    async def test_what_cannot_move_is_told_and_stays(self):
        queue = Queue("old", {"connection": URL})
        await queue.upsertJobScheduler("nightly", {"pattern": "0 2 * * *", "tz": "Europe/Berlin"}, "report", {"a": 1})
        flow = FlowProducer({"connection": URL})
        await flow.add({"name": "parent", "queueName": "old", "children": [{"name": "child", "queueName": "old"}]})
        await queue.add("mail", {"n": 1}, {"jobId": "taken"})
        await queue.pause()
        self.r.execute_command("JOBQ.PUSH", "new", "something else", "ID", "taken")
        said = drain("old", "--key", "new", status=1)
        self.assertEqual(sum("a child of a flow" in line for line in said), 1, said)
        self.assertEqual(sum("a run of a job scheduler" in line for line in said), 1, said)
        self.assertEqual(sum("refused paused taken: MISMATCH" in line or "refused wait taken: MISMATCH" in line for line in said), 1, said)
        schedule = next(line for line in said if line.startswith("schedule: "))
        self.assertIn("JOBQ.CRON SET new nightly '0 2 * * *' '{\"a\":1}' TZ Europe/Berlin NAME report", schedule)
        self.assertIn("not looked at: 1 waiting-children", said)
        self.assertEqual(said[-1], "2 left, 1 refused")
        self.assertTrue(self.r.exists("bull:old:taken"))
        await flow.close()
        await queue.close()

    async def test_a_queue_that_is_not_paused_or_not_there_is_refused(self):
        queue = Queue("old", {"connection": URL})
        await queue.add("mail", {})
        self.assertIn("old is not paused", drain("old", status=2)[-1])
        self.assertIn("there is no BullMQ queue 'nobody'", drain("nobody", status=2)[-1])
        self.assertEqual(drain("old", "--dry-run"), ["1 would move"])
        await queue.pause()
        self.r.set("taken", "a string")
        self.assertIn("'taken' is no JOBQ queue", drain("old", "--key", "taken", status=2)[-1])
        self.assertEqual(self.r.hget("bull:old:1", "name"), b"mail")
        await queue.close()

    async def test_a_job_of_a_dead_worker_moves_with_active_and_one_of_a_live_one_stays(self):
        queue = Queue("old", {"connection": URL})
        await queue.add("mail", {}, {"jobId": "held"})
        begun = asyncio.Event()

        async def hang(_job, _token):
            begun.set()
            await asyncio.sleep(600)

        worker = Worker("old", hang, {"connection": URL})
        await asyncio.wait_for(begun.wait(), 10)
        await queue.pause()
        self.assertIn("left active held: its worker is alive", drain("old", "--key", "new", "--active"))
        await worker.close(True)
        self.r.delete("bull:old:held:lock")
        self.assertEqual(drain("old", "--key", "new", "--active")[-1], "1 moved")
        await queue.close()


if __name__ == "__main__":
    unittest.main()
