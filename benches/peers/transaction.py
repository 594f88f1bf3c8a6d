"""The redis-py way to increment a number on the client's side: transaction() with a watched key. Arguments: PORT KEY."""

import sys

import redis


def main():
    client = redis.Redis(port=int(sys.argv[1]))
    key = sys.argv[2]

    def increment(pipeline):
        value = int(pipeline.get(key))
        pipeline.multi()
        pipeline.set(key, value + 1)

    print(client.transaction(increment, key))


main()
