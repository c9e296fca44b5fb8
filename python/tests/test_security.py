"""A coordinator with a certificate and tokens, and Python with what the environment says of them."""

import pytest
import rechunk
import trustme
from conftest import TARGET_CHUNKS, Coordinator, elements

TOKEN, WORKERS = "annas-token-0123456789", "workers-token-9876543210"


@pytest.fixture
def secured(tmp_path):
    """One that asks everybody who they are; its worker has said so."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "server.key")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(tmp_path / "server.pem", append=True)
    (tmp_path / "users").write_text(f"anna {TOKEN}\n")
    (tmp_path / "workers").write_text(f"worker {WORKERS}\n")
    (tmp_path / "token").write_text(WORKERS)
    running = Coordinator(
        tmp_path, "--tls-cert", tmp_path / "server.pem", "--tls-key", tmp_path / "server.key", "--user-tokens",
        tmp_path / "users", "--worker-tokens", tmp_path / "workers", scheme="https")
    yield running
    running.stop()


def test_who_has_a_certificate_and_a_token_in_the_environment_gets_its_work_done(
        secured, source, tmp_path, monkeypatch):
    secured.start(tmp_path / "worker.log", "rechunk-worker", "--coordinator", secured.url, "--memory", "512MiB", "--cpus",
                  1, "--config", secured.config, "--tls-ca", tmp_path / "ca.pem", "--token-file", tmp_path / "token")
    monkeypatch.setenv("RECHUNK_TLS_CA", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("RECHUNK_TOKEN", TOKEN)
    job = rechunk.connect(secured.url).submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    job.wait()
    import zarr

    assert zarr.open_array(tmp_path / "out.zarr")[...].tobytes() == elements().tobytes()
    # The call of rechunker's form goes the same way.
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "again.zarr", executor=secured.url).execute()
    assert (tmp_path / "again.zarr" / "zarr.json").exists()


def test_who_has_none_is_told_and_a_token_of_nobody_is_no_token(secured, source, tmp_path, monkeypatch):
    with pytest.raises(rechunk.UnreachableError, match="certificate"):
        rechunk.connect(secured.url).jobs()
    monkeypatch.setenv("RECHUNK_TLS_CA", str(tmp_path / "ca.pem"))
    for token in [None, "not-a-token-of-anybody"]:
        if token:
            monkeypatch.setenv("RECHUNK_TOKEN", token)
        with pytest.raises(rechunk.AccessError, match="token") as refused:
            rechunk.connect(secured.url).jobs()
        assert TOKEN not in str(refused.value)


def test_credentials_that_cannot_be_used_are_named(secured, tmp_path, monkeypatch):
    monkeypatch.setenv("RECHUNK_TLS_CA", str(tmp_path / "no-such.pem"))
    with pytest.raises(rechunk.RequestError, match="no-such.pem cannot be read") as refused:
        rechunk.connect(secured.url)
    assert refused.value.reason == "BAD_CREDENTIALS"
