// docs/guides/workgate.mjs against a server whose address is in REDIS_URL.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, beforeEach, test } from "node:test";
import {
  Busy, Dead, Mismatch, Open, Release, Retry, cached, consume, enqueue, guarded, limit, once,
} from "../../../docs/guides/workgate.mjs";

const { createClient } = createRequire(import.meta.url)("redis");
const r = createClient({ url: process.env.REDIS_URL });
await r.connect();
beforeEach(() => r.flushAll());
after(() => r.quit());

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const fails = () => {
  throw new RangeError("no");
};

test("a limit tells what is left and for how long to wait", async () => {
  const first = await limit(r, "u", ["a=2/1m"]);
  assert.deepEqual([first.allowed, first.limit, first.remaining, first.retryAfter], [true, 2, 1, 0]);
  assert.ok((await limit(r, "u", ["a=2/1m", "b=5/1d"])).allowed);
  const denied = await limit(r, "u", ["a=2/1m", "b=5/1d"]);
  assert.ok(!denied.allowed && denied.retryAfter > 0 && denied.retryAfter <= 60_000);
  assert.equal((await limit(r, "u", ["none=0/1d"])).retryAfter, null);
  assert.ok(!(await limit(r, "v", ["a=2/1m"], { cost: 3 })).allowed);
});

test("the same call held twice takes once", async () => {
  for (let i = 0; i < 2; i += 1) assert.equal((await limit(r, "u", ["a=3/1m"], { hold: "evt_1" })).remaining, 2);
});

test("a breaker opens after failures and is told of successes", async () => {
  await r.sendCommand(["BREAKER.CONFIG", "SET", "b", "min_calls", "2", "open", "1h"]);
  assert.equal(await guarded(r, "b", async () => 7), 7);
  await assert.rejects(guarded(r, "b", fails), RangeError);
  const opened = (error) => error instanceof Open && error.retryAfter > 3_590_000 && error.retryAfter <= 3_600_000;
  await assert.rejects(guarded(r, "b", () => assert.fail("it was called")), opened);
});

test("a later run goes on from what was saved, and a cancelled one is told", async () => {
  await enqueue(r, "q", "rows", { id: "one" });
  const seen = [];
  const handle = async (job) => {
    seen.push([job.progress, await job.save("row 7")]);
    if (seen.length === 1) throw new Retry("1ms");
    await r.sendCommand(["JOBQ.CANCEL", "q", "one"]);
    seen.push(await job.save("row 9"));
    throw new Dead("cancelled");
  };
  while (seen.length < 3) await consume(r, "q", handle, { untilEmpty: true });
  assert.deepEqual(seen, [[null, true], ["row 7", true], false]);
});

test("work is done once and all get its result", async () => {
  let runs = 0;
  const work = async () => {
    runs += 1;
    await sleep(100);
    return "done";
  };
  const results = await Promise.all([1, 2, 3, 4].map(() => once(r, "k", "body", work)));
  assert.deepEqual([results, runs], [["done", "done", "done", "done"], 1]);
  await assert.rejects(once(r, "k", "another body", work), Mismatch);
});

test("failed work may be tried again, held work is busy, a late worker is fenced", async () => {
  await assert.rejects(once(r, "k", "body", fails), RangeError);
  assert.equal(await once(r, "k", "body", async () => "ok"), "ok");
  await r.sendCommand(["IDEMP.CLAIM", "held", "PAYLOAD", "body", "LEASE", "1h"]);
  await assert.rejects(once(r, "held", "body", fails, { wait: "10ms" }), Busy);
  const slow = async () => {
    await sleep(50);
    const [state] = await r.sendCommand(["IDEMP.CLAIM", "late", "PAYLOAD", "body", "LEASE", "1h"]);
    assert.equal(state, "CLAIMED");
    return "late";
  };
  await assert.rejects(once(r, "late", "body", slow, { lease: "10ms" }), /FENCED/);
});

test("a miss is loaded once, absence is remembered, the load's own error is told", async () => {
  let loads = 0;
  const load = async () => {
    loads += 1;
    await sleep(100);
    return "value";
  };
  const values = await Promise.all([1, 2, 3, 4, 5, 6].map(() => cached(r, "c", load)));
  assert.deepEqual([values, loads], [Array(6).fill("value"), 1]);
  assert.equal(await cached(r, "none", async () => null), null);
  assert.equal(await cached(r, "none", fails), null);
  const loses = async () => {
    await r.del("d");
    fails();
  };
  await assert.rejects(cached(r, "d", loses), RangeError);
  assert.equal(await cached(r, "d", async () => "now"), "now");
});

test("jobs are pushed once and end as their handler says", async () => {
  for (let i = 0; i < 2; i += 1) assert.equal(await enqueue(r, "q", "good", { id: "one" }), "one");
  await enqueue(r, "q", "bad", { id: "two", options: ["RETRIES", "0"] });
  await enqueue(r, "q", "never", { id: "three" });
  await enqueue(r, "q", "again", { id: "four" });
  const runs = [];
  const handle = async (job) => {
    runs.push(`${job.id}:${job.attempt}`);
    if (job.payload === "bad") fails();
    if (job.payload === "never") throw new Dead("hopeless");
    if (job.payload === "back" && runs.filter((run) => run === "five:1").length === 1) throw new Release("1ms");
    if (job.payload === "again" && job.attempt === 1) throw new Retry("1ms");
    return `result of ${job.payload}`;
  };
  await enqueue(r, "q", "back", { id: "five" });
  const released = () => runs.filter((run) => run === "five:1").length === 2;
  while (!runs.includes("four:2") || !released()) await consume(r, "q", handle, { untilEmpty: true });
  assert.equal(runs.filter((run) => run === "one:1").length, 1);
  const result = async (id) => (await r.sendCommand(["JOBQ.RESULT", "q", id])).slice(0, 2);
  assert.deepEqual(await result("one"), ["done", "result of good"]);
  assert.deepEqual(await result("two"), ["dead", "no"]);
  assert.deepEqual(await result("three"), ["dead", "hopeless"]);
  assert.deepEqual(await result("four"), ["done", "result of again"]);
});

test("a long job keeps its lease, and a consumer stops when it is told", async () => {
  await enqueue(r, "q", "long", { id: "one" });
  const stop = new AbortController();
  const handle = async () => {
    stop.abort();
    const until = Date.now() + 3_000;
    while (Date.now() < until) {
      assert.deepEqual(await r.sendCommand(["JOBQ.POP", "q"]), []);
      await sleep(20);
    }
  };
  await consume(r, "q", handle, { leaseMs: 2_000, signal: stop.signal });
  assert.equal((await r.sendCommand(["JOBQ.RESULT", "q", "one"]))[0], "done");
});
