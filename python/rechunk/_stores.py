"""The options of stores (fsspec's, obstore's, `storage_options=`) as `[[stores]]` tables: endpoint, region, credentials.

Secrets stay in this process: tables have the names of environment variables, and those are set here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from rechunk._errors import refused

FIELD = "storage_options"

_SCHEMES = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az", "azure": "az"}
_AS_THE_ENVIRONMENT = (None, "google_default", "cloud", "cache")
# What changes how fsspec works, and not what is spoken to, or as whom.
_WITHOUT_MEANING = frozenset({
    "asynchronous", "loop", "use_listings_cache", "listings_expiry_time", "max_paths", "skip_instance_cache", "batch_size",
    "default_block_size", "default_fill_cache", "default_cache_type", "use_ssl", "cache_regions", "version_aware",
    "project", "access", "consistency", "cache_timeout", "block_size", "max_concurrency", "auto_mkdir", "protocol",
})  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a table says beside its prefix; `credentials` as (key of the table, value) pairs, or a file."""

    endpoint: str | None = None
    region: str | None = None
    account: str | None = None
    path_style: bool | None = None
    anonymous: bool | None = None
    requester_pays: bool | None = None
    credentials: tuple[tuple[str, str], ...] | str | None = None

    def lines(self) -> Iterable[str]:
        """The lines of the table."""
        for name in ("endpoint", "region", "account", "path_style", "anonymous", "requester_pays"):
            value = getattr(self, name)
            if value is not None:
                yield f"{name} = {json.dumps(value)}"
        if isinstance(self.credentials, str):
            yield f"credentials = {json.dumps(self.credentials)}"
        elif self.credentials:
            pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.credentials)
            yield f"credentials = {{ {pairs} }}"


def settings_of(field: str, store: Any, options: Mapping[str, Any] | None) -> Settings | None:
    """What is set for a store: by the object that it is, else by `storage_options`; None: as the environment has it."""
    name, module = type(store).__name__, type(store).__module__
    if module.startswith("zarr.") and name in ("Array", "Group", "AsyncArray", "AsyncGroup", "StorePath"):
        return settings_of(field, store.store, options)
    if module.startswith("zarr.") and name == "ObjectStore":
        return settings_of(field, store.store, options)
    if module.startswith("obstore."):
        return _of_obstore(field, name, dict(store.config)) if hasattr(store, "config") else None
    if (module.startswith("zarr.") and name in ("FsspecStore", "FSStore")) or name == "FSMap":
        protocol = store.fs.protocol if isinstance(store.fs.protocol, str) else store.fs.protocol[0]
        return _of_fsspec(field, protocol, dict(store.fs.storage_options), is_strict=False)
    if isinstance(store, str) and options:
        return _of_fsspec(FIELD, urlsplit(store).scheme, dict(options), is_strict=True)
    return None


def tables(places: Iterable[tuple[str, Settings | None]]) -> str | None:
    """The tables of these places, of which the first has its whole bucket; None where nothing is set for any."""
    listed = list(places)
    if all(settings is None for _, settings in listed):
        return None
    known: dict[str, Settings] = {"file:///": Settings()}
    for place, settings in listed:
        if "://" not in place or place.startswith("file:"):
            continue
        wanted, root = settings or Settings(), "{0.scheme}://{0.netloc}".format(urlsplit(place))
        if known.setdefault(root, wanted) != wanted:
            known[place] = wanted
    return "\n".join(line for prefix, settings in known.items() for line in _table(prefix, settings))


def _table(prefix: str, settings: Settings) -> Iterable[str]:
    yield "[[stores]]"
    yield f"prefix = {json.dumps(prefix)}"
    yield f'access = "{"read" if prefix.startswith("http") else "read-write"}"'
    yield from settings.lines()


def _of_fsspec(field: str, protocol: str, options: dict[str, Any], is_strict: bool) -> Settings | None:
    scheme = _SCHEMES.get(protocol)
    read = {"s3": _of_s3fs, "gs": _of_gcsfs, "az": _of_adlfs}.get(scheme or "")
    if read is None:
        return None
    settings = read(field, options)
    unknown = sorted(options.keys() - _WITHOUT_MEANING)
    if unknown and is_strict:
        raise refused(field, f"{', '.join(unknown)} cannot be taken for {protocol}://; set it where workers see it: config=")
    return None if settings == Settings() else settings


def _of_s3fs(field: str, options: dict[str, Any]) -> Settings:
    client = dict(options.pop("client_kwargs", None) or {})
    style = (options.pop("config_kwargs", None) or {}).get("s3", {}).get("addressing_style")
    key, secret = options.pop("key", options.pop("username", None)), options.pop("secret", options.pop("password", None))
    token, profile = options.pop("token", None), options.pop("profile", None)
    settings = Settings(
        endpoint=options.pop("endpoint_url", None) or client.pop("endpoint_url", None),
        region=client.pop("region_name", None),
        path_style=None if style in (None, "auto") else style == "path",
        anonymous=options.pop("anon", None) or None,
        requester_pays=options.pop("requester_pays", None) or None,
        credentials=_key_pair(field, key, secret, token),
    )
    if profile is not None:
        raise refused(field, f"the profile {profile!r} is the environment's: set AWS_PROFILE, or give config= with its file")
    # Left for the list of what is unknown.
    options.update({f"client_kwargs.{name}": value for name, value in client.items()})
    return settings


def _of_gcsfs(field: str, options: dict[str, Any]) -> Settings:
    token = options.pop("token", None)
    if token not in _AS_THE_ENVIRONMENT and token != "anon" and not isinstance(token, (str, os.PathLike)):
        raise refused(field, "a token must be a file, 'anon' or 'google_default': objects do not leave this interpreter")
    is_file = token not in _AS_THE_ENVIRONMENT and token != "anon"
    return Settings(
        endpoint=options.pop("endpoint_url", None),
        anonymous=True if token == "anon" else None,
        credentials=os.path.abspath(os.fspath(token)) if is_file and token is not None else None,
    )


def _of_adlfs(field: str, options: dict[str, Any]) -> Settings:
    if options.pop("credential", None) is not None:
        raise refused(field, "a credential object does not leave this interpreter; give account_key, sas_token or "
                      "connection_string, or what az finds in the environment")  # fmt: skip
    names = ("connection_string", "account_key", "sas_token")
    given = [(f"{name}_env", _in_environment(str(value))) for name in names if (value := options.pop(name, None))]
    return Settings(
        account=options.pop("account_name", None),
        anonymous=options.pop("anon", None) or None,
        credentials=tuple(given[:1]) or None,
    )


def _of_obstore(field: str, name: str, config: dict[str, Any]) -> Settings | None:
    config = {key.split("_", 1)[1] if key.startswith(("aws_", "google_", "azure_")) else key: value
              for key, value in config.items()}  # fmt: skip
    read = {"S3Store": _of_obstore_s3, "GCSStore": _of_obstore_gcs, "AzureStore": _of_obstore_azure}.get(name)
    if read is None:
        return None
    settings = read(field, config)
    secrets = sorted(key for key in config if any(word in key for word in ("token", "key", "secret", "credential")))
    if secrets:
        raise refused(field, f"the {', '.join(secrets)} of obstore's {name} cannot be taken; set it in the environment")
    return None if settings == Settings() else settings


def _of_obstore_s3(field: str, config: dict[str, Any]) -> Settings:
    virtual = _switch(config, "virtual_hosted_style_request")
    token = config.pop("session_token", None) or config.pop("token", None)
    return Settings(
        endpoint=config.pop("endpoint", None) or config.pop("endpoint_url", None),
        region=config.pop("region", None),
        path_style=None if virtual is None else not virtual,
        anonymous=_switch(config, "skip_signature") or None,
        requester_pays=_switch(config, "request_payer") or None,
        credentials=_key_pair(field, config.pop("access_key_id", None), config.pop("secret_access_key", None), token),
    )


def _of_obstore_gcs(_field: str, config: dict[str, Any]) -> Settings:
    path = config.pop("service_account", None) or config.pop("application_credentials", None)
    return Settings(
        endpoint=config.pop("base_url", None),
        anonymous=_switch(config, "skip_signature") or None,
        credentials=None if path is None else os.path.abspath(path),
    )


def _of_obstore_azure(_field: str, config: dict[str, Any]) -> Settings:
    names = {"account_key": "account_key", "access_key": "account_key", "sas_key": "sas_token", "sas_token": "sas_token"}
    given = [(f"{ours}_env", _in_environment(config.pop(key))) for key, ours in names.items() if key in config]
    return Settings(
        endpoint=config.pop("endpoint", None),
        account=config.pop("account_name", None),
        anonymous=_switch(config, "skip_signature") or None,
        credentials=tuple(given[:1]) or None,
    )


def _switch(config: dict[str, Any], name: str) -> bool | None:
    value = config.pop(name, None)
    return None if value is None else str(value).lower() == "true"


def _key_pair(field: str, key: Any, secret: Any, token: Any) -> tuple[tuple[str, str], ...] | None:
    if key is None and secret is None:
        return None
    if key is None or secret is None:
        raise refused(field, "a key and its secret belong together; give both, or neither for what the environment has")
    names = (("access_key_id_env", key), ("secret_access_key_env", secret), ("session_token_env", token))
    return tuple((name, _in_environment(str(value))) for name, value in names if value is not None)


def _in_environment(secret: str) -> str:
    """The environment variable that holds a secret from now on."""
    name = f"RECHUNK_STORE_{hashlib.sha256(secret.encode()).hexdigest()[:16].upper()}"
    os.environ[name] = secret
    return name
