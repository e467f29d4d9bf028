"""The iterates of which a fit's image is made."""

import torch

from gadgets.mri.solvers.fit import Fit


def iterates(monkeypatch, what="mean"):
    """Two lists that fill where `Fit.mean` is called, or another one: what each iterate gives, and the fits."""
    whole, found, fits = getattr(Fit, what), [], []

    def noted(fit, module, make, **settings):
        fits.append(fit)
        for state in fit.states.values():
            module.load_state_dict(state)
            with torch.no_grad():
                found.append(make())
        return whole(fit, module, make, **settings)

    monkeypatch.setattr(Fit, what, noted)
    return found, fits
