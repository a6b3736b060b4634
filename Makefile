# `make` prints what there is; the work itself is in CMakePresets.json and scripts/.
.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-peers build format format-check tidy clean

PYTHON ?= /usr/bin/python3
sources = $(shell git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' '*.inc')

help:
	@echo 'make demo          real digits to runs/demo/report.html, from nothing, at most 10 minutes on 2 cores'
	@echo 'make test          build and run every test'
	@echo 'make build         build/counterfoil, and where nvcc is found build/libcounterfoil_cuda.so'
	@echo 'make bench         every primitive and one training step of each method, against the peak of this machine'
	@echo 'make bench-peers   the same training steps in PyTorch, interleaved with ours (PYTHON=... names another Python)'
	@echo 'make format        clang-format on every source; make format-check only reports'
	@echo 'make tidy          clang-tidy on every source'
	@echo 'make clean         removes build*/ but no runs'

demo:
	scripts/install_packages build
	cmake --preset program
	cmake --build --preset program --target counterfoil
	scripts/demo

test:
	scripts/install_packages build test
	cmake --preset release
	cmake --build --preset release
	ctest --preset release

build:
	scripts/install_packages build
	cmake --preset program
	cmake --build --preset program

bench:
	scripts/install_packages build bench
	cmake --preset bench
	cmake --build --preset bench
	build/counterfoil_bench --benchmark_counters_tabular=true
	for work in $$(build/counterfoil_bench_step --list); do build/counterfoil_bench_step --work $$work || exit 1; done

bench-peers:
	scripts/install_packages build bench
	[ '$(PYTHON)' != /usr/bin/python3 ] || scripts/install_packages peers
	cmake --preset bench
	cmake --build --preset bench
	PYTHON='$(PYTHON)' /usr/bin/python3 bench/peers/compare.py

format:
	scripts/install_packages format
	clang-format -i $(sources)

format-check:
	scripts/install_packages format
	clang-format --dry-run --Werror $(sources)

tidy:
	scripts/install_packages build test format
	cmake --preset release
	clang-tidy -p build --quiet $(filter %.cpp,$(sources))

clean:
	rm -rf build build-*
