// Handlers of Workgate jobs in Node.js. One file, no dependency.
//
//     import { job, run } from "./workgate-handler.mjs";
//     job("mail", async (job) => `sent to ${job.json().to}`);
//     run();
//
//     workgate work --queue mails --stdio "node mails.mjs"
//
// A handler returns the job's result (nothing, text, a Buffer, or what JSON can hold) or throws: Retry, Dead,
// Release, or any other error, which is a retry with its stack. The protocol is described in docs/worker-stdio.md.

import { createInterface } from "node:readline";

const PROTOCOL = 1;
const handlers = new Map();
const running = new Map();
const waiting = new Map();

/** The job failed and is tried again, after `delay` ("30s") or by its backoff. */
export class Retry extends Error {
  constructor(error = "", { kind, delay, progress } = {}) {
    super(error);
    Object.assign(this, { kind, delay, progress });
  }
}

/** The job failed and no further run can help. */
export class Dead extends Error {
  constructor(error = "", { kind } = {}) {
    super(error);
    this.kind = kind;
  }
}

/** The job is given back, after `delay`; the attempt is not charged. */
export class Release extends Error {
  constructor({ delay, progress } = {}) {
    super("released");
    Object.assign(this, { delay, progress });
  }
}

class Job {
  constructor(fields) {
    for (const [name, value] of Object.entries(fields)) {
      if (name.endsWith("_base64")) this[name.slice(0, -7)] = Buffer.from(value, "base64");
      else this[name] = value;
    }
    this.abort = new AbortController();
  }

  /** Aborted when the job is cancelled, lost, over its time, or when the worker stops. */
  get signal() {
    return this.abort.signal;
  }

  json() {
    return JSON.parse(this.payload);
  }

  /** Keeps what the next run can go on from; resolves when the server has it. */
  async save(progress) {
    await this.ask({ type: "progress", ...bytes("progress", progress) });
  }

  /** Renews the lease for so long ("10m"). The worker renews it by itself: most handlers need no call. */
  async extend(lease) {
    await this.ask({ type: "extend", lease });
  }

  /** Adds a line to the job's log. */
  log(line) {
    say({ type: "log", run: this.run, line: String(line) });
  }

  async ask(message) {
    const held = await new Promise((resolve) => {
      waiting.set(this.run, resolve);
      say({ ...message, run: this.run });
    });
    if (!held) throw new Error("the job is not this worker's any more");
  }
}

/** Sets the handler of the jobs of this name; `null` is for all that have no other. */
export function job(name, handler) {
  handlers.set(name, handler);
}

/** Handles jobs until the worker closes the input. */
export function run() {
  // Prints of a handler must not stand between the messages.
  console.log = console.info = console.error;
  say({ type: "ready", protocol: PROTOCOL });
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  lines.on("line", (line) => hear(JSON.parse(line)));
}

async function hear(message) {
  switch (message.type) {
    case "job":
      say(await handle(message));
      break;
    case "jobs":
      say({ type: "results", results: await Promise.all(message.jobs.map(handle)) });
      break;
    case "saved":
      waiting.get(message.run)?.(message.held);
      waiting.delete(message.run);
      break;
    case "cancel":
      running.get(message.run)?.abort.abort(message.reason);
      break;
    case "hello":
      if (message.protocol !== PROTOCOL) throw new Error(`the worker speaks protocol ${message.protocol}`);
  }
}

async function handle(fields) {
  const { run } = fields;
  const job = new Job(fields);
  running.set(run, job);
  try {
    const handler = handlers.get(job.name ?? null) ?? handlers.get(null);
    if (!handler) return { type: "dead", run, error: `no handler for jobs named ${job.name}` };
    const result = await handler(job);
    return result === undefined || result === null
      ? { type: "done", run }
      : { type: "done", run, ...bytes("result", result) };
  } catch (error) {
    return { ...failure(error), run };
  } finally {
    running.delete(run);
  }
}

function failure(error) {
  const { kind, delay, progress } = error ?? {};
  const rest = { kind, delay, ...(progress === undefined ? {} : bytes("progress", progress)) };
  if (error instanceof Dead) return { type: "dead", error: error.message, kind };
  if (error instanceof Release) return { type: "release", delay, ...(progress === undefined ? {} : bytes("progress", progress)) };
  if (error instanceof Retry) return { type: "retry", error: error.message, ...rest };
  return { type: "retry", error: String(error?.stack ?? error), kind: String(error?.name ?? "Error").slice(0, 64) };
}

/** A member: text as it is, other bytes in base64. */
function bytes(name, value) {
  if (Buffer.isBuffer(value)) {
    const text = value.toString("utf8");
    return Buffer.from(text, "utf8").equals(value) ? { [name]: text } : { [`${name}_base64`]: value.toString("base64") };
  }
  return { [name]: typeof value === "string" ? value : JSON.stringify(value) };
}

function say(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}
