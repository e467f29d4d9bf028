"""The iterates of which a fit's image is the mean."""

import torch

from gadgets.mri.solvers.fit import Fit


def iterates(monkeypatch):
    """Two lists that fill where means are taken: what each iterate gives, and the fits."""
    whole, found, fits = Fit.mean, [], []

    def noted(fit, module, make, **settings):
        fits.append(fit)
        for state in fit.states.values():
            module.load_state_dict(state)
            with torch.no_grad():
                found.append(make())
        return whole(fit, module, make, **settings)

    monkeypatch.setattr(Fit, "mean", noted)
    return found, fits
