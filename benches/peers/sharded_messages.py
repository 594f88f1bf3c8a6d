"""The redis-py way to follow shard channels: get_sharded_message() and one JSON line a message.

Arguments: PORT COUNT CHANNEL... Ends after COUNT messages. It asks without a timeout, because every node that has
nothing to say would wait for the whole of it while messages lie at the others.
"""

import json
import sys

import redis


def main():
    client = redis.RedisCluster(host="127.0.0.1", port=int(sys.argv[1]), decode_responses=True)
    subscription = client.pubsub(ignore_subscribe_messages=True)
    for channel in sys.argv[3:]:
        subscription.ssubscribe(channel)
    left = int(sys.argv[2])
    while left:
        try:
            message = subscription.get_sharded_message(timeout=0.0)
        except redis.TimeoutError:
            # Only a part of a message has come; it is kept, and a later call has the whole.
            continue
        if message:
            sys.stdout.write(json.dumps(message) + "\n")
            left -= 1


main()
