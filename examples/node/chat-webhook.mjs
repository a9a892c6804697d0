// A webhook that a language model answers: dedup, quota, job, budget, cache, breaker, result. With
// docs/guides/workgate.mjs beside it run `node chat-webhook.mjs serve 8080` and `node chat-webhook.mjs work`.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { text as readAll } from "node:stream/consumers";
import { createClient } from "redis";
import { Busy, Mismatch, Release, cached, call, consume, enqueue, guarded, limit, once, result } from "./workgate.mjs";

const url = process.env.REDIS_URL ?? "redis://127.0.0.1:6379";
const r = createClient({ url, disableOfflineQueue: process.argv[2] === "serve" }); // 503 at once while the server is away
r.on("error", (error) => console.error(error.message));
await r.connect();

function accept(name, user, text) {
  const firstDelivery = async () => {
    const quota = await limit(r, `user:${user}`, ["messages=3/day@UTC"], { hold: name });
    if (!quota.allowed) throw Object.assign(new Error("the quota is used up"), { status: 429, wait: quota.retryAfter });
    await enqueue(r, "chat", JSON.stringify({ user, text }), { id: name, options: ["GROUP", user] });
    return JSON.stringify({ result: `/results/${name}` });
  };
  return once(r, `hook:${name}`, text, firstDelivery, { wait: "2s" });
}

// Your provider's client: the answer, and the tokens that it took.
const model = async (text) => ({ answer: `You said: ${text}`, used: text.length });

async function answer(job) {
  const { user, text } = JSON.parse(job.payload);
  const load = async () => {
    const budget = await limit(r, `tokens:${user}`, ["100000/1d"], { cost: 2000, hold: job.id });
    if (!budget.allowed) throw new Release(`${budget.retryAfter}ms`);
    const { answer, used } = await guarded(r, "model", () => model(text));
    await call(r, "RATELIMIT.SETTLE", `tokens:${user}`, job.id, "COST", used);
    return answer;
  };
  const key = "llm:v1:" + createHash("sha256").update(text).digest("hex");
  return cached(r, key, load, { ttl: "7d", lease: "2m", wait: "2m" });
}

async function respond(request) {
  if (request.method === "GET") {
    const found = await result(r, "chat", decodeURIComponent(request.url.slice("/results/".length)), { block: "20s" });
    return found ? [{ done: 200, dead: 500 }[found.state] ?? 202, found.value ?? ""] : [404, "no such job"];
  }
  const { "idempotency-key": event = "", user = "nobody" } = request.headers;
  if (event.length === 0 || event.length > 60) return [400, "send an Idempotency-Key of 1 to 60 bytes"];
  return [202, await accept(`${user}:${event}`, user, await readAll(request))];
}

const failed = (error) =>
  error instanceof Busy ? [409, "in work", 1000] : error instanceof Mismatch ? [422, error.message]
    : error.status ? [error.status, error.message, error.wait] : [503, error.message, 5000];

if (process.argv[2] === "work") await consume(r, "chat", answer);
else createServer(async (request, response) => {
  const [status, body, wait] = await respond(request).catch(failed);
  response.writeHead(status, wait ? { "Retry-After": Math.ceil(wait / 1000) } : {}).end(body);
}).listen(Number(process.argv[3]), "127.0.0.1");
