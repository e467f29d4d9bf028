"""Progress: who is told, and what a listener may do."""

import threading

import pytest

from gadgets.mri.solvers.progress import listening, remark, report, within


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


def test_parts_are_told_as_parts_of_the_whole():
    told = []
    with listening(lambda *what: told.append(what)):
        with within(0, 5):
            report(2, 2, "first")
        with within(2, 5), within(1, 2):
            report(1, 1, "second")
        report(3, 3, "alone")
    with within(2, 5):
        report(1, 1, "to nobody")
    assert told == [(2, 5, "first"), (4, 5, "second"), (3, 3, "alone")]


def test_remarks_go_to_who_listens_to_them_through_parts():
    remarks = []
    remark("to nobody")
    with listening(lambda *_: None, remarks.append), within(0, 2):
        remark("one")
        with listening(lambda *_: None):
            remark("two")
    remark("to nobody")
    assert remarks == ["one", "two"]
