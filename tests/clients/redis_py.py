"""What redis-py does with commands that must reach every primary. Arguments: the ports of the primaries."""

import sys

import redis
from redis._parsers.commands import CommandsParser
from redis.cluster import ClusterNode, RedisCluster
from redis.commands.policies import DynamicPolicyResolver, StaticPolicyResolver

ports = [int(port) for port in sys.argv[1:]]
nodes = [redis.Redis(port=port, decode_responses=True, protocol=2) for port in ports]
start = [ClusterNode("127.0.0.1", ports[0])]


def policies():
    return [node.execute_command("CACHE.POLICY", "LIST") for node in nodes]


def everywhere(client):
    """The commands, each of them with its words apart; all primaries answer."""
    for command in (
        ["CACHE.POLICY", "SET", "page:", "TTL", "1h"],
        ["RATELIMIT.POLICY", "SET", "ai", "10/1m"],
        ["CACHE.INVALIDATE", "TAG", 1, "author:ada"],
        ["CACHE.INVALIDATE", "PREFIX", 1, "page:", "HARD"],
    ):
        answers = client.execute_command(*command)
        assert sorted(answers.values()) == ["OK"] * len(ports), (command, answers)
    assert policies() == [["page:", ["TTL", "1h"]]] * len(ports), policies()
    for node in nodes:
        assert node.execute_command("RATELIMIT.POLICY", "GET", "ai") == ["10/1m"]
        events = [row[2:4] for row in node.execute_command("CACHE.EVENTS", 0)]
        assert ["tag", "author:ada"] in events and ["prefix", "page:"] in events, events
    for command in (["CACHE.POLICY", "DEL", "page:"], ["RATELIMIT.POLICY", "DEL", "ai"]):
        assert list(client.execute_command(*command).values()) == [1] * len(ports)
    assert policies() == [[]] * len(ports)


# By itself the client refuses them: it does not know where they belong, and says so.
plain = RedisCluster(startup_nodes=start, decode_responses=True)
for words in (["CACHE.POLICY", "SET", "page:", "TTL", "1h"], ["CACHE.INVALIDATE", "TAG", 1, "t"]):
    try:
        plain.execute_command(*words)
        raise SystemExit(f"{words} went somewhere")
    except redis.exceptions.RedisClusterException:
        pass
assert policies() == [[]] * len(ports)

# With the resolver that reads the tips they reach all.
resolver = DynamicPolicyResolver(CommandsParser(redis.Redis(port=ports[0])), StaticPolicyResolver())
everywhere(RedisCluster(startup_nodes=start, decode_responses=True, policy_resolver=resolver))

# So do they with the targets named.
for words in (["CACHE.POLICY", "SET", "page:", "TTL", "1h"], ["CACHE.POLICY", "DEL", "page:"]):
    answers = plain.execute_command(*words, target_nodes=plain.get_primaries())
    assert len(answers) == len(ports), answers

# What has keys goes where its key is, with tips or without.
tipped = RedisCluster(startup_nodes=start, decode_responses=True, policy_resolver=resolver)
for client in (plain, tipped):
    for key in ("a", "b", "c", "d"):
        client.execute_command("JOBQ.CONFIG", "SET", key, "lease", "1m")
        client.execute_command("JOBQ.PUSH", key, "payload")
        assert client.execute_command("CACHE.SET", f"{key}:c", "v", "TAGS", 1, "t") == 1
