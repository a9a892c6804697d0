"""saq_worker.py PORT JOBS: prints how many jobs a second a SAQ worker does."""

import asyncio
import sys
import time

from saq import Queue, Worker


async def main(port, jobs):
    queue = Queue.from_url("redis://127.0.0.1:%d" % port)
    await queue.connect()
    for _ in range(jobs // 500):
        # No result is kept.
        await asyncio.gather(*(queue.enqueue("handle", payload="p" * 100, ttl=-1) for _ in range(500)))
    done = asyncio.get_running_loop().create_future()
    begun = 0.0
    runs = 0

    async def handle(_context, *, payload):
        nonlocal runs, begun
        runs += 1
        # From the tenth part of the jobs on, as ours.
        if runs == jobs // 10:
            begun = time.monotonic()
        if runs == jobs:
            done.set_result(time.monotonic() - begun)

    worker = Worker(queue, functions=[("handle", handle)], concurrency=100)
    running = asyncio.create_task(worker.start())
    took = await done
    print((jobs - jobs // 10) / took)
    await worker.stop()
    running.cancel()
    await queue.disconnect()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
