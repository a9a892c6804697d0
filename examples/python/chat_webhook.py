# A webhook that a language model answers: dedup, quota, job, budget, cache, breaker, result. With docs/guides/workgate.py
# beside it run `python3 chat_webhook.py serve 8080` and, as often as you like, `python3 chat_webhook.py work`.
import hashlib, json, math, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import redis, workgate

r = workgate.connect(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))

class Denied(Exception): pass

def accept(name, user, text):
    def first_delivery():
        quota = workgate.limit(r, f"user:{user}", "messages=3/day@UTC", hold=name)
        if not quota.allowed:
            raise Denied(quota.retry_after)
        workgate.enqueue(r, "chat", json.dumps({"user": user, "text": text}), "GROUP", user, id=name)
        return json.dumps({"result": f"/results/{name}"})
    return workgate.once(r, f"hook:{name}", text, first_delivery, wait="2s")

def model(text):    # your provider's client: the answer, and the tokens that it took
    return f"You said: {text}", len(text)

def answer(job):
    asked = json.loads(job.payload)
    def load():
        budget = workgate.limit(r, f"tokens:{asked['user']}", "100000/1d", cost=2000, hold=job.id)
        if not budget.allowed:
            raise workgate.Release(f"{math.ceil(budget.retry_after)}s")
        text, used = workgate.guarded(r, "model", lambda: model(asked["text"]))
        workgate.call(r, "RATELIMIT.SETTLE", f"tokens:{asked['user']}", job.id, "COST", used)
        return text
    key = "llm:v1:" + hashlib.sha256(asked["text"].encode()).hexdigest()
    return workgate.cached(r, key, load, ttl="7d", lease="2m", patience=120)

class Web(BaseHTTPRequestHandler):
    def do_POST(self):
        event, user = self.headers.get("Idempotency-Key", ""), self.headers.get("User", "nobody")
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if not 0 < len(event) <= 60: return self.respond(400, b"send an Idempotency-Key of 1 to 60 bytes")
        try:
            self.respond(202, accept(f"{user}:{event}", user, text))
        except Denied as denied: self.respond(429, b"the quota is used up", denied.args[0])
        except workgate.Busy: self.respond(409, b"in work", 1)
        except workgate.Mismatch: self.respond(422, b"another text came")
        except redis.RedisError: self.respond(503, b"come again", 5)

    def do_GET(self):
        state, value = workgate.result(r, "chat", self.path[len("/results/"):], block="20s") or ("unknown", None)
        self.respond({"done": 200, "dead": 500, "unknown": 404}.get(state, 202), value or b"")

    def respond(self, status, body, retry=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if retry: self.send_header("Retry-After", str(math.ceil(retry)))
        self.end_headers()
        self.wfile.write(body)

if sys.argv[1] == "work":
    workgate.consume(r, "chat", answer)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Web).serve_forever()
