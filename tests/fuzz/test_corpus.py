"""What the fuzzer has found worth keeping still holds; its own session looks for more."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from servicepunkt.dokbox import boards

HERE = Path(__file__).parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


targets, eid_targets = load("targets"), load("eid_targets")


@pytest.mark.parametrize("kind", boards.kinds().values(), ids=lambda kind: kind.name)
def test_the_corpus_holds(kind: boards.Kind) -> None:
    run = targets.target(kind)
    inputs = targets.kept(kind.name)
    assert len(inputs) > 20
    for data in inputs:
        run(data)


@pytest.mark.parametrize("name", eid_targets.TARGETS)
def test_what_the_online_id_reads_is_understood_or_refused(name: str) -> None:
    run = eid_targets.run(name)
    inputs = targets.kept(name)
    assert len(inputs) > 20
    for data in inputs | set(eid_targets.TARGETS[name].seeds()):
        run(data)
