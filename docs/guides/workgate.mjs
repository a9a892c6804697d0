// Workgate for Node: one file to copy. Needs node-redis 4.5 or newer.
//
//   import { createClient } from "redis";
//   import { limit, usage, once, cached, enqueue, consume, result, guarded } from "./workgate.mjs";
//   const r = createClient({ url: "redis://127.0.0.1:6379" });
//   r.on("error", console.error); // without it a lost connection ends the process
//   await r.connect();
//
//   await limit(r, "user:42", ["minute=10/1m"]);                 rate limits
//   await usage(r, "user:42");                                   what is used of them
//   await once(r, "webhook:evt_1", body, handle);                one event, one effect
//   await cached(r, "user:7", load, { ttl: "10m" });             one loader for each miss
//   await enqueue(r, "mail", payload, { id: "welcome-42" });     a job
//   await consume(r, "mail", send);                              a worker in your own process
//   await result(r, "mail", "welcome-42", { block: "30s" });     what came of a job
//   await guarded(r, "openai", ask);                             a circuit breaker
//
// Keys and durations ("250ms", "30s", "15m", "24h", "7d") are those of the commands. Replies are strings.
//
// A command with BLOCK holds its connection, and whatever the client sends next waits behind it. So what waits here
// opens a connection of its own, and only when there is something to wait for.

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** Sends any command of Workgate: `call(r, "RATELIMIT.PEEK", "user:42")`. */
export const call = (r, ...words) => r.sendCommand(words.map(String));

async function onOwnConnection(r, work) {
  const own = r.duplicate({ disableOfflineQueue: true });
  own.on("error", () => {}); // The call that fails tells.
  await own.connect();
  try {
    return await work(own);
  } finally {
    own.disconnect().catch(() => {}); // Not awaited: it would wait for a server that is away.
  }
}

// ---- rate limits ------------------------------------------------------------------------------------------------

/**
 * Takes `cost` of every limit, or of none. Times are in ms; `retryAfter` is null where waiting does not help. With
 * `hold`, an id of the call, the same call again within `holdFor` takes nothing more.
 */
export async function limit(r, subject, limits, { cost = 1, hold = null, holdFor = "10m" } = {}) {
  const held = hold === null ? [] : ["HOLD", hold, holdFor];
  const row = await call(r, "RATELIMIT.CHECK", subject, ...limits, "COST", cost, ...held);
  const [taken, most, remaining, retry, reset] = row;
  return { allowed: taken > 0, limit: most, remaining, retryAfter: retry < 0 ? null : retry, resetAfter: reset };
}

/** What is used of these limits, or without limits of all that were taken from. Takes nothing. Times are in ms. */
export async function usage(r, subject, limits = []) {
  const reply = await call(r, "RATELIMIT.PEEK", subject, ...limits, "COST", 0, "DETAIL");
  const rows = (limits.length ? reply[6] : reply).filter((row) => row[8] !== "lock");
  return rows.map(([name, , limit, remaining, , resetAfter, used]) => ({ name, used, limit, remaining, resetAfter }));
}

// ---- one event, one effect --------------------------------------------------------------------------------------

/** Another process works on it and was not done in time: answer 409 with Retry-After, the sender comes again. */
export class Busy extends Error {}

/** This key came before with another payload: answer 422. */
export class Mismatch extends Error {}

/**
 * What `work` resolves to, which one caller of this key runs; all others get the same. When it rejects, the next
 * caller may try again. A caller whose lease was taken over meanwhile is rejected with FENCED. A payload above 64 KiB
 * stays here: the server gets its SHA-256, which is compared in its place.
 */
export async function once(r, key, payload, work, { lease = "30s", ttl = "7d", wait = "10s" } = {}) {
  const long = Buffer.byteLength(payload) > 65_536;
  const about = long ? ["FINGERPRINT", createHash("sha256").update(payload).digest("hex")] : ["PAYLOAD", payload];
  const words = ["IDEMP.CLAIM", key, "LEASE", lease, "TTL", ttl, ...about];
  let claim;
  try {
    claim = await call(r, ...words);
    if (claim[0] === "BUSY") claim = await onOwnConnection(r, (own) => call(own, ...words, "BLOCK", wait));
  } catch (error) {
    throw error.message.startsWith("MISMATCH") ? new Mismatch(error.message) : error;
  }
  const [state, done, token] = claim;
  if (state === "DONE") return done;
  if (state === "BUSY") throw new Busy(key);
  let result;
  try {
    result = await work();
  } catch (error) {
    await release(r, "IDEMP.RELEASE", key, token);
    throw error;
  }
  await call(r, "IDEMP.COMPLETE", key, token, result);
  return result;
}

// ---- cache ------------------------------------------------------------------------------------------------------

/**
 * The value of the key; on a miss one caller loads it and all others wait for that. `load` resolves to null for what
 * does not exist, which is remembered too. When it rejects, a stale value is used where there is one.
 */
export async function cached(r, key, load, { ttl = "10m", lease = "10s", wait = "10s" } = {}) {
  const words = ["CACHE.GETSET", key, "LEASE", lease];
  let row = await call(r, ...words);
  if (row[0] === "BUSY") row = await onOwnConnection(r, (own) => call(own, ...words, "BLOCK", wait));
  const [state, value, token] = row;
  if (state === "HIT" || state === "STALE") return value;
  if (state === "ABSENT") return null;
  if (state === "BUSY") throw new Busy(key);
  let loaded;
  try {
    loaded = await load();
  } catch (error) {
    await release(r, "CACHE.RELEASE", key, token);
    if (state === "REFRESH") return value;
    throw error;
  }
  if (loaded === null) await call(r, "CACHE.ABSENT", key, "TOKEN", token, "TTL", ttl);
  else await call(r, "CACHE.SET", key, loaded, "TOKEN", token, "TTL", ttl);
  return loaded;
}

/** Ends a lease after a failure. The failure itself is what the caller must hear of. */
const release = (r, command, key, token) => call(r, command, key, token).catch(() => {});

// ---- jobs -------------------------------------------------------------------------------------------------------

/**
 * Pushes a job and resolves to its id. With `id` a second push adds nothing, so it may be sent again. `options` are
 * words of JOBQ.PUSH: `enqueue(r, "mail", body, { id: "evt_1", options: ["DELAY", "5m"] })`.
 */
export async function enqueue(r, queue, payload, { id = null, options = [] } = {}) {
  const [pushed] = await call(r, "JOBQ.PUSH", queue, payload, ...(id === null ? [] : ["ID", id]), ...options);
  return pushed;
}

/** Throw it in a handler to try again after a time of your choice: `throw new Retry("30s")`. */
export class Retry extends Error {
  constructor(delay, message = `retry after ${delay}`) {
    super(message);
    this.delay = delay;
  }
}

/** Throw it in a handler to give the job back, to be run after `delay`: this run is not charged. */
export class Release extends Error {
  constructor(delay = "0s") {
    super(`released for ${delay}`);
    this.delay = delay;
  }
}

/** Throw it in a handler when no further run can help. */
export class Dead extends Error {}

/**
 * Runs `handle` for one job after the other, on a connection of its own, renewing the lease while it runs. What it
 * resolves to is the job's result; `job.progress` is what an earlier run left by `job.save`. Retry, Release, Dead and
 * every other error are told to the queue, which retries with the job's backoff. While the server is away it tries
 * again, every 5 s at last, and warns of that. `signal` (an AbortSignal) ends it after the running job.
 */
export async function consume(r, queue, handle, { leaseMs = 30_000, signal = null, untilEmpty = false } = {}) {
  const lease = `${leaseMs}ms`;
  const wait = untilEmpty ? [] : ["BLOCK", "1s"];
  await onOwnConnection(r, async (own) => {
    while (!signal?.aborted) {
      const rows = await persist(own, signal, "JOBQ.POP", queue, "LEASE", lease, ...wait);
      if (rows?.length === 0 && untilEmpty) return;
      for (const [id, token, payload, attempt, , , , , , progress] of rows ?? []) {
        const job = { id, token, payload, attempt, queue, progress };
        // Keeps what a later run goes on from, and says whether this run should go on: false is "cancelled".
        const held = [queue, id, token, "LEASE", lease];
        job.save = async (done) => (await call(own, "JOBQ.EXTEND", ...held, "PROGRESS", done)) === 1;
        await settle(own, signal, job, await run(own, job, handle, lease, leaseMs));
      }
    }
  });
}

/** The command that tells the queue what came of the job. */
async function run(r, job, handle, lease, leaseMs) {
  const held = [job.queue, job.id, job.token];
  const renew = () => call(r, "JOBQ.EXTEND", ...held, "LEASE", lease).catch(() => {});
  const heartbeat = setInterval(renew, leaseMs / 3);
  try {
    const value = await handle(job);
    return ["JOBQ.ACK", ...held, ...(value === undefined ? [] : ["RESULT", value])];
  } catch (error) {
    if (error instanceof Release) return ["JOBQ.RELEASE", ...held, "DELAY", error.delay];
    const fail = ["JOBQ.FAIL", ...held, "ERROR", error?.message ?? error];
    if (error instanceof Dead) return [...fail, "DEAD"];
    if (error instanceof Retry) return [...fail, "DELAY", error.delay];
    return error?.name ? [...fail, "KIND", error.name] : fail;
  } finally {
    clearInterval(heartbeat);
  }
}

async function settle(r, signal, { queue, id, token }, end) {
  try {
    await persist(r, signal, ...end);
  } catch (error) {
    // FENCED or NOJOB: the lease was lost, and another worker has the job.
    if (/^(FENCED|NOJOB) /.test(error.message)) return;
    // A result that is TOOBIG, a delay that is none: another run would end alike.
    await persist(r, signal, "JOBQ.FAIL", queue, id, token, "ERROR", error.message, "DEAD");
  }
}

/** The answer to a command that may be sent again; null when told to stop while the server is away. */
async function persist(r, signal, ...words) {
  for (let pause = 500; ; pause = Math.min(2 * pause, 5_000)) {
    try {
      if (!r.isOpen) await r.connect();
      return await call(r, ...words);
    } catch (error) {
      if (!isAway(error)) throw error;
      console.warn(`workgate: ${error.message}; again in ${pause} ms`);
    }
    if (signal?.aborted) return null;
    await sleep(pause, null, { signal: signal ?? undefined }).catch(() => {});
  }
}

/** The server is not to be reached, starts, or is no primary for now: no error of this command's own. */
function isAway(error) {
  if (error instanceof TypeError) return false;
  const [code] = /^[A-Z]{3,}(?= )/.exec(error.message) ?? [null];
  return [null, "UNBLOCKED", "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN"].includes(code);
}

/**
 * What came of a job: its `state`, and the `value` that a `done` one resolved to or of what a `dead` one died. Waits up
 * to `block` for it. Null where the queue has no such job (any more).
 */
export async function result(r, queue, id, { block = null } = {}) {
  const words = ["JOBQ.RESULT", queue, id];
  try {
    let [state, value] = await call(r, ...words);
    if (block !== null && state !== "done" && state !== "dead")
      [state, value] = await onOwnConnection(r, (own) => call(own, ...words, "BLOCK", block));
    return { state, value };
  } catch (error) {
    if (error.message.startsWith("NOJOB")) return null;
    throw error;
  }
}

// ---- circuit breakers -------------------------------------------------------------------------------------------

/** The breaker is open: the call was not made. `retryAfter` is in ms, null for no end. */
export class Open extends Error {
  constructor(key, retryAfter) {
    super(`${key} is not called for now`);
    this.retryAfter = retryAfter;
  }
}

/** What `work` resolves to. Once too many calls of this key have failed, it rejects with Open instead of calling. */
export async function guarded(r, key, work) {
  const [allowed, , permit, retry] = await call(r, "BREAKER.ALLOW", key);
  if (!allowed) throw new Open(key, retry < 0 ? null : retry);
  let outcome = "FAIL";
  try {
    const result = await work();
    outcome = "OK";
    return result;
  } finally {
    // What the call itself came to counts.
    await call(r, "BREAKER.REPORT", key, outcome, 1, "PERMIT", permit).catch(() => {});
  }
}
