"""The alerts and the dashboard: every expression parses, and names metrics and labels that exist."""

import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import ROOT
from metrics import documented

DEPLOY = ROOT / "deploy"
# What Prometheus itself adds, and the bounds of histograms.
LABELS_OF_PROMETHEUS = {"job", "instance", "le"}
DEBIAN = ROOT / "tests" / ".env" / "debian"


def promtool_of_debian():
    """Debian's promtool, unpacked beside the tests' environment; `None` where it cannot be had."""
    tool = DEBIAN / "usr" / "bin" / "promtool"
    if not tool.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        DEBIAN.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "prometheus"], cwd=DEBIAN, check=False, capture_output=True, timeout=300)
        for package in DEBIAN.glob("prometheus_*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, DEBIAN], check=False, timeout=300)
            package.unlink()
    return tool if tool.exists() else None


@pytest.fixture(scope="session")
def promtool():
    """`promtool(...)` runs it and returns what it says."""
    found = os.environ.get("RECHUNK_TEST_PROMTOOL") or shutil.which("promtool") or promtool_of_debian()
    if not found:
        pytest.skip("NO PROMTOOL: alerts and dashboard are not checked; install Debian's package prometheus")

    def run(*arguments):
        ended = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run


def alerts():
    """The expression of each alert. The file has one way of writing them."""
    text = (DEPLOY / "alerts.yaml").read_text()
    found = re.findall(r"- alert: (\w+)\n +expr: (.*?)\n +(?:for|labels):", text, re.S)
    assert len(found) == text.count("alert:") > 10
    return {name: expression.removeprefix(">-").strip() for name, expression in found}


def dashboard():
    return json.loads((DEPLOY / "grafana" / "rechunk.json").read_text())


def panels():
    """Each panel's expressions, its variables filled in."""
    variables = {name: ".*" for name in ["coordinator", "worker", "store"]} | {"__rate_interval": "5m"}

    def filled(expression):
        return re.sub(r"\$(\w+)", lambda variable: variables[variable[1]], expression)

    return {panel["title"]: [filled(target["expr"]) for target in panel["targets"]]
            for panel in dashboard()["panels"] if panel["type"] != "row"}


def check_names(what, expression):
    table = documented()
    names = re.findall(r"\brechunk_\w+", expression)
    assert names, f"{what} names no metric: {expression}"
    labels = set(LABELS_OF_PROMETHEUS)
    for name in names:
        base = name
        if name not in table:
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert base in table and table[base].kind == "histogram", f"{what}: there is no {name}"
        labels |= table[base].labels
        if table[base].kind == "counter" or base != name:
            assert re.search(rf"(rate|increase)\({name}\b", expression), f"{what}: {name} only goes up"
    used = set(re.findall(r"[{,]\s*(\w+)\s*[=!]", expression))
    for listed in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        used |= {label.strip() for label in listed.split(",")}
    assert used <= labels, f"{what}: no label {used - labels}"


def test_every_alert_names_metrics_and_labels_that_exist():
    for name, expression in alerts().items():
        check_names(name, expression)


def test_every_panel_names_metrics_and_labels_that_exist():
    shown = panels()
    assert len(shown) > 20
    for title, expressions in shown.items():
        for expression in expressions:
            check_names(title, expression)


def test_the_dashboard_shows_every_metric_that_it_could():
    text = json.dumps(panels())
    # Seen as the number of a stat, or beside its twin.
    assert [name for name in documented() if name not in text] == []


def test_panels_have_ids_and_places_of_their_own():
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24


def test_alerts_fire_when_they_should_and_not_else(promtool):
    promtool("check", "rules", DEPLOY / "alerts.yaml")
    promtool("test", "rules", DEPLOY / "alerts.test.yaml")
    tested = (DEPLOY / "alerts.test.yaml").read_text()
    assert [name for name in alerts() if name not in tested] == []


def test_every_expression_of_the_dashboard_parses(promtool, tmp_path):
    expressions = [expression for panel in panels().values() for expression in panel]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    # JSON is YAML.
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(expressions)} rules found" in promtool("check", "rules", file)
    broken = tmp_path / "broken.yaml"
    broken.write_text(file.read_text().replace("sum(", "sum((", 1))
    with pytest.raises(AssertionError):
        promtool("check", "rules", broken)
