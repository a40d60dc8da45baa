# make demo     train a small network, silence every unit, write a report
# make paper-a  the experiments of Zhou et al. 2018 on five seeds of three small networks
# make paper-b  the experiments of Zhao and Zhang 2021 on two seeds of four small networks
# make paper-c  the experiments of Chen et al. 2019 on two seeds of three small networks
# make test     run the tests; test-quick leaves the slow ones out
# make test-torch  install PyTorch, and test what comes in from it
# make notebooks  execute the tutorials of docs/tutorials and keep their outputs
# make vendor   fetch the explorer's JavaScript from npm anew, as it is pinned in tests/vendored.py
# make fuzz     40 seconds of damaged files and odd arguments, see tests/fuzz
# make docs     the site, in site/; it has an environment of its own
# All make the environment first where it is missing. Needs Python 3.11 or newer, and make.

PYTHON ?= python3
VENV ?= .venv
RUN_FOLDER ?= runs/demo
DOCS_VENV ?= $(VENV)-docs
IN := $(VENV)/bin/python
PIP := $(IN) -m pip install --quiet --disable-pip-version-check
# A file's tests stay together, because they share what they measure.
PYTEST := $(IN) -m pytest --numprocesses auto --dist loadfile --durations 10
NUMERICAL := -k trained tests/ablation/test_fast.py

.PHONY: demo paper-a paper-b paper-c test test-quick test-numerical test-torch notebooks fuzz lint \
	vendor format docs lock clean

demo: $(VENV)/.ready
	$(IN) -m train digits_convnet --run-folder $(RUN_FOLDER)
	$(IN) -m analysis $(RUN_FOLDER)

paper-a: $(VENV)/.ready
	$(IN) -m train paper_a_digits
	$(IN) -m analysis runs/paper_a_digits paper_a --concepts.quantile 0.05

paper-b: $(VENV)/.ready
	$(IN) -m train paper_b_digits
	$(IN) -m analysis runs/paper_b_digits paper_b --layers conv2

paper-c: $(VENV)/.ready
	$(IN) -m train paper_c_digits
	$(IN) -m analysis runs/paper_c_digits paper_c --synthesis.steps 64 --synthesis.noise-seeds 2

test: $(VENV)/.ready
	$(PYTEST)

test-quick: $(VENV)/.ready
	$(PYTEST) -m "not slow"

# What depends on the last bits of a processor; .ci/run repeats it where these are others.
test-numerical: $(VENV)/.ready
	$(PYTEST) $(NUMERICAL)

# Networks of PyTorch, which is no small package and which only these tests need.
test-torch: $(VENV)/.ready
	$(PIP) torch==2.13.0
	$(PYTEST) --dist load tests/networks/test_torch.py tests/networks/test_torch_errors.py \
		tests/networks/test_torch_operations.py tests/networks/test_from_torch.py \
		tests/data/test_foreign.py
	$(PYTEST) -k mobilenet tests/ablation/test_foreign.py tests/ablation/test_foreign_layers.py \
		tests/attributes/test_foreign.py tests/topology/test_foreign.py \
		tests/synthesis/test_foreign.py tests/analysis/test_plans.py
	$(PYTEST) -k torch tests/analysis/test_any_network.py tests/test_readme.py tests/test_tutorials.py

# The one of PyTorch needs PyTorch: make test-torch installs it.
notebooks: $(VENV)/.ready
	$(IN) -m tests.notebooks

fuzz: $(VENV)/.ready
	$(IN) -m tests.fuzz --seconds 40 --seed 0

vendor: $(VENV)/.ready
	$(IN) -m tests.vendored

lint: $(VENV)/.ready
	$(IN) -m ruff check .
	$(IN) -m ruff format --check .
	$(IN) -m mypy

format: $(VENV)/.ready
	$(IN) -m ruff check --fix .
	$(IN) -m ruff format .

# Warnings are errors, and so are links that lead nowhere.
docs: $(DOCS_VENV)/.ready
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build

# Pins for every supported Python, without addresses.
lock: $(VENV)/.ready
	$(PIP) uv
	$(IN) -m uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
		--no-annotate --no-header --upgrade --extra programs --extra dev \
		--output-file requirements.lock pyproject.toml
	$(IN) -m uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
		--no-annotate --no-header --upgrade --group docs --output-file requirements-docs.lock

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "jaxunits needs Python 3.11 or newer, and $(PYTHON) is" \
		"$$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.13"; exit 1; }
	@echo "making the environment in $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DOCS_VENV)/.ready: requirements-docs.lock
	@echo "making the site's environment in $(DOCS_VENV) (once, some seconds)"
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement requirements-docs.lock
	@touch $@

clean:
	rm -rf $(VENV) $(DOCS_VENV) site
