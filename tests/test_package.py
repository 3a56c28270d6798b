"""The public names, and what importing them costs."""

import subprocess
import sys

import pytest

import pamm


def test_public_names_exist():
    for name in pamm.__all__:
        assert getattr(pamm, name) is not None
    assert set(dir(pamm)) == set(pamm.__all__)
    assert pamm.TASKS["depth"].unit == "m"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        _ = pamm.lode


@pytest.mark.parametrize(
    ("code", "heavy"),
    [("import pamm.tasks, pamm.ops", "transformers"), ("import pamm; pamm.load", "lightning")],
)
def test_light_things_do_not_import_heavy_ones(code, heavy):
    check = f"import sys; {code}; sys.exit('{heavy}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], timeout=120).returncode == 0
