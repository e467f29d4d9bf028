"""Headers of simulated scans are valid and say what was asked for."""

from __future__ import annotations

import pytest

from gadgets.stream.connection import parse_header
from pipelines.clients.simulate import Scan, header_xml


def encoding(**parameters):
    header = parse_header(header_xml(Scan(**parameters)))
    return header, header.encoding[0]


def test_two_dimensions_with_everything():
    header, space = encoding(
        matrix=(128, 96, 1),
        oversampling=2.0,
        coils=12,
        slices=5,
        repetitions=3,
        contrasts=2,
        phases=7,
        acceleration=(3, 1),
        acs=20,
        fov=(240.0, 180.0),
        thickness=4.0,
        measurement_id="one",
    )
    assert header.version is None
    assert header.measurementInformation.measurementID == "one"
    assert header.acquisitionSystemInformation.receiverChannels == 12
    size, fov = space.encodedSpace.matrixSize, space.encodedSpace.fieldOfView_mm
    assert (size.x, size.y, size.z, fov.x, fov.y, fov.z) == (256, 96, 1, 480, 180, 4)
    size, fov = space.reconSpace.matrixSize, space.reconSpace.fieldOfView_mm
    assert (size.x, size.y, size.z, fov.x, fov.y, fov.z) == (128, 96, 1, 240, 180, 4)
    limits = space.encodingLimits
    assert [limits.slice.maximum, limits.repetition.maximum, limits.contrast.maximum] == [4, 2, 1]
    assert limits.phase.maximum == 6
    assert (limits.kspace_encoding_step_1.maximum, limits.kspace_encoding_step_1.center) == (95, 48)
    assert (limits.kspace_encoding_step_0.maximum, limits.kspace_encoding_step_0.center) == (255, 128)
    assert space.parallelImaging.accelerationFactor.kspace_encoding_step_1 == 3
    assert space.parallelImaging.calibrationMode.value == "embedded"
    assert [(p.name, p.value) for p in header.userParameters.userParameterLong] == [("EmbeddedRefLinesE1", 20)]
    assert len(header.sequenceParameters.TE) == 2


def test_three_dimensions():
    header, space = encoding(matrix=(64, 64, 32), acceleration=(2, 2), acs=48, thickness=1.5)
    assert space.encodedSpace.fieldOfView_mm.z == 48
    assert (
        space.encodingLimits.kspace_encoding_step_2.maximum,
        space.encodingLimits.kspace_encoding_step_2.center,
    ) == (
        31,
        16,
    )
    assert [p.value for p in header.userParameters.userParameterLong] == [48, 32]


def test_without_acceleration_nothing_is_said_of_it():
    header, space = encoding()
    assert space.parallelImaging is None
    assert header.userParameters is None


@pytest.mark.parametrize("y", [64, 65])
@pytest.mark.parametrize("fraction", [1.0, 0.75, 0.625, 0.5])
def test_partial_fourier_leaves_the_end_and_the_middle(y, fraction):
    _, space = encoding(matrix=(64, y, 1), partial_fourier=fraction)
    limit = space.encodingLimits.kspace_encoding_step_1
    assert limit.minimum == 0
    assert limit.maximum - limit.center == y - 1 - y // 2
    assert limit.center > 0
    assert abs(limit.maximum + 1 - fraction * y) <= 1.5


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"matrix": (0, 64, 1)}, "matrix x must be from 1 to 4096, not 0"),
        ({"coils": 0}, "coils must be from 1 to 1024, not 0"),
        ({"slices": 0}, "slices must be from 1"),
        ({"oversampling": 0.5}, "oversampling must be from 1 to 16, not 0.5"),
        ({"matrix": (5, 5, 1), "oversampling": 1.5, "acs": 2}, "not a whole number of samples"),
        ({"matrix": (64, 64, 8), "slices": 2}, "slices must be 1 in a three-dimensional scan"),
        ({"acceleration": (2, 2)}, "acceleration along z must be from 1 to 1, not 2"),
        ({"acs": 300}, "acs must be from 0 to 256, not 300"),
        ({"partial_fourier": 0.4}, "partial_fourier must be from 0.5 to 1, not 0.4"),
        ({"fov": (0.0, 256.0)}, "fov x must be from 0.1"),
        ({"thickness": float("nan")}, "thickness must be from 0.1"),
        ({"measurement_id": ""}, "measurement_id must not be empty"),
    ],
)
def test_refusals_name_the_parameter_and_its_range(parameters, message):
    with pytest.raises(ValueError, match=message):
        Scan(**parameters)
