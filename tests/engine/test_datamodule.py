"""The order in which training reads its images."""

from pamm.data.draws import Part
from pamm.engine.datamodule import StreamSampler


def stream(*, position: int, round_size: int, length: int = 7, seed: int = 3) -> list[int]:
    return list(StreamSampler(parts=[Part(length, 1.0)], round_size=round_size, seed=seed, position=lambda: position))


def test_each_pass_shows_every_image_once_in_a_new_order():
    numbers = stream(position=0, round_size=21)
    passes = [numbers[start : start + 7] for start in (0, 7, 14)]
    for turn, indices in enumerate(passes):
        assert sorted(indices) == list(range(turn * 7, turn * 7 + 7))
    assert [index % 7 for index in passes[0]] != [index % 7 for index in passes[1]]


def test_a_resumed_stream_goes_on_where_it_was():
    whole = stream(position=0, round_size=20)
    for position in (1, 6, 7, 13):
        assert stream(position=position, round_size=20) == whole[position:]


def test_the_seed_decides():
    assert stream(position=0, round_size=7) != stream(position=0, round_size=7, seed=4)


def test_processes_share_one_stream():
    whole = stream(position=0, round_size=20)
    parts = [
        list(StreamSampler(parts=[Part(7, 1.0)], round_size=10, seed=3, position=lambda: 0, rank=rank, processes=2))
        for rank in (0, 1)
    ]
    assert [number for pair in zip(*parts, strict=True) for number in pair] == whole
