"""What the files in docker/ promise, read as their tools read them; no container engine needed."""

import re
import runpy
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
DOCKER = PROJECT / "docker"
SERVICES = ("head", "worker", "gpu-worker")
OTHERS = ("postgres", "dashboard")
SECRET = re.compile(r"token|password|secret|credential|api_?key", re.IGNORECASE)


def compose() -> dict:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def expand(value: str, **environment: str) -> str:
    """Compose's ${NAME:-default} and ${NAME:+other} are the shell's."""
    command = ["sh", "-c", f'printf %s "{value}"']
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


def mounts(service: str, **environment: str) -> dict[str, tuple[str, str]]:
    """Map each folder of a service's containers to what is mounted there, and how."""
    found = {}
    for volume in compose()["services"][service]["volumes"]:
        source, folder, *mode = expand(volume, **environment).split(":")
        found[folder] = (source, ":".join(mode))
    return found


def instructions() -> list[str]:
    """Return the Dockerfile's instructions, one line each."""
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def reachable_from_outside(services: dict) -> list[str]:
    """Return what makes a service reachable from other machines."""
    found = []
    for name, service in services.items():
        for port in service.get("ports", []):
            shown = port.get("host_ip", "") if isinstance(port, dict) else port.rpartition(":")[0]
            if not shown.startswith(("127.0.0.1", "[::1]", "::1")):
                found.append(f"{name}: {port}")
        if service.get("network_mode") == "host":
            found.append(f"{name}: network_mode host")
    return found


def test_no_port_is_published_beyond_this_machine() -> None:
    services = compose()["services"]
    assert set(services) == {*SERVICES, *OTHERS}
    assert reachable_from_outside(services) == []


@pytest.mark.parametrize(
    "service",
    [
        {"ports": ["8265:8265"]},
        {"ports": ["6379"]},
        {"ports": ["0.0.0.0:8265:8265"]},
        {"ports": [{"target": 8265, "published": "8265"}]},
        {"network_mode": "host"},
    ],
)
def test_an_open_port_would_be_found(service: dict) -> None:
    assert len(reachable_from_outside({"head": service})) == 1
    assert reachable_from_outside({"head": {"ports": ["127.0.0.1:8265:8265"]}}) == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_node_asks_for_the_token_and_holds_only_its_path(service: str) -> None:
    environment = compose()["services"][service]["environment"]
    assert environment["RAY_AUTH_MODE"] == "token"
    assert {name for name in environment if SECRET.search(name)} == {"RAY_AUTH_TOKEN_PATH"}
    folder = str(Path(environment["RAY_AUTH_TOKEN_PATH"]).parent)
    source, mode = mounts(service)[folder]
    assert source in compose()["volumes"]
    assert mode == ("" if service == "head" else "ro")


@pytest.mark.parametrize("service", OTHERS)
def test_no_password_stands_in_an_environment(service: str) -> None:
    settings = compose()["services"][service]
    for name, value in settings["environment"].items():
        assert not SECRET.search(name) or (name.endswith("_FILE") and value.startswith("/token/"))
    assert mounts(service)["/token"] == ("token", "ro")
    url = urlsplit(compose()["services"]["head"]["environment"]["SWEEPS_STUDY_URL"])
    assert (url.password, url.query) == (None, "passfile=/token/pgpass")


@pytest.mark.parametrize("service", OTHERS)
def test_what_serves_studies_has_few_rights_too(service: str) -> None:
    settings = compose()["services"][service]
    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]
    # The one user who can read the password's file.
    user = settings.get("user", "${SWEEPS_UID:-1000}")
    assert user == compose()["services"]["head"]["build"]["args"]["SWEEPS_UID"]


def test_the_image_holds_no_secret() -> None:
    named = [line for line in instructions() if re.match(r"(ENV|ARG|COPY|ADD)\b", line)]
    assert [line for line in named if SECRET.search(line)] == []


@pytest.mark.parametrize("path", sorted(DOCKER.glob("*")), ids=lambda path: path.name)
def test_no_file_names_an_address_of_the_network(path: Path) -> None:
    assert re.findall(r"https?://|index-url|trusted-host", path.read_text()) == []


@pytest.mark.parametrize("service", SERVICES)
def test_containers_run_with_few_rights_and_end_soon(service: str) -> None:
    settings = compose()["services"][service]
    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]
    assert not settings.get("privileged")
    assert settings["healthcheck"]["test"][-1] == "health"
    assert 1 <= int(settings["stop_grace_period"].removesuffix("s")) <= 60
    users = [line.split()[1] for line in instructions() if line.startswith("USER ")]
    assert users[-1] not in ("root", "0")


def test_the_object_store_fits_into_shared_memory() -> None:
    store = runpy.run_path(str(DOCKER / "ray_node.py"))["OBJECT_STORE_BYTES"]
    for service in SERVICES:
        assert store < int(compose()["services"][service]["shm_size"].removesuffix("m")) * 2**20


@pytest.mark.parametrize("service", SERVICES)
def test_a_folder_of_data_is_mounted_read_only_and_a_volume_is_not(service: str) -> None:
    assert mounts(service, SWEEPS_DATA="/srv/data")["/data"] == ("/srv/data", "ro")
    source, mode = mounts(service)["/data"]
    assert source in compose()["volumes"]
    assert mode == ""


def test_all_nodes_share_the_results_at_one_path() -> None:
    for environment in ({}, {"SWEEPS_RESULTS": "/srv/results"}):
        places = {mounts(service, **environment)["/results"] for service in SERVICES}
        assert len(places) == 1
    assert "SWEEPS_ROOT=/results" in " ".join(instructions())


def test_the_example_names_every_setting_and_no_other() -> None:
    used = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    example = (DOCKER / ".env.example").read_text()
    assert set(re.findall(r"^#?(\w+)=", example, re.MULTILINE)) == used
    assert ".env" in (DOCKER / ".gitignore").read_text().split()


def test_the_base_image_can_be_chosen_and_its_python_is_new_enough() -> None:
    argument, start = instructions()[:2]
    assert start == "FROM ${BASE_IMAGE}"
    default = re.fullmatch(r"ARG BASE_IMAGE=python:(\d+)\.(\d+)-slim", argument)
    assert default is not None
    required = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = tuple(int(part) for part in required.removeprefix(">=").split("."))
    assert tuple(map(int, default.groups())) >= oldest


def test_the_image_installs_the_pinned_versions_before_any_source() -> None:
    lines = instructions()
    installs = [index for index, line in enumerate(lines) if "pip install" in line]
    assert len(installs) == 1
    assert "-c constraints.txt" in lines[installs[0]]
    copied = [line.split()[1:-1] for line in lines[: installs[0]] if line.startswith("COPY")]
    assert copied == [["pyproject.toml", "constraints.txt"]]


def test_the_image_has_a_compiler_for_the_kernels_and_no_package_lists() -> None:
    (step,) = [line for line in instructions() if "apt-get install" in line]
    assert "--no-install-recommends g++" in step
    assert step.endswith("rm -rf /var/lib/apt/lists/*")


def test_the_image_gets_every_package_and_little_else() -> None:
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = wheel["targets"]["wheel"]["packages"]
    copies = [line.split()[1:-1] for line in instructions() if line.startswith("COPY")]
    sources = {source for copy in copies for source in copy}
    assert set(packages) <= sources
    ignore = (PROJECT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in ignore if line.startswith("!")} - {"docker"}
    assert sent == sources
    assert "*" in ignore
    assert "docker/*" in ignore


def test_the_profile_of_gpus_gives_one_worker_all_of_them() -> None:
    worker = compose()["services"]["gpu-worker"]
    devices = worker["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert worker["scale"] == 1
    assert [name for name, one in compose()["services"].items() if "profiles" in one] == [
        "gpu-worker"
    ]


def test_make_starts_uses_and_ends_the_same_cluster() -> None:
    for target, words in {
        "cluster-up": "up -d --build --wait",
        "cluster-sweep": "exec head sweeps run quickstart --address auto",
        "cluster-down": "down",
    }.items():
        command = ["make", "--dry-run", "--no-print-directory", target]
        told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        assert told.stdout.split() == [
            "docker",
            "compose",
            "-f",
            "docker/compose.yaml",
            *words.split(),
        ]
