"""Joint covariance of several placebo contrasts of one project: what an event study of few units needs.

Source: specification section 10; the scale by size as in Ferman & Pinto (2019), Rev. Econ. Stat. 101.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.placebo import PlaceboDraws


def placebo_covariance(parts: Sequence[PlaceboDraws]) -> FloatArray:
    r"""Return the covariance (K, K) of K effects of one project, as untouched groups of its size would show it.

    .. math:: \hat\Sigma_{kl} = s_k s_l \frac{\sum_b t_{bk} t_{bl}}{\sqrt{\sum_b t_{bk}^2 \sum_b t_{bl}^2}}, \qquad
              s_k = \sqrt{a_k + b_k/n}, \quad t_{bk} = \hat\tau_{bk} / \sqrt{a_k + b_k/n_b}

    The standard deviations are those of the noise by size; the correlations those of the groups' studentised contrasts.
    Moments are about zero: untouched groups have no effect.

    Parameters
    ----------
    parts : K effects of one project, each with the contrasts of the same groups in the same order.

    Raises
    ------
    EstimationError
        If the effects rest on different groups, or on no more groups than effects: their covariance would be singular.

    Example
    -------
    >>> from mtvp_eval.inference.placebo import NoiseScale
    >>> rng, size = np.random.default_rng(1), np.full(99, 10.0)
    >>> first = rng.normal(size=99)
    >>> parts = [PlaceboDraws(0.0, 10.0, c, size, NoiseScale(s, 0.0), 99) for c, s in ((first, 1.0), (2 * first, 4.0))]
    >>> placebo_covariance(parts).round(6).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    sizes = {part.group_size.tobytes() for part in parts}
    groups = len(parts[0].contrast)
    if len(sizes) != 1 or groups <= len(parts):
        raise EstimationError(
            f"{len(parts)} effects rest on {len(sizes)} sets of untouched groups, the first of {groups} groups. A "
            "joint covariance needs one set that is larger than the number of effects: widen the choice of groups."
        )
    t = np.stack([part.contrast / part.noise.at(part.group_size) for part in parts])
    moment = t @ t.T
    root = np.sqrt(np.diag(moment))
    own = np.array([float(part.noise.at(np.array([part.size]))[0]) for part in parts])
    return np.asarray(moment * np.outer(own / root, own / root))
