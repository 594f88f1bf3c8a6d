"""The redis-py way to run a file of commands on a cluster: pipelines of 10,000, one JSON line a reply. PORT FILE."""

import json
import sys
from itertools import islice

import redis


def main():
    client = redis.RedisCluster(host="127.0.0.1", port=int(sys.argv[1]), decode_responses=True)
    with open(sys.argv[2], encoding="utf-8") as commands:
        while chunk := list(islice(commands, 10_000)):
            pipeline = client.pipeline()
            for line in chunk:
                pipeline.execute_command(*line.split())
            for reply in pipeline.execute(raise_on_error=False):
                sys.stdout.write(json.dumps(reply) + "\n")


main()
