import threading
import time

import numpy as np
import pytest

from pairs_platform.core.parallel import LOCAL, concatenated, slices
from pairs_platform_tests.support.waiting import WAIT_SECONDS


def test_this_process_takes_everything_in_one_batch():
    assert LOCAL.split(10, "tests", pairs_per_item=1000) == [slice(0, 10)]
    assert LOCAL.split(0, "fits") == [slice(0, 0)]


def test_this_process_works_in_the_calling_thread_and_copies_nothing():
    values = np.arange(5)
    assert LOCAL.map(lambda shared, _: (shared, threading.current_thread()), [(1,)], shared=(values,)) == [
        (values, threading.current_thread())
    ]
    assert concatenated([values]) is values


def test_batches_of_one_thread_each_run_side_by_side():
    together = threading.Barrier(2, timeout=WAIT_SECONDS)

    def square(offset: int, value: int) -> int:
        together.wait()
        return offset + value**2

    results = dict(LOCAL.completed(square, [(n,) for n in range(4)], shared=(7,), threads=2))
    assert results == {n: 7 + n**2 for n in range(4)}


def test_what_a_batch_raises_cancels_those_that_wait():
    begun = []

    def fail(number: int) -> None:
        begun.append(number)
        if number:
            time.sleep(0.05)
        else:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(LOCAL.completed(fail, [(n,) for n in range(40)], threads=1))
    assert len(begun) < 40


def test_slices_cover_every_item_once():
    assert slices(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert slices(0, 3) == []
    np.testing.assert_array_equal(concatenated([np.arange(7)[part] for part in slices(7, 3)]), np.arange(7))
