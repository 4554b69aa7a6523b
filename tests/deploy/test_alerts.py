"""The rules of alerts: Prometheus's own tool reads them, and every one is raised by series of a bad day."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.replies import outcome_name
from tests.deploy.machine import SOURCE

FOLDER = SOURCE / "deploy" / "prometheus"
RULES = FOLDER / "attendance.rules.yml"
TESTS = FOLDER / "attendance.test.yml"


@pytest.fixture
def promtool(require_program: Callable[[list[str], str], str]) -> str:
    return require_program(["promtool"], "prometheus")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def test_prometheus_takes_the_rules(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(rules())} rules found" in done.stdout


def test_series_of_good_and_bad_days_raise_what_they_should(promtool: str) -> None:
    done = subprocess.run([promtool, "test", "rules", str(TESTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules()])
def test_an_alert_that_is_never_raised_is_missed(promtool: str, tmp_path: Path, alert: str) -> None:
    document = yaml.safe_load(RULES.read_text())
    (rule,) = [rule for rule in document["groups"][0]["rules"] if rule["alert"] == alert]
    rule["expr"] = "vector(0) > 1"
    (tmp_path / RULES.name).write_text(yaml.safe_dump(document))
    (tmp_path / TESTS.name).write_text(TESTS.read_text())
    words = [promtool, "test", "rules", str(tmp_path / TESTS.name)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0, f"no series of {TESTS.name} raises {alert}"
    assert alert in done.stdout + done.stderr


def test_every_outcome_that_is_named_exists() -> None:
    outcomes = {outcome_name(outcome) for outcome in pb.FrameOutcome.values()[1:]}
    lists = [words for rule in rules() for words in re.findall(r'outcome=~"([^"]+)"', rule["expr"])]
    named = {name for words in lists for name in words.split("|")}
    assert named
    assert all(any(re.fullmatch(name, outcome) for outcome in outcomes) for name in named)


def test_every_alert_says_what_to_do_and_stands_in_the_document() -> None:
    document = (SOURCE / "docs" / "operations.md").read_text()
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "action"}
        assert f"`{rule['alert']}`" in document
