"""The chest whose heart beats."""

import numpy as np
import pytest

from gadgets.mri.phantom.chest import chest
from gadgets.mri.phantom.scan import truth


def test_the_heart_is_largest_at_0_and_smallest_half_a_beat_later():
    area = [(bodies := chest(time))[-1].semi_axes[0] * bodies[-1].semi_axes[1] for time in np.arange(8) / 8]
    assert np.argmax(area) == 0 and np.argmin(area) == 4
    assert chest(1.0)[-1].semi_axes == pytest.approx(chest(0.0)[-1].semi_axes)


def test_muscle_keeps_its_area():
    def muscle(time):
        wall, pool = chest(time)[-2:]
        return wall.semi_axes[0] ** 2 - pool.semi_axes[0] ** 2

    assert muscle(0.5) == pytest.approx(muscle(0.0))


def test_intensities_are_those_of_the_bodies():
    picture = np.abs(truth((256, 256, 1), bodies=chest(0.0))[0])
    # Blood in the middle of the heart is 0.5 + 0.2 + 0.3; lungs are 0.1.
    y, x = 128 - round(0.15 * 128), 128 + round(0.06 * 128)
    assert np.median(picture[y - 8 : y + 8, x - 8 : x + 8]) == pytest.approx(1.0, abs=0.05)
    assert np.median(picture[112:128, 60:76]) == pytest.approx(0.1, abs=0.05)
