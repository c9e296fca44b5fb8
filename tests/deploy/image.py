"""The image, built and run without an engine: buildah makes it, umoci unpacks it, runc runs it.

Nothing is compiled and nothing is pulled: the last stage of the Dockerfile is built on what deploy/rootfs makes of the
programs that are there.
"""

import json
import os
import shutil
import subprocess

from conftest import PROGRAMS, ROOT

NEEDED = ["buildah", "umoci", "runc"]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def why_not():
    """What is missing for building and running images, if anything."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"not installed: {' '.join(missing)} (Debian's packages of these names)"
    if os.geteuid() != 0:
        return "containers are made by root here"
    return None


class NotPermitted(Exception):
    """The machine lets nobody make a container."""


def run(*command, **options):
    ended = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, check=False, **options)
    assert ended.returncode == 0, f"{command}: {ended.stderr}{ended.stdout}"
    return ended.stdout


class Image:
    """Unpacked into a bundle that runc takes."""

    def __init__(self, directory):
        self.directory = directory
        self.bundle = directory / "bundle"
        context, nothing = directory / "context", directory / "nothing"
        nothing.mkdir(parents=True)
        run(ROOT / "deploy" / "rootfs", PROGRAMS, context / "rootfs")
        storage = ["--storage-driver", "vfs", "--root", directory / "storage", "--runroot", directory / "run"]
        buildah = ["buildah", *storage]
        run(*buildah, "bud", "--isolation", "chroot", "--target", "image", "--build-context", f"rootfs={context}",
            "--file", DOCKERFILE, "--tag", "rechunk:test", nothing)
        run(*buildah, "push", "rechunk:test", f"oci:{directory}/oci:test")
        run("umoci", "unpack", "--image", f"{directory}/oci:test", self.bundle)
        self.config = json.loads((self.bundle / "config.json").read_text())
        self.size = int(run("du", "--summarize", "--bytes", self.bundle / "rootfs").split()[0])
        self.containers = 0

    def run(self, *command, env=None, mounts=(), timeout=180):
        """Runs a command as Kubernetes would: a read-only root, no capability, this machine's network."""
        config = json.loads(json.dumps(self.config))
        process = config["process"]
        process |= {"terminal": False, "args": [str(part) for part in command], "rlimits": [], "noNewPrivileges": True,
                    "capabilities": {}}
        process["env"] += [f"{name}={value}" for name, value in (env or {}).items()]
        config["root"]["readonly"] = True
        config["linux"]["namespaces"] = [entry for entry in config["linux"]["namespaces"] if entry["type"] != "network"]
        config["linux"].pop("resources", None)
        config["mounts"] = [
            entry for entry in config["mounts"] if entry["type"] not in {"cgroup", "sysfs", "mqueue"}]
        config["mounts"] += [
            {"destination": str(inside), "type": "bind", "source": str(outside), "options": ["bind", mode]}
            for outside, inside, mode in mounts]
        (self.bundle / "config.json").write_text(json.dumps(config))
        self.containers += 1
        name = f"rechunk-test-{os.getpid()}-{self.containers}"
        runc = ["runc", "--root", str(self.directory / "runc")]
        try:
            return subprocess.run([*runc, "run", "--bundle", str(self.bundle), name], capture_output=True, text=True,
                                  timeout=timeout, check=False, stdin=subprocess.DEVNULL)
        finally:
            subprocess.run([*runc, "delete", "--force", name], capture_output=True, check=False)

    def check_permitted(self):
        """Says what the machine forbids, where it forbids containers."""
        ended = self.run("rechunk", "--version")
        if ended.returncode != 0 and "runc run failed" in ended.stderr:
            raise NotPermitted(ended.stderr.strip())
