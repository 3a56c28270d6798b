"""What tests of data sets compare."""

from pamm.data.sample import SampleSource


def assert_same_samples(found: SampleSource, wanted: SampleSource) -> None:
    """The same tasks and, bit for bit, the same samples."""
    assert found.tasks == tuple(wanted.tasks)
    assert len(found) == len(wanted)
    for index in range(len(wanted)):
        got, expected = found[index], wanted[index]
        assert got.name == expected.name
        assert list(got.labels) == [task.name for task in wanted.tasks if task.name in expected.labels]
        arrays = {"image": (got.image, expected.image)}
        arrays |= {name: (label, expected.labels[name]) for name, label in got.labels.items()}
        for name, (one, other) in arrays.items():
            assert (one.dtype, one.shape) == (other.dtype, other.shape), f"{got.name}: {name}"
            assert one.tobytes() == other.tobytes(), f"{got.name}: {name}"
