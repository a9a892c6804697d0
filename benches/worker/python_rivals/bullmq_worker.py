"""bullmq_worker.py PORT JOBS: prints how many jobs a second a BullMQ worker in Python does."""

import asyncio
import sys
import time

from bullmq import Queue, Worker


async def main(port, jobs):
    address = {"connection": "redis://127.0.0.1:%d" % port}
    queue = Queue("bench", address)
    for _ in range(jobs // 500):
        await queue.addBulk([{"name": "bench", "data": "p" * 100, "opts": {"removeOnComplete": True}}] * 500)
    done = asyncio.get_running_loop().create_future()
    begun = 0.0
    runs = 0

    async def handle(_job, _token):
        nonlocal runs, begun
        runs += 1
        # From the tenth part of the jobs on, as ours.
        if runs == jobs // 10:
            begun = time.monotonic()
        if runs == jobs:
            done.set_result(time.monotonic() - begun)

    worker = Worker("bench", handle, {**address, "concurrency": 100})
    took = await done
    print((jobs - jobs // 10) / took)
    await worker.close(True)
    await queue.close()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
