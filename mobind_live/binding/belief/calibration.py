"""How the evidence of a network becomes log-likelihood: by the constants that came with its weights."""

from __future__ import annotations

from mobind_live.binding.belief.posterior import Calibration
from mobind_live.models.encoders import TOKEN_HZ, Binder
from mobind_live.models.losses import VOTE_STRIDE
from mobind_live.models.placement import KIND_OF


def calibration(model: Binder) -> Calibration:
    """How the evidence of ``model`` becomes log-likelihood."""
    fitted = model.constants
    scale = model.log_scale.exp().item() / VOTE_STRIDE * fitted.temper
    return Calibration(
        scale=scale,
        presence=fitted.presence,
        chance=fitted.temper * TOKEN_HZ * fitted.chance,
        worth_s=fitted.worth_s,
        limb=fitted.limb,
        trunk=fitted.trunk,
        body=fitted.body,
        person=fitted.person,
        shared=fitted.shared,
        part_bias=tuple(fitted.part_bias[kind] for kind in KIND_OF),
        sigma=fitted.sigma,
    )
