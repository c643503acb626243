// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* main.c - baton-bench: what the library's operations cost on this machine. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../usage/usage.h"
#include "bench.h"

struct bench_opts bench_opts = { .nprocs = 1 };

static const struct bench_case *const groups[] = {
	bench_switch_cases,
	bench_call_cases,
	bench_lock_cases,
	bench_mutex_cases,
	bench_handoff_cases,
	bench_wait_cases,
	bench_hog_cases,
	bench_files_cases,
	bench_echo_cases,
	bench_storm_cases,
	NULL
};

static const char usage_text[] =
"Usage: baton-bench [OPTION]... [SCENARIO]...\n"
"Measure the operations of libbaton; all scenarios by default.\n"
"\n"
"  --tier auto|poll|idle|kmod  insist on a tier\n"
"  --nprocs N              processors (1); yield and handoff always use one\n"
"  --case C                only the case of that name\n"
"  --trials N              trials of each hand-off case; sleepers of timer;\n"
"                          turns of the scenarios with connections and storms\n"
"  --block MS              how long the calls of handoff block\n"
"  --time MS               how long a turn lasts\n"
"  --dir DIR               faults disk: of a file made there\n"
"  --plot FILE.svg         draw a chart of the results, too\n"
"  --json                  one JSON object per line instead of a table\n"
"  --list                  list scenarios and cases\n"
"  --help                  this text\n"
"  --version               which version this is\n"
"\n"
"Exit status: 0; 1 if a tier could not be had or a result was wrong; 2 for a\n"
"wrong command line.\n";

static void say(const struct bench_case *c, const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "baton-bench: %s/%s: ", c->scenario, c->name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

/* Say what is wrong with a case. Return: -1. */
int bench_fail(const struct bench_case *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
	return -1;
}

/* Say what is worth knowing of one. */
void bench_note(const struct bench_case *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(c, fmt, ap);
	va_end(ap);
}

/* Run @fn as the first fiber. Return: 0, or -1 having said why not. */
int bench_run(unsigned int nprocs, baton_fn fn, void *arg)
{
	struct baton_config *cfg;
	int ret;

	ret = baton_config_create(&cfg);
	if (!ret) {
		ret = baton_config_set_tier(cfg, bench_opts.tier);
		if (!ret)
			ret = baton_config_set_nprocs(cfg, nprocs);
		if (!ret)
			ret = baton_run(cfg, fn, arg, NULL);
	}
	if (ret) {
		fflush(stdout);
		fprintf(stderr, "baton-bench: cannot start the %s tier: %s\n",
			baton_tier_name(bench_opts.tier), usage_reason(-ret));
	} else {
		baton_config_destroy(cfg);
	}
	return ret ? -1 : 0;
}

static bool wanted(const struct bench_case *c, char **scenarios)
{
	if (bench_opts.only && strcmp(bench_opts.only, c->name))
		return false;
	if (!*scenarios)
		return true;
	for (; *scenarios; scenarios++)
		if (!strcmp(*scenarios, c->scenario))
			return true;
	return false;
}

/* Return: how many cases were run; *@failed how many of them went wrong. */
static unsigned int run_cases(char **scenarios, unsigned int *failed)
{
	unsigned int count = 0;

	for (size_t g = 0; groups[g]; g++) {
		for (const struct bench_case *c = groups[g]; c->name; c++) {
			if (!wanted(c, scenarios))
				continue;
			count++;
			if (c->run(c))
				++*failed;
		}
	}
	return count;
}

static bool known(const char *scenario)
{
	for (size_t g = 0; groups[g]; g++)
		for (const struct bench_case *c = groups[g]; c->name; c++)
			if (!strcmp(scenario, c->scenario))
				return true;
	return false;
}

static void list_cases(void)
{
	for (size_t g = 0; groups[g]; g++)
		for (const struct bench_case *c = groups[g]; c->name; c++)
			printf("%s %s\n", c->scenario, c->name);
}

const int usage_status = 2;

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tier", required_argument, NULL, 't' },
		{ "nprocs", required_argument, NULL, 'p' },
		{ "case", required_argument, NULL, 'c' },
		{ "trials", required_argument, NULL, 'n' },
		{ "block", required_argument, NULL, 'b' },
		{ "time", required_argument, NULL, 'd' },
		{ "plot", required_argument, NULL, 'P' },
		{ "dir", required_argument, NULL, 'D' },
		{ "json", no_argument, NULL, 'j' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 't':
			bench_opts.tier = usage_tier(optarg);
			break;
		case 'p':
			bench_opts.nprocs = usage_number("--nprocs", optarg, 256);
			break;
		case 'c':
			bench_opts.only = optarg;
			break;
		case 'n':
			bench_opts.trials = usage_number("--trials", optarg,
							 1000000);
			break;
		case 'b':
			bench_opts.block_ms = usage_number("--block", optarg,
							   10000);
			break;
		case 'd':
			bench_opts.time_ms = usage_number("--time", optarg,
							  60000);
			break;
		case 'P':
			bench_opts.plot = optarg;
			break;
		case 'D':
			bench_opts.dir = optarg;
			break;
		case 'j':
			bench_opts.json = true;
			break;
		case 'l':
			list_cases();
			exit(usage_flush());
		case 'h':
			usage_help(usage_text);
			exit(usage_flush());
		case 'v':
			printf("baton-bench %s\n", baton_version());
			exit(usage_flush());
		default:
			usage_try();
		}
	}
}

static int plot_failed(void)
{
	fprintf(stderr, "baton-bench: --plot: %s: %s\n", bench_opts.plot,
		strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	unsigned int failed = 0;

	parse_options(argc, argv);
	for (int i = optind; i < argc; i++)
		if (!known(argv[i]))
			usage_error("'%s' is no scenario: see --list", argv[i]);
	if (bench_opts.plot && bench_plot_open())
		return plot_failed();
	if (!run_cases(argv + optind, &failed))
		usage_error("--case: '%s' is none of the case names of these scenarios: see --list",
			    bench_opts.only);
	if (usage_flush())
		failed++;
	if (bench_opts.plot && bench_plot())
		failed += plot_failed();
	return failed ? 1 : 0;
}
