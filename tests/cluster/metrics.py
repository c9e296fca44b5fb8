"""Metrics as the programs show them, and as deploy/METRICS.md says that they are."""

import re
import urllib.error
import urllib.request
from collections import namedtuple

from conftest import ROOT, wait_until

Metric = namedtuple("Metric", "kind labels program help")
NAME = r"[a-z][a-z0-9_]*"


def documented():
    """The table of deploy/METRICS.md: each metric by its name."""
    rows = re.findall(rf"^\| `({NAME})` \| (\w+) \| (.*?) \| (\w+) \| (.*) \|$", (ROOT / "deploy" / "METRICS.md").read_text(), re.M)
    return {name: Metric(kind, set(re.findall(NAME, labels)), program, text) for name, kind, labels, program, text in rows}


class Face:
    """The HTTP side of a process."""

    def __init__(self, process):
        self.process = process
        found = []

        def listening():
            assert process.process.poll() is None, process.text()
            found[:] = re.findall(r"http=127\.0\.0\.1:(\d+)", process.text())
            return found

        wait_until(listening, f"{process.name}'s --http")
        self.url = f"http://127.0.0.1:{found[0]}"

    def get(self, path):
        """The status and the text."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def status(self, path):
        return self.get(path)[0]

    def scrape(self):
        status, text = self.get("/metrics")
        assert status == 200, text
        return Scrape(text)


class Scrape:
    """One answer of /metrics."""

    def __init__(self, text):
        self.text = text
        self.kinds = dict(re.findall(rf"^# TYPE ({NAME}) (\w+)$", text, re.M))
        self.helps = dict(re.findall(rf"^# HELP ({NAME}) (.*)$", text, re.M))
        self.samples = []
        for name, labels, value in re.findall(rf"^({NAME})(?:\{{(.*?)\}})? (\S+)$", text, re.M):
            self.samples.append((name, dict(re.findall(rf'({NAME})="((?:[^"\\]|\\.)*)"', labels)), float(value)))

    def base(self, sample):
        """The metric of a sample: a histogram has several."""
        if sample in self.kinds:
            return sample
        name = re.sub(r"_(bucket|sum|count)$", "", sample)
        assert self.kinds.get(name) == "histogram", f"{sample} has no type"
        return name

    def labels(self):
        """Every label of each metric."""
        found = {name: set() for name in self.kinds}
        for sample, labels, _ in self.samples:
            found[self.base(sample)] |= set(labels) - {"le"}
        return found

    def value(self, name, **labels):
        """The sum of the samples that have these labels; there must be one."""
        values = [value for sample, found, value in self.samples if sample == name and labels.items() <= found.items()]
        assert values, f"no {name} {labels} in\n{self.text}"
        return sum(values)
