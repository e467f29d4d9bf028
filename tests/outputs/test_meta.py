import ismrmrd
import numpy as np
import pytest

from gadgets.outputs import meta as metas


def header(**fields):
    made = ismrmrd.ImageHeader()
    made.read_dir, made.phase_dir, made.slice_dir = (0, 1, 0), (-1, 0, 0), (0, 0, 1)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_what_both_families_know_is_under_both_names():
    made = metas.new_meta(header(), ["deepgadgets", "rss"], comment="Rss()", description="localizer")
    metas.set_window(made, 0, 101)
    for plain, theirs in metas.GADGETRON_NAMES.items():
        assert made[plain] == made[theirs]
    assert made["DataRole"] == "Image"
    assert made["SeriesDescription"] == "localizer"
    assert made["Keep_image_geometry"] == "1"
    assert "IceMiniHead" not in made


def test_directions_are_those_of_the_header_whatever_they_are():
    made = metas.new_meta(header(), ["rss"])
    vectors = [[float(v) for v in made[name]] for name in ("ImageRowDir", "ImageColumnDir", "ImageSliceNormDir")]
    assert vectors == [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("image_type", "value"),
    [
        (ismrmrd.IMTYPE_MAGNITUDE, "M"),
        (ismrmrd.IMTYPE_PHASE, "P"),
        (ismrmrd.IMTYPE_REAL, "R"),
        (ismrmrd.IMTYPE_IMAG, "I"),
        (ismrmrd.IMTYPE_COMPLEX, "M"),
    ],
)
def test_the_image_type_is_dicoms(image_type, value):
    assert metas.new_meta(header(image_type=image_type), ["rss"])["ImageType"] == ["ORIGINAL", "PRIMARY", value]


@pytest.mark.parametrize(("low", "high"), [(0, 0.2), (0.4, 100.7), (-50, 51)])
def test_windows_are_integers_and_never_empty(low, high):
    made = ismrmrd.Meta()
    metas.set_window(made, low, high)
    assert int(made["WindowWidth"]) >= 1
    assert abs(int(made["WindowCenter"]) - (low + high) / 2) <= 0.5


def test_scalings_add_up():
    intensities = np.array([-3.0, 0.0, 8.0])
    made, pixels = ismrmrd.Meta(), intensities
    for factor, offset in [(2.5, 0), (1, 40), (0.1, -7)]:
        pixels = factor * pixels + offset
        metas.record_scaling(made, factor, offset)
    slope, intercept = metas.rescaling(made)
    np.testing.assert_allclose(slope * pixels + intercept, intensities, atol=1e-12)
    ratio, offset = float(made["GADGETRON_ScaleRatio"]), float(made["GADGETRON_ScaleOffset"])
    np.testing.assert_allclose(ratio * intensities + offset, pixels)


def test_a_derived_image_shares_nothing_with_its_source():
    source = metas.new_meta(header(), ["deepgadgets", "rss"])
    source["IceMiniHead"] = "x"
    made = metas.derived(source, "phase")
    assert made["ImageProcessingHistory"] == ["deepgadgets", "rss", "phase"]
    assert made["GADGETRON_SeqDescription"] == ["rss", "phase"]
    assert "IceMiniHead" not in made
    assert source["ImageProcessingHistory"] == ["deepgadgets", "rss"]
    assert source["IceMiniHead"] == "x"


def test_meta_survives_being_written():
    made = metas.new_meta(header(), ["deepgadgets", "rss"], comment="a < b & c", description="é")
    assert ismrmrd.Meta.deserialize(made.serialize()) == made
