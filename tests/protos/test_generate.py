import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from protos import generate


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree with the contract and its code, to be damaged."""
    for path in generate.contracts():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(generate.ROOT / path, target)
    generate.compile_contracts(tmp_path, tmp_path)
    return tmp_path


def test_the_committed_code_is_what_the_contract_gives() -> None:
    result = CliRunner().invoke(generate.main, ["--check"])
    assert result.exit_code == 0, result.output


def test_fresh_code_is_up_to_date(copy: Path) -> None:
    assert generate.outdated(copy) == []


def test_a_changed_contract_makes_its_code_outdated(copy: Path) -> None:
    contract = copy / "protos/attendance/v1/attendance.proto"
    contract.write_text(contract.read_text() + "\nmessage Added {}\n")

    assert copy.joinpath("protos/attendance/v1/attendance_pb2.py").relative_to(copy) in generate.outdated(copy)


def test_missing_code_is_outdated(copy: Path) -> None:
    stub = Path("protos/attendance/v1/attendance_pb2_grpc.py")
    (copy / stub).unlink()

    assert generate.outdated(copy) == [stub]


def test_a_contract_that_does_not_compile_is_one_sentence(copy: Path) -> None:
    (copy / "protos/attendance/v1/attendance.proto").write_text("syntax = nonsense;")

    with pytest.raises(click.ClickException, match="does not compile"):
        generate.outdated(copy)
