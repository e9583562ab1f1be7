"""The declared draw of a linked region, ready for replay: what power and interference both start from."""

from __future__ import annotations

from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.link import Linked
from mtvp_eval.dictionary.schema import Programme
from mtvp_eval.errors import DesignError
from mtvp_eval.pipeline.draw import declared_rule
from mtvp_eval.planning.region_draw import RegionDraw, first_round, region_draw


def replayable_draw(linked: Linked, programme: Programme, config: EvaluationConfig) -> RegionDraw:
    """Return the declared draw of a region; no outcome and no result of a round is used.

    Raises
    ------
    DesignError
        If nobody applied for a capped round, the rule does not cover the applications, or these reacted to draws.
    """
    if config.draw.reacted:
        raise DesignError(
            "Applications or withdrawals reacted to earlier draws (draw: reacted), so in another draw they would have "
            "been others and the whole draw is not replayed. Rounds are tested one by one in the evaluation."
        )
    first = first_round(linked.history, programme)
    return region_draw(linked.history, declared_rule(config.draw, programme, first, first + 2), programme)
