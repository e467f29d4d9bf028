"""Parallel imaging in image space: coefficients that make an image of aliased coil images, and their noise."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import torch
from torch import Tensor

from gadgets.mri.calibration.sampling import Lattice, per_lattice
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace

# Sensitivities that are worked on at once, of all points that fold onto each other: 128 MB of complex128.
_CHUNK = 1 << 23

# A point whose sensitivities, given the others', have less than this share of their energy is one with them: its noise
# would be amplified a thousandfold.
_INDEPENDENT = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Unmixing:
    """A reconstruction that is linear at each point: image(r) = sum_j u_j(r) (F^H z)_j(r), z being the lattice's data.

    coefficients: u (*other, coil, z, y, x). full: those with which the same method combines full data; axes of 1 in
    `other` broadcast. mask: (*other, 1, k2, k1, k0), the samples that are used. acceleration: (*other, 1, 1, 1, 1),
    points of the grid per line of the lattice.
    """

    coefficients: Tensor
    full: Tensor
    mask: Tensor
    acceleration: Tensor

    def __call__(self, kspace: KSpace) -> Tensor:
        """The image (*other, 1, z, y, x)."""
        folded = ifft(kspace.data * self.mask, (-3, -2, -1))
        return (self.coefficients * folded).sum(dim=-4, keepdim=True)

    def noise(self) -> Tensor:
        """Standard deviation in the image (*other, 1, z, y, x) of white noise that has 1 in each sample of k-space.

        Of the real part where that is 1 in the real part, as after noise adjustment. An image divided by it is in units
        of SNR. 0 where the coefficients are 0: outside of the support.
        Kellman and McVeigh, MRM 2005;54:1439. doi:10.1002/mrm.20713
        """
        samples = self.mask.to(self.coefficients.real.dtype).mean(dim=(-4, -3, -2, -1), keepdim=True)
        return samples.sqrt() * torch.linalg.vector_norm(self.coefficients, dim=-4, keepdim=True)

    def gfactor(self) -> Tensor:
        """g (*other, 1, z, y, x), see `gfactor`."""
        return gfactor(self.coefficients, self.acceleration, full=self.full)


def gfactor(coefficients: Tensor, acceleration: float | Tensor, *, full: Tensor | None = None) -> Tensor:
    """g (*other, 1, z, y, x) of unmixing coefficients u (*other, coil, z, y, x): the loss of SNR beyond fewer lines.

    noise / (sqrt(acceleration) noise of full data) = ||u|| / (acceleration ||u_full||), norms over the coils. `full`:
    the coefficients for full data; without them, ||u_full|| is 1, as for maps with sum_coil |csm|^2 = 1.

    1 at least where signal is kept as it is; damping and kernels that damp give less. 0 outside of the support.
    Pruessmann et al., MRM 1999;42:952. doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S
    Breuer et al., MRM 2009;62:739. doi:10.1002/mrm.22066
    """
    g = torch.linalg.vector_norm(coefficients, dim=-4, keepdim=True) / acceleration
    if full is None:
        return g
    noise = torch.linalg.vector_norm(full, dim=-4, keepdim=True)
    return g / torch.where(noise > 0, noise, 1)


def unmixing(kspace: KSpace, calibration: Tensor, solve: Callable[[Lattice, int], Tensor], full: Tensor) -> Unmixing:
    """The unmixing of each element of `other`, which may be sampled differently.

    solve: coefficients (coil, z, y, x) from a lattice and the number of an element of `calibration` (*other, ...), by
    broadcasting; asked once for each such pair.
    """
    known: dict[tuple[int, ...], Tensor] = {}
    made, masks, accelerations = [], [], []
    for source, mask, regular in per_lattice(kspace, calibration.shape[:-4]):
        key = source, *regular.key
        if key not in known:
            known[key] = solve(regular, source)
        made.append(known[key])
        masks.append(regular.lines(mask)[None])
        accelerations.append(regular.acceleration)
    accelerated = torch.tensor(accelerations, dtype=full.real.dtype, device=full.device)
    return Unmixing(
        coefficients=torch.stack(made).reshape(kspace.data.shape),
        full=full,
        mask=torch.stack(masks).reshape(*kspace.other, 1, *kspace.matrix),
        acceleration=accelerated.reshape(*kspace.other, 1, 1, 1, 1),
    )


def grappa_unmixing(kernels: Tensor, csm: Tensor, *, shift: int = 0) -> Tensor:
    """Unmixing coefficients u (*other, coil, z, y, x) of GRAPPA with combination, from its kernels and maps.

    kernels: (*other, step k2, step k1, coil made, coil, d2, d1, d0), see `grappa_kernels`. csm: (*other, coil made, z,
    y, x); axes of 1 in `other` broadcast. With z the k-space of the lattice, zero elsewhere,

        image(r) = sum_j u_j(r) (F^H z)_j(r),  u_j(r) = sum_c conj(csm_c(r)) H_cj(r),
        H_cj(r) = sum_{t,d} w_tc,jd exp(-2 pi i (D d - t) r / N).

    This is `grappa_fill` and the combination of its coil images in one, whatever the first line of the lattice is. The
    difference is at the borders of k-space: there it goes round, where `grappa_fill` takes zeros for sources and makes
    nothing beyond the last line. Coils made may be fewer than the sources: kernels and maps of the first of them.

    Breuer et al., MRM 2009;62:739. doi:10.1002/mrm.22066
    """
    steps, size = kernels.shape[-7:-5], kernels.shape[-3:]
    if kernels.ndim < 7 or kernels.shape[-5] != csm.shape[-4]:
        raise ValueError(
            f"kernels have shape {tuple(kernels.shape)} and csm {tuple(csm.shape)}, expected (*other, step k2, step "
            "k1, coil made, coil, d2, d1, d0) and (*other, coil made, z, y, x)"
        )
    (step2, step1), (d2, d1, d0) = steps, (torch.arange(width) - (width - 1) // 2 for width in size)
    t2, t1 = torch.arange(step2), torch.arange(step1)
    along_z = _waves(step2 * d2[:, None] + shift * d1 - t2[:, None, None], csm.shape[-3], csm)
    along_y = _waves(step1 * d1 - t1[:, None], csm.shape[-2], csm)
    along_x = _waves(d0, csm.shape[-1], csm)
    made = []
    # One source at a time: all together would need coils times more memory than the maps.
    for weights in kernels.unbind(dim=-4):
        at_x = torch.einsum("...stcabe,ex->...stcabx", weights, along_x)
        at_zx = torch.einsum("...stcabx,sabz->...tcbzx", at_x, along_z)
        coils = torch.einsum("...tcbzx,tby->...czyx", at_zx, along_y)
        made.append((csm.conj() * coils).sum(dim=-4))
    return torch.stack(made, dim=-4)


def sense_unmixing(csm: Tensor, lattice: Lattice, *, damping: float = 0.0) -> Tensor:
    """Unmixing coefficients u (*other, coil, z, y, x) of SENSE, from maps csm of that shape and the lattice.

    Of R = acceleration points r + v N that fold onto each other, v running over the points of the dual lattice within
    one field of view, the coil images of the k-space z of the lattice, zero elsewhere, are

        (F^H z)_j(r) = 1/R sum_v E_jv x(r + v N),  E_jv = csm_j(r + v N) exp(-2 pi i v first),

    `first` counted from the centre of k-space. u is the row of x(r) in (E^H E / R + damping)^-1 E^H, so that image(r) =
    sum_j u_j(r) (F^H z)_j(r) solves min ||P F S x - z||^2 + damping ||x||^2. Where N v is not whole, maps between
    points are interpolated linearly.

    u is 0 where the maps are 0. Raises ValueError where points cannot be told apart by the coils: with more points than
    coils, or where the sensitivities of one are a combination of those of the others.

    Pruessmann et al., MRM 1999;42:952. doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S
    Breuer et al., MRM 2006;55:549. doi:10.1002/mrm.20787
    """
    n_coils, accelerated, matrix = csm.shape[-4], lattice.acceleration, csm.shape[-3:]
    points = [_Point(lattice, v, matrix) for v in _dual(lattice)]
    # Where all points that fold lie on the grid, those of one cell of the dual lattice stand for the others too.
    cell = [n // step for n, step in zip(matrix[:2], lattice.steps, strict=True)]
    whole = all(point.on_grid for point in points)
    rows, columns = (slice(0, n) for n in (cell if whole else matrix[:2]))
    places = max(1, csm[..., 0, rows, columns, :1].numel()) * n_coils * accelerated
    made, hidden = [], 0
    for part in csm.split(max(1, _CHUNK // places), dim=-1):
        folded = torch.stack([point.of(part)[..., rows, columns, :] for point in points], dim=-1).movedim(-5, -2)
        # (*other, z, y, x, coil, point), unknowns scaled to length 1.
        length = torch.linalg.vector_norm(folded, dim=-2).to(torch.float64)
        there = length > 0
        length = torch.where(there, length, 1)
        encoding = folded.to(torch.complex128) / length[..., None, :]
        gram = encoding.mH @ encoding
        gram.diagonal(dim1=-2, dim2=-1).add_(torch.where(there, accelerated * damping / length**2, 1))
        factor, failed = torch.linalg.cholesky_ex(gram)
        independent = factor.diagonal(dim1=-2, dim2=-1).real.square().amin(dim=-1)
        hidden = hidden + ((failed != 0) | (independent < _INDEPENDENT)).sum() * (accelerated if whole else 1)
        wanted = torch.eye(accelerated, dtype=gram.dtype, device=gram.device)[:, : accelerated if whole else 1]
        solved = torch.cholesky_solve(wanted.expand(*gram.shape[:-1], -1), factor).mH @ encoding.mH
        scale = accelerated * there / length
        out = torch.zeros_like(part)
        for index, point in enumerate(points if whole else points[:1]):
            row = solved[..., index, :] * scale[..., index, None]
            out += point.put(row.movedim(-1, -4).to(csm.dtype), part.shape)
        made.append(out)
    if hidden:
        raise ValueError(
            f"at {int(hidden)} of {csm[..., 0, :, :, :].numel()} points, {n_coils} coils cannot tell the "
            f"{accelerated} points apart that fold onto each other: a lower acceleration or damping is needed"
        )
    return torch.cat(made, dim=-1)


class _Point:
    """Of the points that fold onto each other, the one at v (z, y), in fields of view, from each."""

    def __init__(self, lattice: Lattice, v: tuple[Fraction, Fraction], matrix: Sequence[int]):
        self._distance = [part * length for part, length in zip(v, matrix[:2], strict=True)]
        turns = sum(part * (first - n // 2) for part, first, n in zip(v, lattice.first, matrix[:2], strict=True))
        self._phase = cmath.exp(-2j * cmath.pi * float(turns % 1))

    @property
    def on_grid(self) -> bool:
        """Whether it is one of the image's points."""
        return all(distance.denominator == 1 for distance in self._distance)

    def of(self, csm: Tensor) -> Tensor:
        """E_v: its maps, with the phase by the first line of the lattice."""
        for axis, distance in zip((-3, -2), self._distance, strict=True):
            whole = floor(distance)
            between = float(distance - whole)
            near = csm.roll(-whole, axis)
            csm = near if between == 0 else (1 - between) * near + between * csm.roll(-whole - 1, axis)
        return csm * self._phase

    def put(self, values: Tensor, shape: Sequence[int]) -> Tensor:
        """Its coefficients, known for each point of a cell that starts at 0, where they belong; elsewhere 0."""
        out = values.new_zeros(tuple(shape))
        out[..., : values.shape[-3], : values.shape[-2], :] = values * self._phase
        return out.roll([floor(distance) for distance in self._distance], (-3, -2))


def _dual(lattice: Lattice) -> list[tuple[Fraction, Fraction]]:
    """Where along z and y, in fields of view, the points lie that fold onto 0, which is the first."""
    step2, step1 = lattice.steps
    return [
        (Fraction(a, step2), Fraction(b * step2 - lattice.shift * a, step1 * step2) % 1)
        for a in range(step2)
        for b in range(step1)
    ]


def _waves(offsets: Tensor, length: int, like: Tensor) -> Tensor:
    """exp(-2 pi i offset r / length), (*offsets, length), r counted from the centre of the axis."""
    r = torch.arange(length) - length // 2
    turns = (offsets[..., None] * r % length).to(torch.float64) / length
    return torch.exp(-2j * torch.pi * turns).to(like.device, like.dtype)
