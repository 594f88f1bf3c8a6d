"""The redis-py way to follow shard channels: get_sharded_message, one JSON line a message. PORT COUNT CHANNEL..."""

import json
import sys

import redis


def main():
    client = redis.RedisCluster(host="127.0.0.1", port=int(sys.argv[1]), decode_responses=True)
    pubsub = client.pubsub()
    for channel in sys.argv[3:]:
        pubsub.ssubscribe(channel)
    left = int(sys.argv[2])
    while left:
        message = pubsub.get_sharded_message(ignore_subscribe_messages=True, timeout=1)
        if message:
            sys.stdout.write(json.dumps(message) + "\n")
            left -= 1


main()
