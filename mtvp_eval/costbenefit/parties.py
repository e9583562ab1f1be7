"""Who pays and gains, in which sector, from which perspective, and how sure an amount is."""

from __future__ import annotations

from enum import StrEnum


class Party(StrEnum):
    """Everyone whose purse the programme can touch; `suppliers` is the market for labour and goods."""

    INSURER = "insurer"
    GP_PRACTICE = "gp_practice"
    REGIONAL_ORGANISATION = "rho"
    HOSPITAL = "hospital"
    MENTAL_HEALTH = "mental_health"
    PHARMACY = "pharmacy"
    PARAMEDICAL = "paramedical"
    DISTRICT_NURSING = "district_nursing"
    LONG_TERM_CARE = "wlz_office"
    MUNICIPALITY = "municipality"
    EMPLOYER = "employer"
    PATIENT = "patient"
    GOVERNMENT = "government"
    SUPPLIERS = "suppliers"


class Sector(StrEnum):
    """Where the care or effort takes place; `total` is a total over all healthcare sectors."""

    GP = "gp"
    HOSPITAL = "hospital"
    MENTAL_HEALTH = "mental_health"
    PHARMACY = "pharmacy"
    DIAGNOSTICS = "diagnostics"
    PARAMEDICAL = "paramedical"
    DISTRICT_NURSING = "district_nursing"
    DEVICES = "devices"
    LONG_TERM_CARE = "wlz"
    ORGANISATION = "organisation"
    TOTAL = "total"
    SOCIAL = "wmo"
    YOUTH = "youth"
    WORK = "work"
    PATIENT = "patient"


HEALTHCARE_SECTORS = frozenset(Sector) - {Sector.SOCIAL, Sector.YOUTH, Sector.WORK, Sector.PATIENT}


class Law(StrEnum):
    """Law or budget under which a flow is paid."""

    ZVW_S1 = "Zvw-S1"
    ZVW_S2 = "Zvw-S2"
    ZVW_S3 = "Zvw-S3"
    ZVW_OTHER = "Zvw-other"
    ORGANISATION = "O&I"
    WLZ = "Wlz"
    WMO = "Wmo"
    YOUTH = "Jeugdwet"
    IZA = "IZA"
    DEDUCTIBLE = "eigen risico"
    OWN_MEANS = "own means"


class Kind(StrEnum):
    """Transition costs are made once, structural costs every year."""

    ONE_OFF = "one_off"
    STRUCTURAL = "structural"


class Evidence(StrEnum):
    """How an amount is known; `assumed` is carried to every output."""

    OBSERVED = "observed"
    CONTRACT = "contract"
    PUBLISHED = "published"
    ASSUMED = "assumed"
    EXTRAPOLATED = "extrapolated"


class Perspective(StrEnum):
    """From whose side a total is taken.

    The insurer's is the gain of that party. Healthcare is minus the resource cost in the healthcare sectors, whoever
    pays; society is minus all resource cost, which equals the sum of the gains of all parties.
    """

    INSURER = "insurer"
    HEALTHCARE = "healthcare"
    SOCIETY = "society"


class Horizon(StrEnum):
    """Observed years only (the headline), or all years of the scenario, extrapolated ones included."""

    OBSERVED = "observed"
    ALL = "all"
