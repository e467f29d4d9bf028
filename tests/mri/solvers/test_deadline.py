"""Limits of time: which of two holds, and for how long."""

import threading
import time

import pytest

from gadgets.mri.solvers.deadline import deadline, late, require_time, share, unhurried


def test_without_a_limit_there_is_always_time():
    require_time()
    with deadline(0):
        require_time()


def test_the_limit_that_is_passed_first_holds_and_is_named():
    with deadline(0.01), deadline(3600.0):
        time.sleep(0.02)
        with pytest.raises(TimeoutError, match="limit of 0.01 s"):
            require_time()
    with deadline(3600.0), deadline(0.01):
        time.sleep(0.02)
        with pytest.raises(TimeoutError, match="limit of 0.01 s"):
            require_time()


def test_a_limit_ends_with_its_block_whatever_happens_in_it():
    with pytest.raises(KeyError), deadline(1e-6):
        raise KeyError
    time.sleep(0.001)
    require_time()


def test_another_thread_has_its_own_time():
    failed = []

    def work():
        try:
            require_time()
        except TimeoutError as error:
            failed.append(error)

    with deadline(1e-6):
        time.sleep(0.001)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert not failed


def test_each_of_several_has_its_part_of_the_time():
    with deadline(0.9) as limit:
        for left in (3, 2, 1):
            began = time.monotonic()
            with share(left):
                while not late(begun=True):
                    time.sleep(0.001)
            # The first is not given the time of the others, and a later one what sleeping took too long.
            assert 0.15 < time.monotonic() - began < 0.6
        assert limit.met
        require_time()
    with share(2):
        assert not late(begun=False)


def test_what_ends_by_a_limit_with_what_it_has_may_use_it():
    with deadline(0.01) as limit:
        assert not late(begun=True)
        time.sleep(0.02)
        with pytest.raises(TimeoutError, match="limit of 0.01 s"):
            late(begun=False)
        with pytest.raises(TimeoutError):
            require_time()
        assert not limit.met
        assert late(begun=True) and limit.met
        require_time()
        # The next that begins has no time left, and nothing to end with.
        with pytest.raises(TimeoutError):
            late(begun=False)
    with deadline(0) as limit:
        assert not late(begun=True) and not limit.met


def test_a_function_that_ends_whatever_the_time():
    with deadline(1e-6):
        time.sleep(0.001)
        unhurried(require_time)()
        with pytest.raises(TimeoutError):
            require_time()


def test_limits_below_zero_are_refused():
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="expected 0 seconds or more"), deadline(wrong):
            raise AssertionError
