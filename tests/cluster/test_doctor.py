"""`rechunk doctor` on a real store and a real coordinator: what is well, and what to do about what is not."""

import pytest
from cluster import Cluster
from conftest import run_rechunk


@pytest.fixture
def cluster(tmp_path, s3):
    cluster = Cluster(tmp_path, s3)
    yield cluster
    cluster.stop()


def doctor(cluster, *arguments, env=None):
    ended = run_rechunk("doctor", "--config", cluster.config, "--output", "json", *arguments,
                        env={**cluster.credentials, **(env or {})})
    return ended, {check["check"].split()[0]: check for check in ended.json["checks"]}


def verdicts(checks):
    return {name: check["verdict"] for name, check in checks.items()}


def test_a_store_a_coordinator_and_its_worker_are_well(cluster, s3):
    cluster.worker("w")
    cluster.workers_ready(1)
    before = s3.keys("")
    ended, checks = doctor(cluster, "--coordinator", cluster.url)
    assert ended.code == 0, ended.stdout
    assert set(verdicts(checks)) == {
        "configuration", "list", "read", "write", "create-if-absent", "delete", "coordinator", "workers", "clock"}
    assert set(verdicts(checks).values()) == {"ok"}, ended.stdout
    assert s3.keys("") == before


def test_what_is_wrong_is_said_with_what_to_do(cluster, s3):
    ended, checks = doctor(cluster, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert (ended.code, checks["write"]["verdict"]) == (1, "failed")
    assert "credentials" in checks["list"]["message"]
    assert "checks failed" in ended.stderr
    cluster.coordinator.kill()
    ended, checks = doctor(cluster, "--coordinator", cluster.url, "--read-only", s3.url("doctor"))
    assert ended.code == 1 and checks["coordinator"]["verdict"] == "failed"
    assert "rechunk-coordinator" in checks["coordinator"]["message"]
    assert (checks["list"]["verdict"], checks["write"]["verdict"]) == ("ok", "warning")
    ended, checks = doctor(cluster, "s3://elsewhere/a")
    assert "[[stores]]" in checks["open"]["message"] and ended.code == 1
