"""The redis-py way to list keys with their type, time to live and memory: pipelines of 1,000 keys. Argument: PORT."""

import json
import sys
from itertools import islice

import redis


def main():
    client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
    keys = client.scan_iter(count=1000)
    while chunk := list(islice(keys, 1000)):
        pipeline = client.pipeline(transaction=False)
        for key in chunk:
            pipeline.type(key)
            pipeline.ttl(key)
            pipeline.memory_usage(key)
        answers = pipeline.execute()
        for at, key in enumerate(chunk):
            kind, ttl, memory = answers[3 * at : 3 * at + 3]
            row = {"key": key, "type": kind, "ttl": None if ttl < 0 else ttl, "memory": memory}
            sys.stdout.write(json.dumps(row) + "\n")


main()
