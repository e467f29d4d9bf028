"""Tensor work of one gadget stays in one thread, whichever thread asks for it."""

import threading

import pytest

from gadgets.resident import Resident


def test_every_call_runs_in_the_same_thread():
    resident, found = Resident("test", int), []
    for _ in range(3):
        caller = threading.Thread(target=lambda: found.append(resident(threading.get_ident)))
        caller.start()
        caller.join()
    assert len(set(found)) == 1
    assert found[0] != threading.get_ident()


def test_results_and_errors_come_back():
    resident = Resident("test", int)
    assert resident(divmod, 7, 3) == (2, 1)
    with pytest.raises(ValueError, match="invalid literal"):
        resident(int, "seven")
    assert resident(int, "11", base=2) == 3


def test_it_is_warmed_in_its_own_thread():
    warmed = []
    resident = Resident("test", lambda: warmed.append(threading.get_ident()))
    assert [resident(threading.get_ident)] == warmed
