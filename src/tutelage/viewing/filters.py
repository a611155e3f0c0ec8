"""The filters of the first layer, as pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import nn

from tutelage.network.stages import Network


def first_filters(network: Network, channels: int) -> npt.NDArray[np.uint8] | None:
    """The kernels of the first convolution; None if the first stage does not convolve the input.

    Each is scaled by its own largest magnitude, so that grey is 0 and black or white its extreme.

    Args:
        channels: of the input.

    Returns:
        (F, k, k, channels) uint8.
    """
    layers = [m for m in network.stages[0].module.modules() if isinstance(m, nn.Conv2d)]
    if not layers or layers[0].in_channels != channels or layers[0].groups != 1:
        return None
    kernels = layers[0].weight.detach().float().numpy().transpose(0, 2, 3, 1)
    largest = np.abs(kernels).max((1, 2, 3), keepdims=True)
    scaled = 127.5 + 127.5 * kernels / np.maximum(largest, 1e-12)
    pictures: npt.NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return pictures
