"""Source and target with zarr-python 3, for the peers that stand on it."""

from __future__ import annotations

import os

import zarr
import zarr.codecs
import zarr.storage


def store(address: str):
    """A path as it is; for an s3:// URL the store that zarr-python recommends for speed."""
    if not address.startswith("s3://"):
        return address
    import obstore.store

    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    found = obstore.store.S3Store(
        bucket, prefix=prefix, endpoint=os.environ["AWS_ENDPOINT_URL"], region=os.environ["AWS_REGION"],
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"], secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True}, virtual_hosted_style_request=False)
    return zarr.storage.ObjectStore(found)


def source(job: dict) -> zarr.Array:
    return zarr.open_array(store(job["source"]), mode="r")


def target(job: dict) -> zarr.Array:
    """The empty target with the source's codec."""
    blosc = zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=int(job["dtype"][1:]))
    return zarr.create_array(
        store(job["target"]), shape=job["shape"], chunks=job["target_chunks"], shards=job["target_shards"],
        dtype="<" + job["dtype"], fill_value=0, zarr_format=3, compressors=blosc if job["compressed"] else None)
