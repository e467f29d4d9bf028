"""Progress: who is told, and what a listener may do."""

import threading

import pytest

from gadgets.mri.solvers.progress import listening, report


def test_without_a_listener_nothing_happens():
    report(1, 2, "loss 1")


def test_the_inner_listener_is_told_and_the_outer_one_is_afterwards():
    outer, inner = [], []
    with listening(lambda *what: outer.append(what)):
        with listening(lambda *what: inner.append(what)):
            report(1, 3, "one")
        report(2, 3, "two")
    report(3, 3, "three")
    assert inner == [(1, 3, "one")] and outer == [(2, 3, "two")]


def test_what_a_listener_raises_goes_through():
    def cancel(done, total, text):
        raise KeyboardInterrupt(text)

    with pytest.raises(KeyboardInterrupt, match="one"), listening(cancel):
        report(1, 3, "one")
    report(1, 3, "one")


def test_another_thread_is_not_listened_to():
    told = []
    with listening(lambda *what: told.append(what)):
        thread = threading.Thread(target=report, args=(1, 2, "elsewhere"))
        thread.start()
        thread.join()
    assert not told
