"""`mtvp lottery draw | replay`: hold a real draw from a settings file, or check one that was held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from mtvp_eval.clock import quarter, quarter_label
from mtvp_eval.design.application_list import ApplicationList, read_applications
from mtvp_eval.design.protocol import Protocol, replay_protocol, rounds_through, run_draw
from mtvp_eval.design.record import check_record
from mtvp_eval.design.rules import Cap, DrawRule, FinalRound, Misfit, Oversize, Rollover
from mtvp_eval.errors import CommandError, DesignError
from mtvp_eval.settings import Settings, load_yaml


@dataclass(frozen=True, slots=True)
class DrawSettings:
    """What a draw needs besides the application list; read strictly from YAML.

    `through` and `seed` are needed to hold a draw and not to check one that was held elsewhere; `previous` names the
    protocol of the rounds drawn before.
    """

    region: str
    rule: DrawRule
    listed: ApplicationList
    reference_date: date
    through: int | None
    seed: str | None
    previous: Path | None

    @classmethod
    def read(cls, path: Path) -> DrawSettings:
        """Read the settings and the application list they name (relative to the settings file).

        Raises
        ------
        CommandError
            If keys are unknown, missing or of the wrong kind, or a file is missing; all problems are listed.
        DataValidationError
            With everything that is wrong with the application list.
        """
        settings = Settings(load_yaml(path), path.name)
        texts = {key: settings.text(key) for key in ("region", "applications", "first_round")}
        through, seed, previous = (settings.text(key, None) for key in ("through", "seed", "previous"))
        reference_date, total = settings.date("reference_date"), settings.integer("regional_total", low=1)
        quarters: dict[str, int] = {}
        for key, text in (("first_round", texts["first_round"]), ("through", through)):
            try:
                quarters[key] = quarter(text or "2000Q1")
            except ValueError as error:
                settings.note(f"{key}: {error}")
        rule = _rule_settings(settings.section("rule"))
        settings.finish()
        listed = read_applications(path.parent / texts["applications"], quarters["first_round"], total)
        return cls(
            texts["region"], DrawRule(**rule), listed, reference_date, quarters["through"] if through else None, seed,
            path.parent / previous if previous else None,
        )  # fmt: skip


def _rule_settings(settings: Settings) -> dict[str, Any]:
    """Take the declared rule; rollover, misfit, document and dated have no default."""
    oversize = settings.text("oversize", None, choices=tuple(Oversize))
    return {
        "rollover": settings.text("rollover", choices=tuple(Rollover)),
        "misfit": settings.text("misfit", choices=tuple(Misfit)),
        "document": settings.text("document"),
        "declared_on": settings.date("dated"),
        "cap": settings.text("cap", Cap.QUARTER, choices=tuple(Cap)),
        "cap_share": settings.number("cap_share", 0.25, 0.0, 1.0),
        "oversize": oversize,
        "capped_rounds": settings.integer("capped_rounds", 3, low=1),
        "final_round": settings.text("final_round", FinalRound.OPEN, choices=tuple(FinalRound)),
    }


def hold(settings_path: Path, protocol_path: Path) -> list[str]:
    """Hold the draw that a settings file describes, write its protocol, and say what came of it (no practice is named).

    Raises
    ------
    CommandError
        If the protocol exists already (a draw is held once), or the settings lack `seed` or `through`.
    DesignError
        If the rule does not cover the applications, or the rounds drawn before would come out otherwise.
    """
    settings = DrawSettings.read(settings_path)
    if protocol_path.exists():
        raise CommandError(f"{protocol_path.name} is there already. A draw is held once; replay it to check it.")
    if settings.seed is None or settings.through is None:
        raise CommandError(f"{settings_path.name}: holding a draw needs `seed` and `through` (the last round to draw).")
    protocol = run_draw(
        settings.listed, settings.rule, settings.seed, settings.region, settings.reference_date, settings.through
    )
    if settings.previous is not None:
        before = Protocol.read(settings.previous)
        if before.seed != protocol.seed or before.rounds != protocol.rounds[: len(before.rounds)]:
            raise DesignError(
                f"The rounds of {settings.previous.name} would come out otherwise: the seed, the rule or an earlier "
                "part of the list has changed. Correct that; a round once drawn stands."
            )
    protocol.write(protocol_path)
    lines = [f"{settings.region}: {len(protocol.applicants)} applicants, list {settings.listed.sha256[:12]}…"]
    for drawn in protocol.rounds:
        how = "by lottery" if drawn.lottery else "all who waited (no lottery)"
        lines.append(
            f"{drawn.quarter}: {len(drawn.started)} of {len(drawn.order)} start {how}, "
            f"{drawn.started_patients} of at most {drawn.cap:g}."
        )
    return [*lines, f"Protocol: {protocol_path.name}"]


def replay(path: Path, application_list: Path | None = None) -> tuple[list[str], bool]:
    """Check a draw that was held: a protocol (JSON) from its seed, or a record (settings with `started_quarter`).

    Parameters: `application_list` the list a protocol was drawn from, to be compared with the hash recorded there. A
    record with `through` in its settings is checked up to that round, others in all rounds.

    Returns what to print, and whether everything holds.

    Raises
    ------
    CommandError
        If the record has no `started_quarter`, or a list is given beside a record, whose settings name it.
    DesignError
        If starts lie outside the rounds.
    """
    if path.suffix.lower() == ".json":
        return _replay_protocol(Protocol.read(path), application_list)
    if application_list is not None:
        raise CommandError("--list goes with a protocol (.json); the settings of a record name their list themselves.")
    settings = DrawSettings.read(path)
    listed, rule = settings.listed, settings.rule
    if listed.started_round is None:
        raise CommandError("The record has no column started_quarter: the quarter in which a practice won its place.")
    started = np.array(listed.started_round)
    if settings.through is not None:
        listed, rule = rounds_through(listed, rule, settings.through)
    last = rule.open_round or rule.capped_rounds
    if outside := int(((started < 0) | (started > last)).sum()):
        first, end = (quarter_label(listed.first_round + k) for k in (0, last - 1))
        raise DesignError(f"Starts outside the rounds {first} to {end}: {outside} rows.")
    check = check_record(listed.applications, rule, np.array(listed.started_round))
    return check.sentences(), check.declared_holds and not check.broken


def _replay_protocol(protocol: Protocol, application_list: Path | None) -> tuple[list[str], bool]:
    listed = None
    if application_list is not None:
        listed = read_applications(application_list, quarter(protocol.first_round), protocol.regional_total)
    result = replay_protocol(protocol, listed)
    lines = [f"{drawn.quarter}: {len(drawn.started)} of {len(drawn.order)}." for drawn in protocol.rounds]
    lines += [*result.differences] or ["The seed gives this draw again, bit for bit."]
    if listed is not None and listed.sha256 == protocol.input_sha256:
        lines.append(f"The application list is the one drawn from, {listed.sha256[:12]}….")
    good = not result.differences and result.check.declared_holds and not result.check.broken
    return [*lines, *result.check.sentences()], good
