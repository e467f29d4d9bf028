"""Who waits for a worker, and who does not."""

import collections
import threading
import time

import pytest

from pipelines.host.pool import Pool


class Worker:
    """One that is always there, and no process."""

    def alive(self):
        return True


class Looked(collections.deque):
    """Free workers; whenever one is taken, somebody asks how many scans wait."""

    def __init__(self, workers, look):
        super().__init__(workers)
        self.look = threading.Thread(target=look)

    def popleft(self):
        worker = super().popleft()
        self.look.start()
        time.sleep(0.05)
        return worker


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setattr(Pool, "_spawn", lambda self: Worker())
    return Pool(1, {})


def test_a_scan_that_takes_a_worker_never_counts_as_one_that_waits(pool):
    """Else the next one would be refused where one may wait."""
    seen = []
    pool._idle = Looked(pool._idle, lambda: seen.append(pool.waiting))
    pool.acquire(pool.queue())
    pool._idle.look.join()
    assert seen == [0]


def test_places_count_those_before(pool):
    first, second, third = pool.queue(), pool.queue(), pool.queue()
    assert [ticket.ahead for ticket in (first, second, third)] == [0, 1, 2]
    assert pool.waiting == 2
    pool.acquire(first)
    assert pool.waiting == 2
    pool.leave(second)
    assert pool.waiting == 1
