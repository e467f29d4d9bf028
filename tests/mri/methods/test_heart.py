"""Methods for series on a heart: coils and sampling are simulated, the images are not."""

import pytest

from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.locally_low_rank import LocallyLowRank
from gadgets.mri.methods.low_rank_plus_sparse import LowRankPlusSparse
from gadgets.mri.methods.partially_separable import PartiallySeparable
from gadgets.mri.quality.errors import nrmse
from tests.support.series import dense_centre, heart, sampled


@pytest.fixture(scope="module")
def scan(data_dir):
    """The images, an eighth of the lines of each, maps, and the error of frames by themselves at their best."""
    images = heart(data_dir)
    kspace = sampled(images, dense_centre(30, 96, 8))
    csm = LocallyLowRank().calibrate(kspace)
    each = csm.expand(len(images), -1, -1, -1, -1)
    truth = images.abs().numpy()
    alone = min(nrmse(CgSense(damping=d)(kspace, each).abs().numpy(), truth) for d in (1e-3, 1e-2, 1e-1))
    return truth, kspace, csm, alone


@pytest.mark.data
# Half the energy of the error where the prior takes noise away too; with the courses in time alone, which amplify noise
# as any least squares do, it is less at least.
@pytest.mark.parametrize(
    ("method", "share"), [(LocallyLowRank(), 0.5), (LowRankPlusSparse(), 0.5), (PartiallySeparable(), 1)]
)
def test_a_heart_from_an_eighth_of_the_lines(scan, method, share):
    truth, kspace, csm, alone = scan
    error = nrmse(method(kspace, csm).abs().numpy(), truth)
    assert error**2 < share * alone**2, (error, alone)
