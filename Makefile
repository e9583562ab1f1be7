# make report   set everything up, simulate the example region if it is not there, write reports/example/
# make test     set everything up; lint, types, tests, notebooks
# Without make (Windows): the three lines in README.md.

REGION = example
PYTHON = .venv/bin/python
PYTHON3 := $(or $(shell command -v python3 || command -v python),python3)

# One thread per process: the same sums in the same order on every machine, and no fight for cores.
OPENBLAS_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS

# Notebooks that can be run anew on any machine; those on public data where the data are.
OPEN_DATA := $(wildcard notebooks/open_data*.ipynb reports/open_data/*.ipynb)
POLICE := notebooks/police_training.ipynb
NOTEBOOKS := $(filter-out $(OPEN_DATA) $(POLICE),$(wildcard notebooks/*.ipynb reports/example/*.ipynb))
POOLED := reports/small/results.json reports/north/results.json reports/south/results.json
NOTEBOOKS += $(if $(wildcard raw/vektis),$(OPEN_DATA)) $(if $(wildcard raw/police),$(POLICE))

.PHONY: report test test-slow notebooks bench lock clean

report: .venv/.stamp $(filter raw/example raw/small raw/north raw/south,raw/$(REGION))
	$(PYTHON) -m mtvp_eval report $(REGION)

test: .venv/.stamp $(if $(strip $(NOTEBOOKS)),raw/example $(POOLED))
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -m "not slow"
	$(if $(strip $(NOTEBOOKS)),$(PYTHON) -m pytest --nbval --nbval-current-env --nbval-cell-timeout 300 $(NOTEBOOKS))

test-slow: .venv/.stamp
	$(PYTHON) -m pytest -m slow

# After a change of what reports show: publish the example anew and store its outputs in the templates.
notebooks: .venv/.stamp raw/example $(POOLED)
	$(PYTHON) -m mtvp_eval report example
	$(PYTHON) -m mtvp_eval pool example north small south
	$(PYTHON) tools/store_notebooks.py

bench: .venv/.stamp
	$(PYTHON) benchmarks/run.py

raw/example raw/small raw/north raw/south: | .venv/.stamp
	$(PYTHON) -m mtvp_eval simulate $(@F)

# What the notebook on many regions reads.
reports/small/results.json reports/north/results.json reports/south/results.json: reports/%/results.json: $(wildcard mtvp_eval/*.py mtvp_eval/*/*.py data_dictionary/*.yaml reports/*/evaluation.yaml) | raw/%
	$(PYTHON) -m mtvp_eval evaluate $*

.venv/.stamp: requirements.lock pyproject.toml tools/setup_environment.py
	@$(PYTHON3) tools/setup_environment.py

# Needs uv. One file for Python 3.11 to 3.13 and every platform, every file hashed, no index address.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra test --upgrade pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
