"""What the fuzzer has found worth keeping still holds; its own session looks for more."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from servicepunkt.dokbox import boards

HERE = Path(__file__).parent


def load_targets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_targets", HERE / "targets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


targets = load_targets()


@pytest.mark.parametrize("kind", boards.kinds().values(), ids=lambda kind: kind.name)
def test_the_corpus_holds(kind: boards.Kind) -> None:
    run = targets.target(kind)
    inputs = targets.kept(kind.name)
    assert len(inputs) > 20
    for data in inputs:
        run(data)
