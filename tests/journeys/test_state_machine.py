"""The loop against a small model: 50 lives of 30 steps in `make test`, 500 of 60 in `make test-slow`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.journeys.loop_machine import Loop
from tests.journeys.worlds import Worlds

MEMORY = Path("/dev/shm")


@pytest.fixture
def worlds(database_url, keyring) -> Iterator[Worlds]:
    """Files in memory where there is such a thing: what is tested here is not the disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        made = Worlds(database_url, keyring, Path(directory))
        yield made
        made.end()


def run(worlds: Worlds, *, lives: int, steps: int, same: bool = False) -> None:
    machine = type("LoopOfThisTest", (Loop,), {"make_world": staticmethod(worlds.fresh)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            derandomize=same,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_loop_keeps_its_promises_whatever_is_pressed(worlds):
    """The same fifty lives each time, so that a change is judged by what it changes; the long lives differ."""
    run(worlds, lives=50, steps=30, same=True)


@pytest.mark.slow
def test_the_loop_keeps_its_promises_through_long_lives(worlds):
    run(worlds, lives=500, steps=60)
