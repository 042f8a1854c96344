"""Programs in processes of their own, as they are run."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import psutil

from tools.paths import PROJECT

LONGEST_WAIT = 60
"""Seconds for a program to start, to print a line, to end."""


@dataclass
class Program:
    """A program that runs, and what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _printed: Condition = field(default_factory=Condition)
    _ended: bool = False

    def read(self) -> None:
        """Take every line until the program closes its output."""
        assert self.process.stdout
        for line in self.process.stdout:
            with self._printed:
                self.lines.append(line)
                self._printed.notify_all()
        with self._printed:
            self._ended = True
            self._printed.notify_all()

    def wait_for_line(self, text: str) -> None:
        """Return when it has printed a line with this text."""
        with self._printed:
            self._printed.wait_for(lambda: self._ended or self._has(text), LONGEST_WAIT)
            assert self._has(text), f"no line with {text!r}: {''.join(self.lines)}"

    def _has(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    @property
    def logs(self) -> list[dict[str, Any]]:
        """What it has logged so far, where it logs JSON."""
        return [json.loads(line) for line in self.lines]


@contextmanager
def running(*command: str | Path, ready: str, **variables: str) -> Iterator[Program]:
    """Start a program, wait until it prints a line with `ready`, end it on leaving."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT,
        env=os.environ | variables,
    )
    with process:
        program = Program(process)
        reading = Thread(target=program.read)
        reading.start()
        try:
            program.wait_for_line(ready)
            yield program
        finally:
            process.terminate()
            try:
                process.wait(LONGEST_WAIT)
            finally:
                process.kill()
                reading.join()


@dataclass
class Server:
    """A program that answers at an address."""

    program: Program
    address: str


@contextmanager
def serving(module: str, *arguments: str, ready: str, **variables: str) -> Iterator[Server]:
    """Run a module that serves at `--port`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = (sys.executable, "-m", module, "--port", str(port), *arguments)
    with running(*command, ready=ready, **variables) as program:
        yield Server(program, f"http://127.0.0.1:{port}")


@contextmanager
def service_process(database_url: str) -> Iterator[Server]:
    """Run the service; its logs are JSON."""
    with serving("app.main", "--database-url", database_url, ready="Uvicorn running") as server:
        yield server


def command_lines(text: str) -> list[str]:
    """The command lines with this text of all processes here; one that has ended has none."""
    processes = psutil.process_iter(["cmdline"])
    lines = (" ".join(process.info["cmdline"] or []) for process in processes)
    return [line for line in lines if text in line]


@dataclass(frozen=True)
class Ended:
    """What came of a program."""

    status: int | None
    stdout: str
    stderr: str


async def start(*arguments: str | Path, **options: Any) -> Process:
    """Start Python with arguments; what it prints goes into pipes, unless the options say else."""
    options = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE} | options
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, **options)


async def run(*arguments: str | Path, cwd: Path = PROJECT, **variables: str) -> Ended:
    """Run Python with arguments to its end."""
    process = await start(*arguments, cwd=cwd, env=os.environ | variables)
    async with asyncio.timeout(LONGEST_WAIT):
        stdout, stderr = await process.communicate()
    return Ended(process.returncode, stdout.decode(), stderr.decode())
