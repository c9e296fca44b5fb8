"""The Helm chart: every documented mode is rendered, validated, and started with the real programs."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from chart import (
    CHART, EXAMPLES, containers, default_of, defaults, described, example, flags, helm, objects_of, of_kind, rendered,
    schema, template,
)
from conftest import PROGRAMS, ROOT, wait_until
from processes import Programs
from values_table import parts, table

every_example = pytest.mark.parametrize("name", EXAMPLES)
PROGRAM_OF = {"coordinator": "rechunk-coordinator", "worker": "rechunk-worker"}

# Read by what the programs are made of, not by their flags: credentials, and the authorities of TLS.
READ_BY_LIBRARIES = re.compile(r"AWS_[A-Z_]+|SSL_CERT_FILE")


def test_there_are_examples():
    assert len(EXAMPLES) >= 10


OF_OPERATORS = {"keda.sh/v1alpha1": "keda", "monitoring.coreos.com/v1": "prometheus-operator"}
"""Types that Kubernetes does not know of itself, and the package that has their schemas."""


def validate(manifests):
    """The exit code of the validator, and what it says."""
    program = pathlib.Path(sys.executable).parent / "kubernetes-validate"
    ended = subprocess.run([program, "-k", "1.37", "--strict", manifests], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@every_example
def test_a_documented_mode_passes_lint_and_the_schemas_of_kubernetes(name, tmp_path):
    ended = helm("lint", "--strict", CHART, "--values", example(name))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    manifests = tmp_path / "manifests.yaml"
    own = [entry for entry in rendered(name) if entry["apiVersion"] not in OF_OPERATORS]
    manifests.write_text(yaml.safe_dump_all(own))
    ended, said = validate(manifests)
    assert ended == 0 and "ERROR" not in said and "WARN" not in said, said
    assert said.count("INFO") == len(own), said


def validate_for_operators(objects):
    """What the operators' own types say against these objects, one line each; empty: nothing."""
    modules = os.environ.get("RECHUNK_TEST_NODE_MODULES")
    if not modules:
        pytest.skip("RECHUNK_TEST_NODE_MODULES is not set: tests/run installs the operators' types where there is Node.js")
    program = """
      for (const { module, object } of JSON.parse((await import("node:fs")).readFileSync(0))) {
        const types = await import(module);
        try { new types[object.kind](object).validate(); } catch (error) { console.log(object.kind + ": " + error.message); }
      }"""
    asked = [{"module": f"@kubernetes-models/{OF_OPERATORS[entry['apiVersion']]}/{entry['apiVersion']}/{entry['kind']}",
              "object": entry}
             for entry in objects]
    ended = subprocess.run(["node", "--input-type=module", "--eval", program], input=json.dumps(asked), check=False,
                           capture_output=True, text=True, cwd=pathlib.Path(modules).parent)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_objects_of_operators_pass_their_types():
    objects = [entry for name in EXAMPLES for entry in rendered(name) if entry["apiVersion"] in OF_OPERATORS]
    assert {entry["kind"] for entry in objects} == {"ScaledObject", "TriggerAuthentication", "PodMonitor"}
    assert validate_for_operators(objects) == ""


def test_the_types_of_operators_notice_a_wrong_object():
    (scaler,) = of_kind(rendered("scale-to-zero"), "ScaledObject")
    wrong = {**scaler, "spec": {**scaler["spec"], "maxReplicaCount": "many"}}
    assert "maxReplicaCount" in validate_for_operators([wrong])


def test_the_validator_notices_a_wrong_manifest(tmp_path):
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(template("--values", example("minimal")).replace("containerPort: 7380", "containerPort: many"))
    ended, said = validate(manifests)
    assert ended != 0 and "many" in said


def program_help(component):
    ended = subprocess.run([PROGRAMS / PROGRAM_OF[component], "--help"], capture_output=True, text=True, check=True)
    return ended.stdout


@every_example
@pytest.mark.parametrize("component", ["coordinator", "worker"])
def test_every_flag_and_variable_is_one_of_the_programs(name, component):
    text = program_help(component)
    known = set(re.findall(r"--[a-z][a-z-]*", text))
    variables = set(re.findall(r"\[env: ([A-Z_]+)=", text)) | {"RUST_LOG"}
    assert "RUST_LOG" in text and "--config" in known and "RECHUNK_CONFIG" in variables
    variables |= set(re.findall(r"OTEL_[A-Z_]+", (ROOT / "deploy" / "TRACES.md").read_text()))
    keys = set(re.findall(r'_env = "([A-Z_]+)"', "".join(config_of(name) or "")))
    found = containers(rendered(name), component)
    assert found
    for container in found.values():
        assert container["command"] == [PROGRAM_OF[component]]
        assert set(flags(container)) <= known
        for variable in container.get("env", []):
            assert variable["name"] in variables | keys or READ_BY_LIBRARIES.fullmatch(variable["name"]), variable


def config_of(name):
    """The TOML file of a mode, where the chart makes it."""
    maps = of_kind(rendered(name), "ConfigMap")
    return maps[0]["data"]["config.toml"] if maps else None


@every_example
def test_the_programs_start_with_what_is_rendered(name, tmp_path):
    objects = rendered(name)
    (coordinator,) = containers(objects, "coordinator").values()
    config = config_of(name)
    if config is not None:
        values = yaml.safe_load(example(name).read_text())
        assert tomllib.loads(config)["stores"] == values["config"]["stores"], "a table was changed on its way"
    with Programs(tmp_path, config or "") as programs:
        url, workers_url = programs.coordinator(coordinator)
        assert programs.is_serving(url, "") and programs.is_serving(workers_url, "")
        assert programs.is_serving(url, "rechunk.v1.RechunkService")
        assert not programs.is_serving(workers_url, "rechunk.v1.RechunkService"), "users on the workers' port"
        pools = containers(objects, "worker")
        for pool, container in pools.items():
            programs.worker(pool, container, workers_url)
        programs.workers_are(url, set(pools))
        for program, container in [("coordinator", coordinator), *pools.items()]:
            assert {port["name"] for port in container["ports"]} >= {"http"}
            for probe in ("livenessProbe", "readinessProbe"):
                assert container[probe]["httpGet"]["port"] == "http"
                programs.answers(program, container[probe]["httpGet"]["path"])


@every_example
def test_one_value_is_the_memory_of_a_worker_and_what_its_container_may_have(name):
    for container in containers(rendered(name), "worker").values():
        memory = int(flags(container)["--memory"].removesuffix("MiB"))
        limit = container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["memory"] == limit, "another pod may have what it was promised"
        assert memory + 128 <= int(limit.removesuffix("Mi")) <= memory + 256
        assert int(flags(container)["--cpus"]) == container["resources"]["requests"]["cpu"]


def test_sizes_are_counted_in_whole_mebibytes():
    for size, mebibytes in [("3Gi", 3072), ("1536Mi", 1536)]:
        text = template("--values", example("minimal"), "--set", f"worker.memory={size},worker.memoryHeadroom=512Mi")
        assert f"--memory={mebibytes}MiB" in text and f"memory: {mebibytes + 512}Mi" in text


@every_example
def test_pods_have_no_more_rights_than_they_need(name):
    for deployment in of_kind(rendered(name), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@every_example
def test_times_fit_together(name):
    (coordinator,) = containers(rendered(name), "coordinator").values()
    for deployment in of_kind(rendered(name), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        own = flags(pod["containers"][0])
        if "--grace" in own:
            # Five seconds for the last reports, and the rest for the disk.
            assert pod["terminationGracePeriodSeconds"] >= int(own["--grace"]) + 10
            assert int(own["--put-timeout"]) < int(flags(coordinator)["--margin"])


@every_example
def test_selectors_find_their_own_pods_only(name):
    deployments = of_kind(rendered(name), "Deployment")
    pods = {entry["metadata"]["name"]: entry["spec"]["template"]["metadata"]["labels"] for entry in deployments}

    def chosen(selector):
        return {pod for pod, labels in pods.items() if selector.items() <= labels.items()}

    for deployment in deployments:
        assert chosen(deployment["spec"]["selector"]["matchLabels"]) == {deployment["metadata"]["name"]}
    for budget in of_kind(rendered(name), "PodDisruptionBudget"):
        assert chosen(budget["spec"]["selector"]["matchLabels"]) == {budget["metadata"]["name"]}
    for service in of_kind(rendered(name), "Service"):
        (coordinator,) = chosen(service["spec"]["selector"])
        ports = {port["name"] for port in containers(rendered(name), "coordinator")[coordinator]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@every_example
def test_workers_call_a_service_that_is_there(name):
    services = {entry["metadata"]["name"]: entry for entry in of_kind(rendered(name), "Service")}
    for container in containers(rendered(name), "worker").values():
        host, _, port = flags(container)["--coordinator"].partition("://")[2].partition(":")
        assert int(port) in [entry["port"] for entry in services[host]["spec"]["ports"]]
        assert services[host]["spec"]["type"] == "ClusterIP"


def test_two_coordinators_never_fight():
    (pair,) = containers(rendered("standby"), "coordinator").values()
    assert "--standby" in flags(pair)
    assert pair["livenessProbe"]["httpGet"]["path"] == "/livez", "one that stands by would be killed for not being ready"
    (single,) = containers(rendered("minimal"), "coordinator").values()
    assert "--standby" not in flags(single)
    for name in ("standby", "minimal"):
        (deployment, *_) = of_kind(rendered(name), "Deployment")
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_of_a_pair_one_listens_and_the_other_takes_over(tmp_path):
    times = "coordinator.lease=1,coordinator.margin=2,worker.putTimeout=1"
    objects = objects_of(template("--values", example("standby"), "--set", times))
    (container,) = containers(objects, "coordinator").values()
    assert of_kind(objects, "Deployment")[0]["spec"]["replicas"] == 2
    with Programs(tmp_path, config_of("standby")) as programs:
        url, _ = programs.coordinator(container, "first")
        log = programs.start_coordinator(container, "second")
        wait_until(lambda: "standing by" in log(), "the second one")
        assert programs.is_serving(url, "")
        assert "listening" not in log(), "it would get calls that it cannot answer"
        programs.answers("second", "/livez")
        programs.answers("second", "/readyz", 503)
        programs.kill("first")
        url, _ = programs.addresses(log)
        assert programs.is_serving(url, "")


def test_who_scales_reaches_the_coordinator_by_a_name_that_its_certificate_can_have():
    (scaler,) = of_kind(rendered("secured"), "ScaledObject")
    (trigger,) = scaler["spec"]["triggers"]
    assert trigger["metadata"]["scalerAddress"] == "here-rechunk-coordinator.science.svc:7380"
    (authentication,) = of_kind(rendered("secured"), "TriggerAuthentication")
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    (container,) = containers(rendered("secured"), "worker").values()
    assert trigger["metadata"]["slotsPerWorker"] == flags(container)["--cpus"]


def test_traces_and_logs_are_as_the_values_say():
    def variables(name, component):
        (container,) = containers(rendered(name), component).values()
        return {variable["name"]: variable.get("value") for variable in container["env"]}

    for component in PROGRAM_OF:
        asked = variables("secured", component)
        assert asked["RECHUNK_LOG_FORMAT"] == "json"
        assert asked["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.observability:4317"
        assert (asked["OTEL_TRACES_SAMPLER"], asked["OTEL_TRACES_SAMPLER_ARG"]) == ("traceidratio", "0.1")
        usual = variables("minimal", component)
        assert usual["RECHUNK_LOG_FORMAT"] == "text" and not any(name.startswith("OTEL") for name in usual)


def test_metrics_are_read_by_those_who_are_named():
    def ingress(*arguments):
        objects = objects_of(template("--values", example("locked-down"), *arguments))
        return {entry["metadata"]["name"]: entry["spec"]["ingress"] for entry in of_kind(objects, "NetworkPolicy")}

    named = ingress("--set-json", 'networkPolicy.scrapers=[{"podSelector":{}}]')
    for name, rules in ingress().items():
        assert named[name] == [*rules, {"ports": [{"port": "http"}], "from": [{"podSelector": {}}]}]


def test_a_change_of_the_tables_restarts_the_pods():
    def checksums(*arguments):
        text = template("--values", example("minimal"), *arguments)
        return set(re.findall(r"checksum/config: ([0-9a-f]+)", text))

    before, after = checksums(), checksums("--set-json", "config.workerHour=0.5")
    assert len(before) == len(after) == 1 and before != after


def test_a_named_identity_reaches_the_service_accounts():
    accounts = {entry["metadata"]["name"]: entry for entry in of_kind(rendered("eks-irsa"), "ServiceAccount")}
    for component in ("coordinator", "worker"):
        account = accounts[f"here-rechunk-{component}"]
        role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        assert role.endswith(f"role/rechunk-{component}")
        (container,) = containers(rendered("eks-irsa"), component).values()
        assert "envFrom" not in container, "keys would win over the role"


def test_the_workers_port_is_for_workers_only():
    policies = {entry["metadata"]["name"]: entry["spec"] for entry in of_kind(rendered("locked-down"), "NetworkPolicy")}
    workers, users = policies["here-rechunk-coordinator"]["ingress"]
    assert workers["ports"] == [{"port": "grpc-workers"}]
    (peer,) = workers["from"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "worker"
    assert users["ports"] == [{"port": "grpc"}] and "namespaceSelector" in users["from"][0]
    assert policies["here-rechunk-worker"]["ingress"] == []
    assert any(rule["ports"] == [{"port": "grpc-workers"}] for rule in policies["here-rechunk-worker"]["egress"])


@pytest.mark.parametrize(("name", "kind"), [
    ("autoscaling", "HorizontalPodAutoscaler"), ("scale-to-zero", "ScaledObject"), ("secured", "ScaledObject")])
def test_a_scaled_pool_leaves_its_size_to_the_scaler(name, kind):
    objects = rendered(name)
    (scaler,) = of_kind(objects, kind)
    deployments = {entry["metadata"]["name"]: entry["spec"] for entry in of_kind(objects, "Deployment")}
    assert "replicas" not in deployments[scaler["spec"]["scaleTargetRef"]["name"]]


@pytest.mark.parametrize("values, said", [
    ("coordinator.journal=", "coordinator.journal is not set"),
    ("coordinator.journal=ftp://bucket/journal", "journal"),
    ("tls.workersSecret=mine", "tls.existingSecret is not"),
    ("tokens.usersSecret=mine", "a token is sent encrypted only"),
    ("coordinator.replicas=3", "replicas"),
    ("coordinator.lease=0", "lease"),
    ("coordinator.jurnal=s3://b/j", "jurnal"),
    ("coordinator.margin=20", "worker.putTimeout (25) must be less than coordinator.margin (20)"),
    ("coordinator.journal=memory:,coordinator.replicas=2", "memory:"),
    ("coordinator.service.workersPort=7380", "the same"),
    ("worker.memory=4", "memory"),
    ("worker.memory=4.5Gi", "memory"),
    ("worker.cpus=0.5", "cpus"),
    ("worker.autoscaling.type=vpa", "type"),
    ("worker.autoscaling.type=hpa,worker.autoscaling.minReplicas=0", "take keda"),
    ("worker.autoscaling.type=hpa,worker.autoscaling.minReplicas=11", "minReplicas (11) is more than maxReplicas (10)"),
    ("worker.pools.spot.putTimeout=31", "worker.putTimeout (31)"),
    ("worker.pools.spot.memori=4Gi", "memori"),
    ("worker.pools.spot.serviceAccount.name=x", "serviceAccount"),
    ("worker.pools.Spot.replicas=1", "Spot"),
    ("config.stores[0].prefix=s3://b,config.stores[0].access=write", "access"),
    ("config.stores[0].prefix=s3://b,config.stores[0].access=read,config.stores[0].regoin=x", "regoin"),
    ("config.stores[1].access=read", "prefix"),
    ("config.existingConfigMap=mine", "both set"),
    ("image.digest=sha256:1", "digest"),
    ("worker.serviceAccount.name=x,coordinator.serviceAccount.name=x", "service account"),
    ("replicas=3", "replicas"),
    ("monitoring.port=7383", "monitoring.port"),
])
def test_a_wrong_value_is_refused_and_named(values, said):
    ended = helm("template", "here", CHART, "--values", example("minimal"), "--set", values)
    assert ended.returncode != 0, "it was accepted"
    assert said in ended.stderr, ended.stderr


def leaves(value, path=()):
    if isinstance(value, dict) and value and path not in {("podSecurityContext",), ("securityContext",)}:
        for name, child in value.items():
            yield from leaves(child, (*path, name))
    else:
        yield path


def test_every_value_is_described_and_has_a_default():
    described_paths = {path: text for path, text in described(schema()) if path != ("global",)}
    for path, text in described_paths.items():
        assert text and text.endswith("."), path
        default_of(path)
    for path in leaves(defaults()):
        assert any(path[:n] in described_paths for n in range(1, len(path) + 1)), f"{path} is not in the schema"


def test_a_pool_takes_what_all_workers_take():
    worker = set(schema()["properties"]["worker"]["properties"])
    assert set(schema()["definitions"]["pool"]["properties"]) == worker - {"pools", "serviceAccount"}


def test_the_readme_has_the_table_of_values_and_names_every_example():
    before, written, after = parts()
    assert written == table(), "run tests/deploy/values_table.py"
    for name in EXAMPLES:
        assert f"examples/{name}.yaml" in before + after, name


def test_the_notes_say_what_is_missing():
    def notes(*arguments):
        ended = helm("install", "here", CHART, "--dry-run=client", "--values", example("minimal"), *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.split("NOTES:")[1]

    assert "is empty" not in notes() and "in memory" not in notes()
    assert "config.stores is empty" in notes("--set-json", "config.stores=[]")
    assert "forgotten every job" in notes("--set", "coordinator.journal=memory:")
    assert "not with helm --wait" in notes("--set", "coordinator.replicas=2")
    assert "asks nobody who they are" in notes("--set", "coordinator.service.type=LoadBalancer")
    secured = "coordinator.service.type=LoadBalancer,tls.existingSecret=tls,tokens.usersSecret=users"
    assert "asks nobody who they are" not in notes("--set", secured)


def test_json_of_the_schema_is_valid():
    import jsonschema

    jsonschema.Draft7Validator.check_schema(json.loads((CHART / "values.schema.json").read_text()))
