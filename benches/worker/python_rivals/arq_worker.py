"""arq_worker.py PORT JOBS: prints how many jobs a second an arq worker does."""

import asyncio
import sys
import time

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker


async def main(port, jobs):
    pool = await create_pool(RedisSettings(port=port))
    for _ in range(jobs // 500):
        await asyncio.gather(*(pool.enqueue_job("handle", "p" * 100) for _ in range(500)))
    begun = 0.0
    ended = 0.0
    runs = 0

    async def handle(_context, _payload):
        nonlocal runs, begun, ended
        runs += 1
        # From the tenth part of the jobs on, as ours.
        if runs == jobs // 10:
            begun = time.monotonic()
        if runs == jobs:
            ended = time.monotonic()

    # It asks for jobs every half second by default, which would be what is measured.
    worker = Worker(
        [func(handle, name="handle", keep_result=0)],
        redis_pool=pool,
        max_jobs=100,
        poll_delay=0.001,
        burst=True,
        handle_signals=False,
    )
    await worker.main()
    print((jobs - jobs // 10) / (ended - begun))
    await worker.close()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
