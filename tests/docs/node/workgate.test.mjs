// docs/guides/workgate.mjs against a server whose address is in REDIS_URL.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, beforeEach, test } from "node:test";
import {
  Busy, Dead, Mismatch, Open, Release, Retry, cached, consume, enqueue, guarded, limit, once, result, usage,
} from "../../../docs/guides/workgate.mjs";

const { createClient } = createRequire(import.meta.url)("redis");
const r = createClient({ url: process.env.REDIS_URL });
r.on("error", () => {});
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

test("usage shows each limit and takes nothing", async () => {
  await limit(r, "u", ["a=2/1m"], { cost: 2 });
  for (let i = 0; i < 2; i += 1) {
    const [{ resetAfter, ...used }, fresh] = await usage(r, "u", ["a=2/1m", "b=5/1d"]);
    assert.deepEqual(used, { name: "a", used: 2, limit: 2, remaining: 0 });
    assert.ok(resetAfter > 0 && resetAfter <= 60_000);
    assert.deepEqual(fresh, { name: "b", used: 0, limit: 5, remaining: 5, resetAfter: 0 });
  }
  assert.deepEqual((await usage(r, "u")).map(({ name }) => name), ["a"]);
  assert.deepEqual(await usage(r, "nobody"), []);
  await r.sendCommand(["RATELIMIT.LOCK", "u", "1h"]);
  assert.deepEqual((await usage(r, "u")).map(({ name }) => name), ["a"]);
  assert.deepEqual((await usage(r, "u", ["a=2/1m"])).map(({ name }) => name), ["a"]);
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

test("a payload of any length is compared", async () => {
  for (const length of [65_536, 65_537, 3_000_000]) {
    for (let i = 0; i < 2; i += 1)
      assert.equal(await once(r, `k${length}`, "x".repeat(length), async () => "ok"), "ok");
    await assert.rejects(once(r, `k${length}`, `${"x".repeat(length - 1)}y`, fails), Mismatch);
  }
  assert.equal(await once(r, "umlauts", "ü".repeat(40_000), async () => "ok"), "ok");
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
  assert.deepEqual(await result(r, "q", "one"), { state: "done", value: "result of good" });
  assert.deepEqual(await result(r, "q", "two"), { state: "dead", value: "no" });
  assert.deepEqual(await result(r, "q", "three"), { state: "dead", value: "hopeless" });
  assert.deepEqual(await result(r, "q", "four"), { state: "done", value: "result of again" });
  assert.equal(await result(r, "q", "six"), null);
});

/** `work` beside a consumer. */
async function consuming(queue, handle, work) {
  const stop = new AbortController();
  const consumer = consume(r, queue, handle, { signal: stop.signal });
  await work();
  stop.abort();
  await consumer;
}

test("a result is waited for", async () => {
  await enqueue(r, "q", "slow", { id: "one" });
  assert.deepEqual(await result(r, "q", "one", { block: "10ms" }), { state: "ready", value: null });
  await consuming("q", () => sleep(100).then(() => "late"), async () => {
    assert.deepEqual(await result(r, "q", "one", { block: "30s" }), { state: "done", value: "late" });
  });
});

test("a job whose end is refused is dead, and the next one runs", async () => {
  const ends = { long: "x".repeat(65_537), delay: new Retry("soon"), object: Object.create(null), good: "ok" };
  const runs = [];
  const handle = async (job) => {
    runs.push(job.id);
    if (ends[job.payload] instanceof Error) throw ends[job.payload];
    return ends[job.payload];
  };
  for (const id of Object.keys(ends)) await enqueue(r, "q", id, { id });
  await consume(r, "q", handle, { untilEmpty: true });
  assert.deepEqual(runs, Object.keys(ends));
  const found = await Promise.all(runs.map((id) => result(r, "q", id)));
  assert.deepEqual(found.map(({ state }) => state), ["dead", "dead", "dead", "done"]);
  assert.match(found[0].value, /^TOOBIG /);
  assert.match(found[1].value, /soon/);
});

const cut = () => r.sendCommand(["CLIENT", "KILL", "TYPE", "normal"]);

test("a consumer goes on when its connection was cut, as it waits and as it works", async (t) => {
  const warned = t.mock.method(console, "warn", () => {});
  const handle = async (job) => {
    if (job.payload === "cut" && job.attempt === 1) await cut();
    return job.payload;
  };
  await consuming("q", handle, async () => {
    for (const [id, text] of [["one", "text"], ["two", "cut"], ["three", "text"]]) {
      // It waits: a client that is blocked has the flag b.
      while (!/flags=\S*b\S* .*cmd=jobq\.pop/i.test(await r.sendCommand(["CLIENT", "LIST"]))) await sleep(10);
      if (id === "three") await cut();
      await enqueue(r, "q", text, { id });
      for (let wait = 0; wait < 500 && (await result(r, "q", id)).state !== "done"; wait += 1) await sleep(20);
      assert.deepEqual(await result(r, "q", id), { state: "done", value: text });
    }
  });
  // What was cut as it worked may have connected again before it was used.
  assert.ok(warned.mock.callCount() >= 1);
});

test("an error that is the consumer's own ends it, and so does its signal while the server is away", async (t) => {
  await r.set("text", "no queue");
  await assert.rejects(consume(r, "text", fails), /WRONGTYPE/);
  const warned = t.mock.method(console, "warn", () => {});
  const stop = new AbortController();
  const cuts = (async () => {
    while (warned.mock.callCount() < 2) {
      await cut();
      await sleep(5);
    }
    stop.abort();
  })();
  await consume(r, "q", fails, { signal: stop.signal });
  await cuts;
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
