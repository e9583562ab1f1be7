"""A randomised rollout from one table: every unit equally likely to start in each place, no cap, no covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import CommandError, DataWarning
from mtvp_eval.estimands.aggregate import event_study, overall, overall_calendar, overall_cohort
from mtvp_eval.estimators.lottery_efficient import EfficientEffects, lottery_efficient
from mtvp_eval.inference.bands import simultaneous_band
from mtvp_eval.inference.permuted import permuted_balance, permuted_estimators
from mtvp_eval.inference.randomization import RandomizationTest, randomization_test
from mtvp_eval.inference.replay import ReplayedStatistics
from mtvp_eval.project import project_root
from mtvp_eval.report.figure import ReportFigure
from mtvp_eval.report.figures.rollout import paths_figure

if TYPE_CHECKING:
    import pandas as pd

DETECTABLE = 2.8
"""Standard errors of the smallest effect that a test at 5 % finds four times in five."""


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """Outcomes of units that entered in random order.

    Parameters
    ----------
    panel : outcomes, observed throughout.
    design : compared with all who enter later.
    last : compared with the last to enter alone, as Sun and Abraham do.
    alone : units left out because nobody else entered when they did: such a cohort has no spread.
    said : what was noticed while reading the table.
    """

    panel: Panel
    design: LotteryDesign
    last: LotteryDesign
    alone: int
    said: tuple[str, ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the outcomes."""
        return tuple(self.panel.outcomes)

    def counts(self) -> pd.Series:
        """Say how many units, periods and cohorts there are, and when the first and the last entered."""
        import pandas as pd

        d = self.design.staggered
        return pd.Series(
            {
                "units": d.n_units, "periods": len(d.clock), "cohorts": len(d.cohorts),
                "units in the smallest cohort": int(d.cohort_size.min()),
                "units in the largest cohort": int(d.cohort_size.max()),
                "first entry": int(d.cohorts[0]), "last entry": int(d.cohorts[-1]), "units left out": self.alone,
            },
            name="number",
        )  # fmt: skip

    def levels(self) -> pd.Series:
        """Return the mean of each outcome per unit and period before its own entry."""
        import pandas as pd

        d = self.design.staggered
        before = d.clock[None] < d.entry[:, None]
        rows = d.rows_in(self.panel.unit_ids)
        found = {name: float(self.panel.outcomes[name][rows][before].mean()) for name in self.outcomes}
        return pd.Series(found, name="mean before entry")

    def balance(self, draws: int, seed: int) -> pd.DataFrame:
        """Test whether the compared cohorts differed in the period before entry, by replaying the draw."""
        rng = np.random.default_rng(seed)
        seen = permuted_balance(self.panel, self.design, self.outcomes, [overall(self.design)], rng, draws)
        return self._tested("difference", seen)

    def tests(self, draws: int, seed: int) -> pd.DataFrame:
        """Test no effect at all on each outcome by replaying the draw, the adjustment estimated anew each time."""
        rng = np.random.default_rng(seed)
        seen = permuted_estimators(self.panel, self.design, self.outcomes, [overall(self.design)], rng, draws)
        return self._tested("estimate", seen)

    def _tested(self, what: str, seen: ReplayedStatistics) -> pd.DataFrame:
        """Return the observed row with its p-values, alone and adjusted over the outcomes."""
        import pandas as pd

        test: RandomizationTest = randomization_test(seen)
        p = test.p_value[:, 0]
        return pd.DataFrame(
            {
                what: seen.estimate[:, 0], "std_error": np.sqrt(seen.variance[:, 0]), "p_replay": p,
                "Monte Carlo error": np.sqrt(p * (1 - p) / test.replays), "p_adjusted": test.adjusted[:, 0],
                "replays": test.replays,
            },
            index=pd.Index(self.outcomes, name="outcome"),
        )  # fmt: skip

    def forms(self, outcome: str) -> pd.DataFrame:
        """Return the average effect on one outcome in four forms of the estimator and three ways of averaging.

        `std_error` is the refined one of the paper, `std_error_neyman` the conservative one, which the interval uses.
        """
        import pandas as pd

        rows = []
        for form, design, beta in (
            ("efficient", self.design, None),
            ("difference in means", self.design, 0.0),
            ("Callaway-Sant'Anna", self.design, 1.0),
            ("Sun-Abraham", self.last, 1.0),
        ):
            asked = [overall(design), overall_cohort(design), overall_calendar(design)]
            found: EfficientEffects = lottery_efficient(self.panel, design, outcome, asked, beta=beta)
            table = found.effects.to_frame()
            refined = np.sqrt(np.diag(found.refined))
            for k, average in enumerate(("units and periods", "cohorts", "calendar periods")):
                own = table.iloc[k]
                rows.append((form, average, own.estimate, refined[k], own.std_error, own.ci_low, own.ci_high))
        columns = ["form", "averaged over", "estimate", "std_error", "std_error_neyman", "ci_low", "ci_high"]
        return pd.DataFrame(rows, columns=columns).set_index(["form", "averaged over"])

    def path(self, outcome: str, last: int, seed: int) -> pd.DataFrame:
        """Return the efficient estimates at 0 to `last` periods since entry, with a band over all of them."""
        asked = [e for e in event_study(self.design, base=BasePeriod.UNIVERSAL) if 0 <= (e.event_time or 0) <= last]
        effects = lottery_efficient(self.panel, self.design, outcome, asked).effects
        band = simultaneous_band(effects, np.random.default_rng(seed))
        shown = effects.to_frame()[["event_time", "estimate", "std_error", "ci_low", "ci_high"]]
        return shown.assign(band_low=band.low, band_high=band.high).set_index("event_time")

    def figure(self, last: int, seed: int) -> ReportFigure:
        """Draw the paths of all outcomes."""
        return paths_figure({name: self.path(name, last, seed) for name in self.outcomes})

    def conclusion(self, tests: pd.DataFrame, alpha: float = 0.05) -> list[str]:
        """Say per outcome what was seen, whether the order alone shows as much, and what would have been found."""
        levels = self.levels()
        lines = []
        for name, row in tests.iterrows():
            level = float(levels[str(name)])
            effect, least = float(row["estimate"]) / level, DETECTABLE * float(row["std_error"]) / level
            verdict = "an effect is shown" if row["p_adjusted"] <= alpha else "no effect could be shown"
            lines.append(
                f"{name}: {abs(effect):.1%} {'lower' if effect < 0 else 'higher'} than before entry. Random orders "
                f"show as much in {row['p_replay']:.1%} of cases; adjusted for all outcomes {row['p_adjusted']:.1%}: "
                f"{verdict}. The smallest effect found four times in five is {least:.1%}."
            )
        return lines


def read_rollout(file: str, unit: str, period: str, entry: str, outcomes: Sequence[str]) -> Rollout:
    """Read a table below `raw/` with one row a unit and period; units that entered alone are left out.

    Raises
    ------
    CommandError
        If the file is not there.
    DataError, DesignError
        If it is no panel, or nobody enters later than the first.
    """
    import warnings

    import pandas as pd

    path = project_root() / "raw" / Path(file)
    if not path.is_file():
        raise CommandError(f"There is no file raw/{file}. The text above says where to get it and where to put it.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        panel = Panel.from_frame(pd.read_csv(path), unit, period, entry, list(outcomes))
    designs = []
    for comparison in (Comparison.NOT_YET_ENROLLED, Comparison.NEVER_ENROLLED):
        whole = StaggeredDesign.from_panel(panel, comparison)
        several = whole.restrict(whole.cohort_size[whole.cohort_index] > 1)
        designs.append(LotteryDesign.one_block(several))
    alone = StaggeredDesign.from_panel(panel).n_units - designs[0].staggered.n_units
    said = tuple(str(w.message) for w in caught if issubclass(w.category, DataWarning))
    return Rollout(panel, designs[0], designs[1], alone, said)
