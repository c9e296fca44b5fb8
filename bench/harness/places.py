"""Opens an array by its address with zarr-python: a path, or an s3:// URL with what the environment says."""

from __future__ import annotations

import os

import zarr.storage


def store(address: str, read_only: bool = False):
    """The zarr-python store at a path or an s3:// URL."""
    if not address.startswith("s3://"):
        return zarr.storage.LocalStore(address, read_only=read_only)
    return zarr.storage.ObjectStore(s3(address), read_only=read_only)


def s3(address: str):
    """The obstore store at an s3:// URL."""
    import obstore.store

    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return obstore.store.S3Store(
        bucket,
        prefix=prefix,
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_REGION"],
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )
