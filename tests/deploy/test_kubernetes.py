"""Kubernetes manifests, put together as kustomize does and held against the published schemas."""

from pathlib import Path
from typing import Any

import jsonpatch
import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
# Of the versions whose schemas the validator brings: an older one that is still looked after, and the newest.
VERSIONS = ("1.34", "1.37")
Manifest = dict[str, Any]


def build(folder: Path) -> list[Manifest]:
    """The parts of kustomize that these files use: resources, namespace, images and JSON patches."""
    file = yaml.safe_load((folder / "kustomization.yaml").read_text())
    used = {"apiVersion", "kind", "namespace", "labels", "resources", "images", "patches"}
    assert set(file) <= used, "this test does not know what else kustomize would do"
    manifests: list[Manifest] = []
    for name in file["resources"]:
        path = folder / name
        manifests += build(path.resolve()) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    for patch in file.get("patches", ()):
        chosen = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == tuple(patch["target"].values())]
        assert len(chosen) == 1, patch["target"]
        jsonpatch.apply_patch(chosen[0], yaml.safe_load(patch["patch"]), in_place=True)
    for image in file.get("images", ()):
        for container in containers(manifests):
            if container["image"].partition(":")[0] == image["name"]:
                container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"
    return manifests


def pods(manifests: list[Manifest]) -> list[Manifest]:
    """Every pod's specification."""
    found = []
    for manifest in manifests:
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found.append(spec["template"]["spec"])
    return found


def containers(manifests: list[Manifest]) -> list[Manifest]:
    return [container for pod in pods(manifests) for container in pod["containers"]]


@pytest.fixture(params=["base", "gpu"])
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return build(FOLDER / request.param)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_published_schemas_take_every_manifest(manifests: list[Manifest], version: str) -> None:
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)
    wrong = manifests[0] | {"speck": 1}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


NAME = "app.kubernetes.io/name"


def test_pods_reach_names_and_the_database_only_and_post_a_mail_server(manifests: list[Manifest]) -> None:
    policies = [m["spec"] for m in manifests if m["kind"] == "NetworkPolicy"]
    everybody = [policy for policy in policies if policy["podSelector"] == {}]
    assert any(set(policy["policyTypes"]) == {"Ingress", "Egress"} and "egress" not in policy for policy in everybody)
    ports = {
        str(policy["podSelector"].get("matchLabels", {}).get(NAME, "")): {
            port["port"] for rule in policy["egress"] for port in rule["ports"]
        }
        for policy in policies
        if "egress" in policy
    }
    assert ports == {"": {53, 3306}, "post": {25, 443, 465, 587}, "web": {9474}}
    (aiming,) = [policy for policy in policies if policy["podSelector"].get("matchLabels", {}).get(NAME) == "web"]
    assert aiming["egress"][0]["to"] == [{"podSelector": {"matchLabels": {NAME: "recognition"}}}]
    (entrance,) = [p for p in policies if {"port": "aiming"} in p.get("ingress", [{}])[0].get("ports", [])]
    assert entrance["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {NAME: "web"}}}]


def test_each_pod_gets_its_own_secrets_only(manifests: list[Manifest]) -> None:
    given = {
        (container["name"], source["secretRef"]["name"])
        for container in containers(manifests)
        for source in container.get("envFrom", ())
        if "secretRef" in source
    }
    assert {name for name, secret in given if secret == "attendance-web"} == {"web"}
    assert {name for name, secret in given if secret == "attendance-post"} == {"post"}
    # Of the dashboard's secrets, which hold the provider's too, the worker gets the one with which it opens keys.
    single = {
        (container["name"], variable["valueFrom"]["secretKeyRef"]["key"])
        for container in containers(manifests)
        for variable in container.get("env", ())
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    assert single == {("post", "ATTENDANCE_WEB_SECRET_KEY")}


def test_every_pod_keeps_to_the_restricted_standard(manifests: list[Manifest]) -> None:
    assert len(pods(manifests)) == 7
    for pod in pods(manifests):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
    for container in containers(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert container["image"].endswith(":0.1.0")


def test_what_is_mounted_is_there_and_what_is_named_exists(manifests: list[Manifest]) -> None:
    claims = {m["metadata"]["name"] for m in manifests if m["kind"] == "PersistentVolumeClaim"}
    names = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    for pod in pods(manifests):
        volumes = {volume["name"] for volume in pod.get("volumes", ())} | {"outbox"}
        for volume in pod.get("volumes", ()):
            assert volume.get("persistentVolumeClaim", {"claimName": "gallery"})["claimName"] in claims
        for container in pod["containers"]:
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes
            assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in names
    (scaler,) = [m for m in manifests if m["kind"] == "HorizontalPodAutoscaler"]
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in names
    for ingress in (m for m in manifests if m["kind"] == "Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            assert ("Service", path["backend"]["service"]["name"]) in names


def test_the_autoscaler_reads_the_metric_that_the_adapter_makes_of_the_services() -> None:
    (scaler,) = [m for m in build(FOLDER / "base") if m["kind"] == "HorizontalPodAutoscaler"]
    values = yaml.safe_load((FOLDER / "monitoring" / "prometheus-adapter-values.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    assert scaler["spec"]["metrics"][0]["pods"]["metric"]["name"] == rule["name"]["as"]
    source = (Path(__file__).parents[2] / "recognition_service" / "telemetry" / "metrics.py").read_text()
    assert '"stage_seconds"' in source
    assert 'stage("wait"' in source


def test_settings_are_ones_that_the_programs_know(monkeypatch: pytest.MonkeyPatch) -> None:
    from attendance.settings import load_settings  # noqa: PLC0415 - beside its use

    for manifests in (build(FOLDER / "base"), build(FOLDER / "gpu")):
        settings = next(m["data"] for m in manifests if m["kind"] == "ConfigMap")
        for container in containers(manifests):
            own = {entry["name"]: entry["value"] for entry in container.get("env", ()) if "value" in entry}
            load_settings(settings | own)


def test_only_the_recognition_services_ask_for_gpus() -> None:
    asking = [c["name"] for c in containers(build(FOLDER / "gpu")) if "nvidia.com/gpu" in c["resources"]["limits"]]
    assert asking == ["recognition"]
    assert not any("nvidia.com/gpu" in c["resources"]["limits"] for c in containers(build(FOLDER / "base")))


def test_services_of_the_cluster_are_no_settings_of_the_programs(manifests: list[Manifest]) -> None:
    """Kubernetes would tell each pod of the others by variables such as WEB_SERVICE_HOST."""
    assert all(pod["enableServiceLinks"] is False for pod in pods(manifests))


def test_each_service_searches_a_copy_of_its_own(manifests: list[Manifest]) -> None:
    (service,) = [container for container in containers(manifests) if container["name"] == "recognition"]
    given = {variable["name"]: variable.get("value") for variable in service["env"]}
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in service["volumeMounts"]}
    assert mounts[str(Path(given["ATTENDANCE_REPLICA_FOLDER"]).parent)]
    assert not mounts[str(Path(given["ATTENDANCE_GALLERY_INDEX"]).parent)]


def test_old_things_are_deleted_and_backups_made_every_night(manifests: list[Manifest]) -> None:
    jobs = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "CronJob"}
    assert {name: job["schedule"] for name, job in jobs.items()} == {"purge": "30 3 * * *", "backup": "0 2 * * *"}
