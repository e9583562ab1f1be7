"""pyproject.toml, requirements.lock and environment.yml say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CONDA_NAMES = {"matplotlib-base": "matplotlib"}  # where conda-forge calls a package otherwise
MACHINES = [
    {"python_version": minor, "python_full_version": full, "sys_platform": system, "os_name": name}
    for minor, full in (("3.11", "3.11.0"), ("3.11", "3.11.9"), ("3.12", "3.12.1"), ("3.13", "3.13.5"))
    for system, name in (("linux", "posix"), ("darwin", "posix"), ("win32", "nt"))
]


def pins(lock: str) -> list[tuple[str, str, Marker | None]]:
    """Return name, version and marker of every pin; a pin without hashes is an error."""
    found = []
    for block in re.split(r"\n(?=\S)", lock):
        head = re.match(r"([\w.-]+)==([^\s;]+)(?: ; (.+?))? \\\n {4}--hash=sha256:[0-9a-f]{64}", block)
        assert head, f"not a hashed pin: {block[:80]}"
        found.append((canonicalize_name(head[1]), head[2], Marker(head[3]) if head[3] else None))
    return found


def unmet(required: list[Requirement], lock: str, machine: dict[str, str]) -> list[str]:
    """Return the requirements that the lock does not answer with exactly one allowed version on this machine."""
    problems = []
    here = [(name, version) for name, version, marker in pins(lock) if marker is None or marker.evaluate(machine)]
    for requirement in required:
        versions = [version for name, version in here if name == canonicalize_name(requirement.name)]
        if len(versions) != 1 or versions[0] not in requirement.specifier:
            problems.append(f"{requirement}: {versions}")
    return problems


def conda_specifiers(text: str) -> dict[str, SpecifierSet]:
    """Return the bounds of environment.yml under the names that pyproject.toml uses."""
    bounds = {}
    for line in yaml.safe_load(text)["dependencies"]:
        name, _, specifier = line.partition(" ")
        bounds[CONDA_NAMES.get(name, name)] = SpecifierSet(specifier)
    return bounds


def addresses(text: str) -> list[str]:
    """Return the lines that would tie the lock to one index or one machine."""
    return [line for line in text.splitlines() if re.search(r"://|file:|^\s*(--?i|--extra|--find|--trusted|-f)", line)]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: f"{m['python_full_version']}-{m['sys_platform']}")
def test_lock_answers_every_requirement(machine):
    assert unmet(REQUIRED, LOCK, machine) == []


def test_lock_names_no_index_and_no_machine():
    assert addresses(LOCK) == []


def test_environment_has_the_bounds_of_pyproject():
    expected = {requirement.name: requirement.specifier for requirement in REQUIRED}
    expected |= {"python": SpecifierSet(PROJECT["requires-python"]), "pip": SpecifierSet()}
    assert conda_specifiers((ROOT / "environment.yml").read_text(encoding="utf-8")) == expected


def test_a_lock_that_is_behind_is_found():
    pin = "pandas==2.3.3 \\\n    --hash=sha256:" + "0" * 64
    assert unmet([Requirement("pandas>=3")], pin, MACHINES[0]) == ["pandas>=3: ['2.3.3']"]
    assert unmet([Requirement("numpy>=2")], pin, MACHINES[0]) == ["numpy>=2: []"]
    with pytest.raises(AssertionError, match="not a hashed pin"):
        pins("pandas==3.1.1\n")


def test_an_address_in_a_lock_is_found():
    assert (
        len(addresses("--index-url=x\n--extra-index-url x\n-i x\n-f x\na @ file:///x\nb @ https://x\n    # via a")) == 6
    )


def test_a_changed_bound_in_the_environment_is_found():
    assert conda_specifiers("dependencies: [matplotlib-base >=3.10]") == {"matplotlib": SpecifierSet(">=3.10")}
    assert conda_specifiers("dependencies: [pandas >=3]") != {"pandas": SpecifierSet(">=3,<4")}
