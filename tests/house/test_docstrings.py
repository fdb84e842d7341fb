"""The examples in docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import densezero

MODULES = [module.name for module in pkgutil.walk_packages(densezero.__path__, "densezero.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 8
