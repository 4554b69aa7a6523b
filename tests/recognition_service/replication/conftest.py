"""Machines that share nothing but the database."""

from pathlib import Path

import pytest

from operations.demo.programs import free_port
from tests.recognition_service.campus import Campus
from tests.recognition_service.replication.machines import Fleet


@pytest.fixture
def fleet(campus: Campus, tmp_path: Path) -> Fleet:
    """Certificates, a token, and the settings of machines."""
    return Fleet(campus, tmp_path, free_port(0))
