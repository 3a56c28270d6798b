import subprocess
import sys

import pytest

from pamm.engine.memory import keep_memory

SCRIPT = """
import resource, torch
from pamm.engine.memory import keep_memory
if {keep}:
    assert keep_memory()
def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(16 << 20).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start
for _ in range(20):
    faults()
print(min(faults() for _ in range(3)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of Linux's C library")
def test_large_tensors_take_over_memory():
    counts = [
        int(subprocess.run([sys.executable, "-c", SCRIPT.format(keep=keep)], capture_output=True, check=True).stdout)
        for keep in (True, False)
    ]
    assert counts[0] < 100 < counts[1]


def test_other_systems_have_no_such_setting(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_memory()
