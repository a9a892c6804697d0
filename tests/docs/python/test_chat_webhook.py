"""Drives an example of a webhook that a language model answers. Arguments: the command that runs the example."""

import json
import os
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import redis

COMMAND = sys.argv[1:]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(path, body=None, **headers):
    """Status, headers and body."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", body and body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


class Example(unittest.TestCase):
    def test_a_webhook_is_answered_once_and_within_its_quota(self):
        post = lambda event, text, user="ada": ask("/hooks", text, Idempotency_Key=event, User=user)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: post("evt_1", "6 * 7?"), range(4)))
        self.assertEqual({(status, json.loads(body)["result"]) for status, _, body in answers}, {(202, "/results/ada:evt_1")})
        path = json.loads(answers[0][2])["result"]
        self.assertEqual(ask(path)[::2], (200, "You said: 6 * 7?"))
        self.assertEqual(ask("/results/nothing")[0], 404)
        self.assertEqual(post("evt_1", "another text")[0], 422)
        self.assertEqual(ask("/hooks", "no key", User="ada")[0], 400)
        self.assertEqual([post(f"evt_{n}", "6 * 7?")[0] for n in (2, 3)], [202, 202])
        status, headers, _ = post("evt_4", "6 * 7?")
        self.assertEqual(status, 429)
        self.assertTrue(0 < int(headers["Retry-After"]) <= 86_400)
        # Another user's quota is another's, and the answer comes from the cache: two users, one budget charged.
        self.assertEqual(post("evt_1", "6 * 7?", user="bob")[0], 202)
        self.assertEqual(ask("/results/bob:evt_1")[::2], (200, "You said: 6 * 7?"))
        r = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.assertEqual(r.execute_command("RATELIMIT.PEEK", "tokens:bob"), [])
        [row] = r.execute_command("RATELIMIT.PEEK", "tokens:ada")
        self.assertEqual(row[6], len("6 * 7?"))


PORT = free_port()
programs = [subprocess.Popen([*COMMAND, "serve", str(PORT)]), subprocess.Popen([*COMMAND, "work"])]
try:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", PORT)).close()
            break
        except OSError:
            time.sleep(0.05)
    unittest.main(argv=sys.argv[:1])
finally:
    for program in programs:
        program.kill()
        program.wait()
