"""Several hosts on one machine: each a network namespace, all plugged into one switch, which is another namespace.

Nothing outside of these namespaces is changed, and no packet leaves them. They are gone when the network is closed.
"""

import ctypes
import json
import multiprocessing
import os
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import zarr
from cluster import Cluster
from conftest import S3

CLONE_NEWNET = 0x40000000


def why_not():
    """What keeps this machine from having such hosts, if anything."""
    missing = [name for name in ("ip", "bridge", "tc") if shutil.which(name) is None]
    if missing:
        return f"not installed: {' '.join(missing)} (Debian's package iproute2)"
    trial = f"rechunk-trial-{os.getpid()}"
    steps = [f"ip netns add {trial}", f"ip -n {trial} link add s0 type bridge",
             f"ip -n {trial} link add p0 type veth peer name p1", f"ip -n {trial} link set p0 master s0",
             f"bridge -n {trial} link set dev p0 isolated on",
             f"ip netns exec {trial} tc qdisc add dev p1 root tbf rate 1mbit burst 32kbit latency 400ms"]
    try:
        for step in steps:
            ended = subprocess.run(step.split(), capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                return f"{step}: {ended.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", trial], capture_output=True, check=False)
    return None


def run(command):
    ended = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{command}: {ended.stderr}"
    return ended.stdout


def enter(namespace):
    """Puts this process into a network namespace; before it has threads."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}", "rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


class Network:
    """Hosts by name. The port of a host at the switch has the host's name."""

    def __init__(self, *names):
        self.mark = f"rechunk-{os.getpid()}"
        self.switch = f"{self.mark}-switch"
        self.addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 10)}
        self.client = None
        try:
            run(f"ip netns add {self.switch}")
            run(f"ip -n {self.switch} link add switch type bridge")
            run(f"ip -n {self.switch} link set switch up")
            for name in names:
                self._add(name)
        except BaseException:
            self.close()
            raise

    def namespace(self, name):
        return f"{self.mark}-{name}"

    def _add(self, name):
        host = self.namespace(name)
        run(f"ip netns add {host}")
        run(f"ip link add eth0 netns {host} type veth peer name {name} netns {self.switch}")
        run(f"ip -n {self.switch} link set {name} master switch")
        run(f"ip -n {self.switch} link set {name} up")
        run(f"ip -n {host} address add {self.addresses[name]}/24 dev eth0")
        run(f"ip -n {host} link set lo up")
        run(f"ip -n {host} link set eth0 up")

    def prefix(self, name):
        """A command that runs another one on a host."""
        return ["ip", "netns", "exec", self.namespace(name)]

    def call(self, function, *arguments):
        """Calls a function of a module on the host `client`, and returns what it returns."""
        if self.client is None:
            self.client = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), initializer=enter, initargs=(self.namespace("client"),))
        return self.client.submit(function, *arguments).result(timeout=120)

    def unplug(self, name):
        """The host is gone, and nobody is told."""
        run(f"ip -n {self.switch} link set {name} down")

    def plug(self, name):
        run(f"ip -n {self.switch} link set {name} up")

    def part(self, *names):
        """No packet passes between these hosts, and nobody is told; others reach all of them."""
        for name in names:
            run(f"bridge -n {self.switch} link set dev {name} isolated on")

    def heal(self):
        for name in self.addresses:
            run(f"bridge -n {self.switch} link set dev {name} isolated off")

    def slow(self, name, rate):
        """No more than `rate` passes the host's port, either way; what waits longer than 200 ms is dropped."""
        for namespace, device in [(self.namespace(name), "eth0"), (self.switch, name)]:
            run(f"ip netns exec {namespace} tc qdisc add dev {device} root tbf rate {rate} burst 64kbit latency 200ms")

    def slowed(self, name):
        """How often packets had to wait there, on their way from the host and to it."""
        counted = []
        for namespace, device in [(self.namespace(name), "eth0"), (self.switch, name)]:
            (queue,) = json.loads(run(f"ip netns exec {namespace} tc -s -j qdisc show dev {device}"))
            counted.append(queue["overlimits"])
        return counted

    def hasten(self, name):
        """Takes the limit away."""
        for namespace, device in [(self.namespace(name), "eth0"), (self.switch, name)]:
            run(f"ip netns exec {namespace} tc qdisc del dev {device} root")

    def give_address(self, address, name):
        """Adds an address that may move; everybody learns at once where it is."""
        run(f"ip -n {self.namespace(name)} address add {address}/24 dev eth0")
        for other in self.addresses:
            run(f"ip -n {self.namespace(other)} neigh flush dev eth0")

    def take_address(self, address, name):
        run(f"ip -n {self.namespace(name)} address del {address}/24 dev eth0")

    def close(self):
        if self.client is not None:
            self.client.shutdown(cancel_futures=True)
        for name in [*self.addresses, "switch"]:
            subprocess.run(["ip", "netns", "del", self.namespace(name)], capture_output=True, check=False)


class HostedS3(S3):
    """The server on the host `store`, asked from the host `client`."""

    def __init__(self, directory, network):
        self.network = network
        self.address = network.addresses["store"]
        self.prefix = network.prefix("store")
        super().__init__(directory)

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name not in {"network", "process", "log"}}

    def make_bucket(self):
        self.network.call(S3.make_bucket, self)

    def keys(self, prefix):
        return self.network.call(S3.keys, self, prefix)


class HostedCluster(Cluster):
    """Each process on the host of its name; the coordinator at an address that can move with it."""

    address = "10.77.0.200"

    def __init__(self, directory, s3, network, puts_per_second=None):
        self.network = network
        network.give_address(self.address, "coordinator")
        self.host = "coordinator"
        super().__init__(directory, s3, puts_per_second=puts_per_second, journal=s3.url(f"{directory.name}-journal"))

    def prefix(self, name):
        return self.network.prefix(name)

    def replace_coordinator(self):
        """The host of the coordinator is lost, and another takes over its address and its journal."""
        self.network.unplug("coordinator")
        self.network.take_address(self.address, "coordinator")
        self.network.give_address(self.address, "reserve")
        self.host = "reserve"
        self.follow(self.start_coordinator("reserve", port=self.port))

    def stop(self):
        super().stop()
        self.network.take_address(self.address, self.host)


SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (256, 256, 512), (1, 256, 512), "256,16,32"


def values():
    return np.random.default_rng(7).normal(280, 10, SHAPE).astype("float32").round(1)


def make_source(s3, path):
    """128 MiB of maps."""
    codec = zarr.codecs.BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")
    array = zarr.create_array(s3.zarr(path), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4", compressors=(codec,))
    array[...] = values()


def is_equal(s3, path):
    target = zarr.open_array(s3.zarr(path), mode="r")
    return np.array_equal(target[...].view("u4"), values().view("u4"))
