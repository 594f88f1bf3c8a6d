"""The redis-py way to write a stream's entries to a file: XREAD in blocks of 1,000, one JSON line an entry.

Arguments: PORT STREAM [GROUP]; with a group XREADGROUP, and each block acknowledged in one pipeline.
"""

import json
import sys

import redis

BLOCK = 1000


def read(client, stream):
    last = "0"
    while reply := client.xread({stream: last}, count=BLOCK):
        for _, entries in reply:
            for last, fields in entries:
                yield stream, last, fields


def read_as_group(client, stream, group):
    while reply := client.xreadgroup(group, "bench", {stream: ">"}, count=BLOCK):
        for _, entries in reply:
            pipeline = client.pipeline(transaction=False)
            for last, fields in entries:
                yield stream, last, fields
                pipeline.xack(stream, group, last)
            pipeline.execute()


def main():
    client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
    entries = read_as_group(client, *sys.argv[2:]) if len(sys.argv) > 3 else read(client, sys.argv[2])
    for stream, id, fields in entries:
        sys.stdout.write(json.dumps({"stream": stream, "id": id, "fields": fields}) + "\n")


main()
