"""For whom the effect is larger: moderators declared before outcomes, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtvp_eval.errors import DesignError


@dataclass(frozen=True, slots=True)
class Moderator:
    """A practice's property by which an effect may differ.

    `per` says what one unit of it is. `before_draw` is false where the property follows from winning, such as the
    interventions chosen: the difference between winners is then described, not caused.
    """

    name: str
    per: str
    before_draw: bool = True


MODERATORS = {
    moderator.name: moderator
    for moderator in (
        Moderator("deprivation", "standard deviation of the deprivation score"),
        Moderator("log_list_size", "unit of the log list size (2.7 times as many patients)"),
        Moderator("urbanicity", "class of urbanicity"),
        Moderator("interventions", "intervention in use", before_draw=False),
    )
}
"""What a question may ask for; each is one linear interaction, so that nothing is chosen after outcomes."""


def declared(names: Sequence[str]) -> tuple[Moderator, ...]:
    """Return the moderators that a question declares, in its order.

    Raises
    ------
    DesignError
        If one is unknown or named twice.

    Example
    -------
    >>> [m.name for m in declared(["urbanicity"])]
    ['urbanicity']
    """
    unknown = [name for name in names if name not in MODERATORS]
    if unknown or len(set(names)) != len(names):
        raise DesignError(
            f"Moderators are declared once and by name: {', '.join(unknown) or 'one is repeated'}; "
            f"known are {', '.join(MODERATORS)}."
        )
    return tuple(MODERATORS[name] for name in names)
