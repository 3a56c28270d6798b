"""What lies between threads is bounded."""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

from pamm.engine.many.threads import Room, ahead, threads


def test_room_lets_a_larger_thing_in_alone():
    room = Room(10)
    room.enter(4)
    entered = threading.Event()
    thread = threading.Thread(target=lambda: (room.enter(25), entered.set()))
    thread.start()
    assert not entered.wait(0.05)
    room.leave(4)
    assert entered.wait(5)
    thread.join()


def test_ahead_draws_no_more_than_it_must():
    drawn = []
    with threads(1) as executor:
        results = ahead(lambda item: executor.submit(drawn.append, item), iter(range(100)), count=2)
        next(results).result()
        assert len(drawn) <= 3
        assert sum(1 for _ in results) == 99


def test_threads_of_pytorch_are_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with threads(2) as executor:
            assert executor.submit(torch.get_num_threads).result() == 1
            assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
