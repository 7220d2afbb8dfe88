# Copyright: smarthost.spamexperts maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything that a maintainer runs. Each target prepares what it needs; `make help` names them.
PYTHON ?= python3
VENV := .venv
BUILD := build
LINK := collections/ansible_collections/smarthost/spamexperts
# More options for pytest, as in: make test-unit ARGS="-k limits"
ARGS ?=
# Some cores or stages only, as in: make test-matrix CORES="2.16 2.22" STAGES="unit sanity"
CORES ?=
STAGES ?=
# Some files only, as in: make mutation MUTATE=_smarthost/login
MUTATE ?=
# The version to release; the one in galaxy.yml unless given.
VERSION ?= $(shell sed -n 's/^version: //p' galaxy.yml)

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Nothing here reads or writes the caller's own Ansible files.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/$(BUILD)/ansible
export ANSIBLE_LOCAL_TEMP := $(CURDIR)/$(BUILD)/ansible/tmp
export NO_COLOR := 1
export ANSIBLE_NOCOLOR := 1
export COVERAGE_FILE = $(CURDIR)/$(BUILD)/coverage/$@

STAGE := tests/tools/stage
PYTEST := python -m pytest --durations=15 --durations-min=1 $(ARGS)
PARALLEL_LOGIC := --numprocesses=auto --maxprocesses=8 --dist=worksteal
# Most of their time these tests wait, for Postfix or for a play: more of them than processors.
PARALLEL := --numprocesses=4 --dist=worksteal
PARALLEL_FILES := --numprocesses=3 --dist=loadfile --no-loadscope-reorder
SHELL_SOURCES := .ci/run tests/install_packages $(addprefix tests/tools/,all environment importer other_debian release_check stage)
# By the names under which they import each other, so that mypy reads each once.
PYTHON_SOURCES := $(LINK)/plugins tests $(wildcard benchmarks)

.DEFAULT_GOAL := help
.PHONY: check schema screenshot picture mutation help environment packages-demo packages-test demo live \
	test test-unit test-component test-integration test-slow slow properties test-matrix coverage sanity sanity-shipped units build importer audit docs \
	test-debian lint lint-ruff lint-format lint-types lint-shell lint-yaml lint-ansible lint-docs lint-changelog lint-spelling \
	changelog release-check publish publish-github bench clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-17s %s\n' "$$name" "$$text"; done
	@echo '  Another Python: make PYTHON=python3.13 test.  Options for pytest: make test-unit ARGS="-k limits".'

environment: $(LINK)
	@tests/tools/environment "$(PYTHON)" "$(VENV)"

# Where Ansible, mypy and pytest find the collection under its name.
$(LINK):
	@mkdir -p $(@D) && ln -s ../../.. $@

packages-demo:
	@tests/install_packages demo

packages-test:
	@tests/install_packages test

demo: packages-demo environment  ## Onboard a domain and relay a real mail against the emulator, without an account
	@python -m tests.demo

live: environment  ## What a real account offers, reading only (SPAMEXPERTS_API_URL, _USERNAME and _PASSWORD)
	@python -m tests.tools.live

test: packages-test environment  ## Everything that must pass before a change lands
	@tests/tools/all test-unit,test-component+lint test-integration+sanity-shipped,build

check: export EXAMPLES := few
check: environment  ## Before each commit: ruff, mypy, yamllint and the unit tests, in less than a minute and without root
	@tests/tools/all --quiet lint-ruff,lint-format,lint-types,lint-yaml+test-unit

lint: environment  ## ruff, mypy, shellcheck, yamllint, ansible-lint, antsibull-docs, changelog, spelling
	@tests/tools/all --quiet lint-ruff lint-format lint-types lint-shell lint-yaml lint-ansible lint-docs lint-changelog lint-spelling

lint-ruff: environment
	@$(STAGE) ruff ruff check .

lint-format: environment
	@$(STAGE) format ruff format --check .

lint-types: environment
	@$(STAGE) mypy mypy $(PYTHON_SOURCES)

lint-shell: environment
	@$(STAGE) shellcheck shellcheck $(SHELL_SOURCES)

lint-yaml: environment
	@$(STAGE) yamllint sh -c 'yamllint --strict . && python -m tests.tools.yaml_in_guides'

lint-ansible: environment
	@$(STAGE) ansible-lint ansible-lint --offline --strict

lint-docs: environment
	@$(STAGE) antsibull-docs antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .

lint-changelog: environment
	@$(STAGE) changelog antsibull-changelog lint

lint-spelling: environment
	@$(STAGE) spelling env PYTHONPATH=collections python -m tests.tools.spelling

test-unit: environment  ## Pure logic
	@$(STAGE) unit $(PYTEST) $(PARALLEL_LOGIC) -m "not slow" tests/unit $(COVERED)

test-component: environment  ## Modules in this process against the emulator
	@$(STAGE) component $(PYTEST) $(PARALLEL) -m "not slow" tests/component $(COVERED)

# Apart from the tests of the day: measuring takes half as long again.
coverage: export COVERED := --cov --cov-report= --cov-fail-under=0
coverage: packages-test environment  ## What unit and component tests together run of plugins/: at least 98 %
	@rm -rf $(BUILD)/coverage
	@tests/tools/all --quiet test-unit test-component
	@$(STAGE) coverage sh -c 'coverage combine --keep --quiet $(BUILD)/coverage/test-* && coverage report'

test-integration: packages-test environment  ## Real playbooks, real Postfix, real Thunderbird, against the emulator
	@$(STAGE) integration $(PYTEST) $(PARALLEL_FILES) -m "not slow" tests/integration

test-slow: packages-test environment  ## For a nightly job: what takes minutes, coverage, mutation, Galaxy's importer, known holes, the site
	@tests/tools/all slow coverage properties mutation importer audit docs

slow: packages-test environment  ## The tests that take minutes
	@$(STAGE) slow $(PYTEST) -m slow tests

properties: packages-test environment  ## Tests of properties with new examples, not those of each day
	@EXAMPLES=new $(STAGE) properties $(PYTEST) $(PARALLEL) tests/unit tests/component/test_postfix_any_configuration.py

mutation: packages-test environment  ## Whether the tests notice small changes of the code that decides (an hour)
	@tests/tools/environment $(VENV)/bin/python $(BUILD)/mutation/venv tests/requirements-mutation.txt
	@PATH="$(PATH):$(CURDIR)/$(BUILD)/mutation/venv/bin" $(STAGE) mutation python -m tests.mutation $(MUTATE)

screenshot: packages-test environment  ## A picture of Thunderbird's account settings with our outgoing server, in build/
	@$(STAGE) screenshot env PYTHONPATH=collections python -m tests.support.thunderbird_settings $(BUILD)/thunderbird-account-settings.png

picture: environment  ## The picture of the audit's page that README shows, in docs/ (needs Chromium)
	@$(STAGE) picture env PYTHONPATH=collections python -m tests.support.audit_picture docs/audit.png

sanity: environment  ## ansible-test sanity for the running Python, without a container; test-matrix has the others
	@$(STAGE) sanity python -m tests.tools.ansible_test sanity --python running

# In the time that integration tests wait. Without the tests, which ruff and mypy look at, what `make lint` has of it, and without
# `import` and `pylint`: component tests import each module, ruff and mypy look at it, and the matrix runs all of it with each core.
sanity-shipped: environment
	@nice -n 19 $(STAGE) sanity python -m tests.tools.ansible_test sanity --python running \
		--exclude tests/ --exclude benchmarks/ --skip-test changelog --skip-test pep8 --skip-test yamllint --skip-test import --skip-test pylint

units: environment  ## ansible-test units, without a container
	@$(STAGE) units python -m tests.tools.ansible_test units

build: environment  ## Build the artefact, check what is in it, install it and read its documentation
	@$(STAGE) build python -m tests.tools.artefact

importer: build  ## What Galaxy says to the artefact, by its own importer
	@tests/tools/environment $(VENV)/bin/python $(BUILD)/importer tests/requirements-importer.txt
	@$(STAGE) galaxy-importer tests/tools/importer $(BUILD)/importer

audit: environment  ## Known holes in what is pinned (asks the package index)
	@tests/tools/environment $(VENV)/bin/python $(BUILD)/audit tests/requirements-audit.txt
	@$(STAGE) pip-audit python -m tests.tools.audit $(BUILD)/audit/bin/pip-audit

docs: environment  ## The documentation as a site, in build/site; every link in it is followed
	@tests/tools/environment $(VENV)/bin/python $(BUILD)/docs tests/requirements-docs.txt
	@$(STAGE) docs $(BUILD)/docs/bin/python -m tests.tools.site

test-matrix: packages-test $(LINK)  ## Unit, component, secrecy, sanity and units on every ansible-core that a Python is here for
	@$(PYTHON) -m tests.tools.matrix $(CORES) $(STAGES)

test-debian: SUITE ?= trixie
test-debian:  ## make test on a bare Debian of another release: make test-debian SUITE=trixie (root, no pyenv)
	@tests/tools/other_debian "$(SUITE)" test

changelog: environment  ## Turn the fragments into CHANGELOG.md for the version in galaxy.yml
	@antsibull-changelog release --reload-plugins --update-existing

release-check: build  ## The version, its changelog and its artefact agree: make release-check VERSION=1.2.0
	@$(STAGE) release-check tests/tools/release_check "$(VERSION)"

publish: release-check  ## Send the artefact to Galaxy (ANSIBLE_GALAXY_TOKEN)
	@python -m tests.tools.publish $(BUILD)/artefact/smarthost-spamexperts-$(VERSION).tar.gz

publish-github:  ## Make the release on GitHub, with the artefact that is in build/ (GH_TOKEN)
	@gh release create "$(VERSION)" --verify-tag --notes-file CHANGELOG.md $(BUILD)/artefact/*.tar.gz

bench: environment  ## Ratios against what a user would do instead
	@python -m benchmarks $(ARGS)

schema: environment  ## Write docs/domain.schema.json anew, after a change of what a description may hold
	@PYTHONPATH=collections python -m tests.tools.schema

clean:  ## Remove everything that make has made
	@rm -rf $(BUILD) $(VENV) collections changelogs/.plugin-cache.yaml .ansible .mypy_cache .ruff_cache .hypothesis
