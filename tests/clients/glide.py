"""What Valkey GLIDE does with commands that must reach every primary. Arguments: the ports of the primaries."""

import sys

from glide_sync import AllPrimaries, GlideClusterClient, GlideClusterClientConfiguration, NodeAddress

ports = [int(port) for port in sys.argv[1:]]
addresses = [NodeAddress("127.0.0.1", ports[0])]
configuration = GlideClusterClientConfiguration(addresses, request_timeout=30_000)
client = GlideClusterClient.create(configuration)

# GLIDE heeds no tips: a command that it does not know goes to the owner of its first argument as a key. The route says
# that it is for all.
for words in (
    ["CACHE.POLICY", "SET", "page:", "TTL", "1h"],
    ["RATELIMIT.POLICY", "SET", "ai", "10/1m"],
    ["CACHE.INVALIDATE", "TAG", "1", "author:ada"],
    ["CACHE.INVALIDATE", "PREFIX", "1", "page:", "HARD"],
):
    answers = client.custom_command(words, route=AllPrimaries())
    assert list(answers.values()) == ["OK"] * len(ports), (words, answers)
shown = client.custom_command(["CACHE.POLICY", "LIST"], route=AllPrimaries())
assert [len(policies) for policies in shown.values()] == [1] * len(ports), shown
for key in ("a", "b", "c", "d"):
    client.custom_command(["JOBQ.PUSH", key, "payload"])
