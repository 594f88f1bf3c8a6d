"""The redis-py way to copy a data set: pipelines of 1,000 DUMPs, then of 1,000 RESTOREs. Arguments: PORT TARGET_DB."""

import sys
from itertools import islice

import redis


def main():
    source = redis.Redis(port=int(sys.argv[1]))
    target = redis.Redis(port=int(sys.argv[1]), db=int(sys.argv[2]))
    keys = source.scan_iter(count=1000)
    while chunk := list(islice(keys, 1000)):
        pipeline = source.pipeline(transaction=False)
        for key in chunk:
            pipeline.dump(key)
            pipeline.pexpiretime(key)
        answers = pipeline.execute()
        pipeline = target.pipeline(transaction=False)
        for key, value, expires in zip(chunk, answers[::2], answers[1::2]):
            if value is not None:
                pipeline.restore(key, max(expires, 0), value, replace=True, absttl=True)
        pipeline.execute()


main()
