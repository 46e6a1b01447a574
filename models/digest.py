"""What tells that a file of weights is as it was written: SHA-256 over its header and its tensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor

KEY = "sha256"  # in the header


def of(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """The digest, in hex, of all that is in a file but the digest itself: the header's entries, and of each
    tensor its name, type, shape and numbers, both in the order of their names."""
    found = hashlib.sha256(json.dumps(sorted(i for i in header.items() if i[0] != KEY)).encode())
    for name, value in sorted(tensors.items()):
        found.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
