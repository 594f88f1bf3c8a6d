"""The redis-py way to write a channel to a file: listen() and one JSON line a message. Arguments: PORT CHANNEL LAST.

Ends after the message whose data is LAST, so that what it has buffered is written.
"""

import json
import sys

import redis


def main():
    client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
    subscription = client.pubsub()
    subscription.subscribe(sys.argv[2])
    for message in subscription.listen():
        sys.stdout.write(json.dumps(message) + "\n")
        if message["data"] == sys.argv[3]:
            break


main()
