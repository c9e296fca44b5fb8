"""tensorstore: opens both arrays and writes one into the other, with half of the memory as its cache of chunks (the
other half is for what is being copied).
"""

import os

import tensorstore as ts
from adapter import main


def kvstore(address):
    if not address.startswith("s3://"):
        return {"driver": "file", "path": address + "/"}
    bucket, _, path = address.removeprefix("s3://").partition("/")
    return {
        "driver": "s3", "bucket": bucket, "path": path + "/", "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "aws_region": os.environ["AWS_REGION"], "aws_credentials": {"type": "environment"},
    }


def codecs(job):
    width = int(job["dtype"][1:])
    blosc = {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": width, "blocksize": 0}
    inner = [{"name": "bytes", "configuration": {"endian": "little"}}]
    if job["compressed"]:
        inner.append({"name": "blosc", "configuration": blosc})
    if not job["target_shards"]:
        return inner
    index = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    shards = {"chunk_shape": job["target_chunks"], "codecs": inner, "index_codecs": index}
    return [{"name": "sharding_indexed", "configuration": shards}]


def rechunk(job):
    context = ts.Context({
        "cache_pool": {"total_bytes_limit": job["max_mem"] // 2},
        "data_copy_concurrency": {"limit": job["threads"]},
        "file_io_concurrency": {"limit": 32},
    })
    metadata = {
        "shape": job["shape"], "data_type": {"f4": "float32", "i2": "int16"}[job["dtype"]], "fill_value": 0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": job["target_shards"] or job["target_chunks"]}},
        "chunk_key_encoding": {"name": "default"}, "codecs": codecs(job),
    }
    driver = "zarr3" if job["source_format"] == 3 else "zarr"
    read = ts.open({"driver": driver, "kvstore": kvstore(job["source"])}, context=context, open=True).result()
    write = ts.open(
        {"driver": "zarr3", "kvstore": kvstore(job["target"]), "metadata": metadata}, context=context,
        create=True).result()
    write.write(read).result()


main(rechunk, "tensorstore")
