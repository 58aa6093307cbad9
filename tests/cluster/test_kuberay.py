"""The manifest for Kubernetes, against the fields that KubeRay and Kubernetes document.

No cluster runs here: that the operator accepts the manifest, and that pods start, is not shown.
Fields of `ray.io/v1` are those of KubeRay 1.6's API reference, docs.ray.io/en/latest/cluster/
kubernetes/references/api.html, as far as a cluster and a job like ours may need them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from sweeps.commands.cli import app
from sweeps.spec.reading import bundled_names

DOCKER = Path(__file__).parents[2] / "docker"
MANIFEST = DOCKER / "kuberay.yaml"
TEXTS = {str: str}
"""A map of texts to texts."""

POD = {
    "metadata": {"labels": TEXTS, "annotations": TEXTS},
    "spec": {
        "securityContext": {"runAsNonRoot": bool, "runAsUser": int, "fsGroup": int},
        "volumes": [
            {
                "name": str,
                "persistentVolumeClaim": {"claimName": str, "readOnly": bool},
                "emptyDir": {"medium": str, "sizeLimit": str},
            }
        ],
        "containers": [
            {
                "name": str,
                "image": str,
                "imagePullPolicy": str,
                "env": [{"name": str, "value": str}],
                "securityContext": {
                    "allowPrivilegeEscalation": bool,
                    "capabilities": {"drop": [str], "add": [str]},
                },
                "resources": {"requests": TEXTS, "limits": TEXTS},
                "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}],
                **{
                    probe: {
                        "exec": {"command": [str]},
                        "initialDelaySeconds": int,
                        "periodSeconds": int,
                        "timeoutSeconds": int,
                        "failureThreshold": int,
                    }
                    for probe in ("readinessProbe", "livenessProbe")
                },
            }
        ],
    },
}
KINDS = {
    "PersistentVolumeClaim": {
        "accessModes": [str],
        "storageClassName": str,
        "resources": {"requests": TEXTS},
    },
    "RayCluster": {
        "rayVersion": str,
        "authOptions": {"mode": str, "secretName": str},
        "enableInTreeAutoscaling": bool,
        "autoscalerOptions": {"idleTimeoutSeconds": int, "upscalingMode": str},
        "suspend": bool,
        "headGroupSpec": {"serviceType": str, "rayStartParams": TEXTS, "template": POD},
        "workerGroupSpecs": [
            {
                "groupName": str,
                "replicas": int,
                "minReplicas": int,
                "maxReplicas": int,
                "idleTimeoutSeconds": int,
                "numOfHosts": int,
                "rayStartParams": TEXTS,
                "template": POD,
            }
        ],
    },
    "RayJob": {
        "clusterSelector": TEXTS,
        "entrypoint": str,
        "submissionMode": str,
        "runtimeEnvYAML": str,
        "activeDeadlineSeconds": int,
        "suspend": bool,
    },
}
HEADER = {"apiVersion": str, "kind": str, "metadata": {"name": str}}


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.fixture(scope="module")
def pods(documents: dict[str, Any]) -> list[Any]:
    spec = documents["RayCluster"]["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def unknown(found: object, documented: Any, at: str) -> Iterator[str]:
    """Yield the fields that are not documented, or have another type."""
    if isinstance(documented, type):
        if type(found) is not documented:
            yield f"{at} is a {type(found).__name__}, not a {documented.__name__}"
    elif isinstance(documented, list):
        if not isinstance(found, list):
            yield f"{at} is no list"
            return
        for index, one in enumerate(found):
            yield from unknown(one, documented[0], f"{at}[{index}]")
    elif not isinstance(found, dict):
        yield f"{at} has no fields"
    else:
        for name, value in found.items():
            kind = documented.get(str if documented is TEXTS else name)
            if kind is None:
                yield f"{at}.{name} is no field"
            else:
                yield from unknown(value, kind, f"{at}.{name}")


def test_each_field_is_documented_and_has_its_type(documents: dict[str, Any]) -> None:
    assert set(documents) == set(KINDS)
    for kind, one in documents.items():
        assert list(unknown(one, {**HEADER, "spec": KINDS[kind]}, kind)) == []


def test_the_manifests_versions_and_names_agree(documents: dict[str, Any], pods: list[Any]) -> None:
    cluster, job = documents["RayCluster"], documents["RayJob"]
    assert cluster["apiVersion"] == job["apiVersion"] == "ray.io/v1"
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    pinned = (DOCKER.parent / "constraints.txt").read_text()
    assert f"\nray=={cluster['spec']['rayVersion']}\n" in pinned
    claim = documents["PersistentVolumeClaim"]
    for pod in pods:
        volumes = {one["name"]: one for one in pod["volumes"]}
        (container,) = pod["containers"]
        mounts = {one["mountPath"]: volumes[one["name"]] for one in container["volumeMounts"]}
        claimed = mounts["/results"]["persistentVolumeClaim"]["claimName"]
        assert claimed == claim["metadata"]["name"]
        assert "/data" in mounts
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_nobody_reaches_the_cluster_without_a_token_or_root_within_it(
    documents: dict[str, Any], pods: list[Any]
) -> None:
    assert documents["RayCluster"]["spec"]["authOptions"] == {"mode": "token"}
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        (container,) = pod["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_pods_are_the_images_user_and_probe_the_port_that_ray_listens_on(
    documents: dict[str, Any], pods: list[Any]
) -> None:
    image = (DOCKER / "Dockerfile").read_text()
    (user,) = re.findall(r"ARG SWEEPS_UID=(\d+)", image)
    port = re.findall(r"NODE_PORT = (\d+)", (DOCKER / "ray_node.py").read_text())
    spec = documents["RayCluster"]["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        assert [group["rayStartParams"]["node-manager-port"]] == port
    for pod in pods:
        assert pod["securityContext"]["runAsUser"] == int(user)
        assert pod["securityContext"]["fsGroup"] == int(user)
        (container,) = pod["containers"]
        for probe in (container["readinessProbe"], container["livenessProbe"]):
            assert probe["exec"]["command"][-1] == "health"
            script = probe["exec"]["command"][-2]
            assert script.removeprefix("/opt/polyneuron-sweeps/") in image


def test_the_job_is_a_command_of_ours(documents: dict[str, Any]) -> None:
    program, verb, spec, *options = documents["RayJob"]["spec"]["entrypoint"].split()
    command = typer.main.get_command(app).commands[verb]
    assert program == "sweeps"
    assert spec in bundled_names()
    assert command.make_context(verb, [spec, *options]).params["address"] == "auto"


def test_a_field_that_is_misspelt_is_found(documents: dict[str, Any]) -> None:
    spec = {**documents["RayJob"]["spec"], "clusterSelecter": {}, "entrypoint": 3}
    assert list(unknown(spec, KINDS["RayJob"], "spec")) == [
        "spec.entrypoint is a int, not a str",
        "spec.clusterSelecter is no field",
    ]
