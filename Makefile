# The menu. Everything is built by meson and ninja in build/; `make help` lists the targets.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
PREFIX ?= /usr/local
STATE := build/demo-state

.PHONY: help demo build check bench fuzz asan tsan oracle install clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: build ## hello world, then a real training pipeline
	build/skiff run examples/hello-world.yaml --state $(STATE)
	@echo
	@echo "Next: a training pipeline on real data. It needs python3 with scikit-learn (about 150 MB of packages)."
	@tools/setup.sh demo
	build/skiff run examples/training/pipeline.yaml --state $(STATE)
	@echo
	@echo "Look around:  build/skiff list --state $(STATE)"
	@echo "              build/skiff get @latest --state $(STATE)"
	@echo "              build/skiff logs @latest --state $(STATE)"

build: ## the program, as build/skiff
	@tools/setup.sh build
	@[ -f build/build.ninja ] || meson setup build
	@ninja -C build

check: ## every test that ends within minutes
	@tools/setup.sh test
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tools/check.py $(CHECK)

asan: ## unit tests and servers under AddressSanitizer and UBSan
	@tools/setup.sh test
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Db_sanitize=address,undefined -Dbuildtype=debugoptimized
	@ninja -C build-asan
	@ASAN_OPTIONS=detect_stack_use_after_return=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tools/lsan.supp:print_suppressions=0 $(PYTHON) tools/check.py --build build-asan --only unit --only sim --only server --only api --only http

# Languages and documents have no threads, and take a hundred times as long.
tsan: ## unit tests and a server under ThreadSanitizer
	@tools/setup.sh test
	@[ -f build-tsan/build.ninja ] || meson setup build-tsan -Db_sanitize=thread -Dbuildtype=debugoptimized
	@ninja -C build-tsan
	@TSAN_OPTIONS=exitcode=66 meson test -C build-tsan --no-rebuild --print-errorlogs --timeout-multiplier 4 \
		$$(meson test -C build-tsan --no-rebuild --suite unit --list | sed -n 's|.* / ||p' | grep -vE '^(lang|spec|doc)/')
	@TSAN_OPTIONS=exitcode=66 $(PYTHON) tools/check.py --build build-tsan --only server

bench: build ## measures against floors and peers, prints the table
	@tools/setup.sh bench
	@$(PYTHON) bench/run.py $(BENCH)

fuzz: ## every fuzz target for a minute
	@tools/setup.sh fuzz
	@tools/fuzz.sh $(FUZZ)

oracle: build ## compares the languages with Argo's Go libraries (needs Go and its modules)
	@cd test/oracle/go && go build -o ../../../build/oracle .
	@$(PYTHON) test/oracle/diff.py $(ORACLE)

install: build ## copies the program, its helpers and a systemd unit to $(PREFIX)
	install -D -m 755 build/skiff $(DESTDIR)$(PREFIX)/bin/skiff
	install -D -m 755 build/skiff-helper $(DESTDIR)$(PREFIX)/libexec/skiff/skiff-helper
	install -D -m 755 build/skiff-container $(DESTDIR)$(PREFIX)/libexec/skiff/skiff-container
	install -D -m 644 docs/systemd.md $(DESTDIR)$(PREFIX)/share/doc/skiff/systemd.md
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' packaging/systemd/skiff.service.in > $(DESTDIR)$(PREFIX)/lib/systemd/system/skiff.service
	@chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/skiff.service

clean: ## removes what was built
	rm -rf build build-asan build-tsan build-fuzz
