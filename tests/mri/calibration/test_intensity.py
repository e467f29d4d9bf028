"""The brightness of an object."""

import torch

from gadgets.mri.calibration.intensity import intensity


def test_is_that_of_the_object_in_an_empty_field_of_view():
    image = torch.zeros(2, 1, 1, 32, 32, dtype=torch.complex64)
    image[0, ..., 8:20, 5:30] = 3j
    image[1, ..., 3, 4] = 1e-30
    torch.testing.assert_close(intensity(image).flatten(), torch.tensor([3.0, 1e-30]))
    assert intensity(image).shape == (2, 1, 1, 1, 1)
    assert intensity(torch.zeros(1, 1, 4, 4, dtype=torch.complex64)).item() == 1
