"""The keys of platforms: each platform is asked by one launch at a time."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.webapp.lti.platform import made_key
from tests.webapp.outside.receiving import Answer, Asked, receiving
from tests.webapp.visiting import Site
from webapp.lti.errors import LaunchError
from webapp.lti.tokens import PlatformKeys


def test_a_platform_that_hangs_holds_one_launch_and_no_other_platforms(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr("webapp.lti.tokens._PATIENCE_S", 0.1)
    key, keys = made_key(0), PlatformKeys()
    asked, goes_on = threading.Event(), threading.Event()

    def answering(request: Asked) -> Answer:
        if request.path == "/slow":
            asked.set()
            assert goes_on.wait(8)
        return Answer(200, {}, json.dumps({"keys": [key.as_dict(private=False)]}).encode())

    def find(url: str) -> str:
        with site.app.app_context():
            return keys.find(url, str(key.kid)).thumbprint()

    with receiving() as platform, ThreadPoolExecutor(1) as pool:
        platform.answering = answering
        slow = f"{platform.address}/slow"
        first = pool.submit(find, slow)
        assert asked.wait(8)
        with pytest.raises(LaunchError, match="just now"):
            find(slow)
        assert find(f"{platform.address}/other") == key.thumbprint()
        goes_on.set()
        assert first.result(8) == key.thumbprint()
        assert find(slow) == key.thumbprint()
        assert [one.path for one in platform.seen] == ["/slow", "/other"]


def test_launches_at_the_same_moment_ask_once(site: Site) -> None:
    key, keys = made_key(0), PlatformKeys()
    all_there = threading.Barrier(4, timeout=8)

    def find(url: str) -> str:
        with site.app.app_context():
            all_there.wait()
            return keys.find(url, str(key.kid)).thumbprint()

    with receiving() as platform, ThreadPoolExecutor(4) as pool:
        published = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
        platform.answering = lambda _asked: Answer(200, {}, published)
        assert list(pool.map(find, [platform.address] * 4)) == [key.thumbprint()] * 4
        assert len(platform.seen) == 1
