"""`attendance camera run` as a process of its own."""

import asyncio
import json
from typing import Any

SECRET = "cam_never_to_be_seen"


class Program:
    """`attendance camera run` as a process of its own, with what it wrote."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out = self.err = ""

    async def end(self, limit_s: float = 60) -> int:
        out, err = await asyncio.wait_for(self.process.communicate(), limit_s)
        self.out, self.err = out.decode(), err.decode()
        assert SECRET not in self.out + self.err
        assert "Traceback" not in self.err
        return self.process.returncode or 0

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def event(self, name: str) -> dict[str, Any]:
        return next(event for event in self.events if event["event"] == name)
