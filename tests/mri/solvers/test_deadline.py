"""Limits of time: which of two holds, and for how long."""

import threading
import time

import pytest

from gadgets.mri.solvers.deadline import deadline, require_time


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


def test_limits_below_zero_are_refused():
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="expected 0 seconds or more"), deadline(wrong):
            raise AssertionError
