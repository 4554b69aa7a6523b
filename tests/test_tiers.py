"""Which tests are quick, and that those start nothing real."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from operations.demo.programs import free_port
from tests.camera_client.scripted_service import ScriptedService, serve
from tests.factories import make_student
from tests.tiers import names_what_is_real


def starts_a_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def has_a_helper_that_does() -> None:
    def inner() -> None:
        starts_a_process()

    inner()


async def serves() -> None:
    await serve(ScriptedService(), 0, None)


def adds_a_row() -> object:
    return make_student


def calls_the_product() -> int:
    return free_port(0)


@pytest.mark.parametrize(
    ("function", "real"),
    [
        (starts_a_process, True),
        (has_a_helper_that_does, True),
        (serves, True),
        (adds_a_row, False),
        (calls_the_product, False),
    ],
)
def test_what_names_a_process_a_socket_or_a_server_is_real(function: Callable[..., object], real: bool) -> None:
    assert names_what_is_real(function) is real


def test_what_the_product_starts_unseen_fails_in_a_quick_test(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("quick")
    with pytest.raises(RuntimeError, match="mark it `real`"):
        free_port(0)


def test_what_lies_beside_the_repository_is_extra(request: pytest.FixtureRequest) -> None:
    extra = [item for item in request.session.items if "shared_faces" in getattr(item, "fixturenames", ())]
    assert all(item.get_closest_marker("exhaustive") for item in extra)


@pytest.mark.real
def test_a_test_so_marked_is_not_quick(request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("quick")
    assert free_port(0) > 0


def test_with_mariadb_it_is_not_quick(request: pytest.FixtureRequest, database_url: str) -> None:
    assert bool(request.node.get_closest_marker("quick")) is database_url.startswith("sqlite")
