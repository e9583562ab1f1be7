"""A small region without faults, as written cells, which tests change in one place; and how it is put into files."""

from pathlib import Path

Rows = list[dict[str, str]]

QUARTERS = [f"{year}Q{q}" for year in (2022, 2023) for q in (1, 2, 3, 4)] + ["2024Q1"]
PRACTICES = [f"0100000{i}" for i in range(1, 8)]
FIRST, SECOND, THIRD, FOURTH, NEVER_APPLIED, NO_CONSENT, EARLIER = PRACTICES


def clean_region() -> dict[str, Rows]:
    """Return seven practices and nine quarters: cohorts of one in 2023Q2, Q3, Q4, one in the open round of 2024Q1."""
    practices = [
        {
            "practice_id": practice,
            "region": "test",
            "registered_reference": str(2000 + 100 * i),
            "reference_date": "2023-01-01",
            "deprivation": f"{0.25 * i - 0.5}",
            "opslag_share": f"{0.125 * i}",
            "urbanicity": str(i % 5 + 1),
            "care_group": "",
            "assignment_unit": "Health centre" if practice in (THIRD, FOURTH) else "",
            "kb_status": "contract" if practice == EARLIER else "none",
            "monitoring_consent": "no" if practice == NO_CONSENT else "yes",
        }
        for i, practice in enumerate(PRACTICES)
    ]
    applicants = [FIRST, SECOND, THIRD, FOURTH]
    applications = [
        {"practice_id": p, "applied_quarter": "2023Q2", "priority_class": "", "withdrawn_quarter": ""}
        for p in applicants
    ]
    starts = dict(zip(applicants, ["2023Q2", "2023Q3", "2023Q4", "2024Q1"], strict=True))
    rounds = [
        {
            "practice_id": p,
            "lottery_round": quarter,
            "drawn": "yes" if starts[p] == quarter else "no",
            "no_lottery": "yes" if quarter == "2024Q1" else "no",
            "draw_position": "",
            "draw_announced_on": "2023-03-15",
        }
        for quarter in starts.values()
        for p in applicants
        if quarter <= starts[p]
    ]
    enrolment = [{"practice_id": p, "enrolled_quarter": q, "ended_quarter": ""} for p, q in starts.items()]
    activity = [
        {
            "practice_id": practice,
            "quarter": quarter,
            "registered_patients": str(2000 + 100 * i + t),
            "consults": str(2400 + 10 * t),
            "consults_long": "240",
            "fte_gp": "1.25",
        }
        for i, practice in enumerate(PRACTICES)
        for t, quarter in enumerate(QUARTERS)
    ]
    costs = [
        {
            "practice_id": p,
            "quarter": quarter,
            "sector": sector,
            "insurer": "all",
            "insured_years": "500",
            "amount_eur": amount,
            "as_of": "2025-01-31",
        }
        for p in PRACTICES
        for quarter in QUARTERS
        for sector, amount in (
            ("gp_consult", "30000.5"),
            ("gp_chain", "20000"),
            ("gp_other", "40000"),
            ("hospital", "750000"),
            ("mtvp_fee", "5760"),
        )
        if sector != "mtvp_fee" or (p in starts and quarter >= starts[p])
    ]
    surveys = [
        {"practice_id": p, "quarter": q, "indicator": "work_pleasure", "respondents": "12", "score": "7.5"}
        for p in applicants
        for q in ("2023Q3", "2024Q1")
    ]
    return {
        "practices": practices,
        "applications": applications,
        "lottery_rounds": rounds,
        "enrolment": enrolment,
        "activity": activity,
        "costs": costs,
        "surveys": surveys,
    }


def put(folder: Path, tables: dict[str, Rows], separator: str = ";", encoding: str = "utf-8") -> Path:
    """Write the tables as CSV files and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        lines = [separator.join(rows[0]), *(separator.join(row.values()) for row in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder
