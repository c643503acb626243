// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* main.c - baton-sum: checksums of files and trees, one fiber per file. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../usage/usage.h"
#include "sum.h"

#define SPARE_FILES	64	/* descriptors for all but the files */

struct sum_opts sum_opts = { .in_flight = 1024 };

static const char usage_text[] =
"Usage: baton-sum [OPTION]... [FILE]...\n"
"Print SHA-256 checksums of files, and of the regular files in directories.\n"
"With no FILE, or when FILE is -, read standard input.\n"
"\n"
"  -b, --binary       mark names with *, as sha256sum -b does\n"
"  -c, --check        read checksums from the FILEs and check them\n"
"  -j, --procs N      run on N processors\n"
"  -q, --quiet        no progress bar, no summary; no OK lines with -c\n"
"  -t, --text         mark names with a space, which is the default\n"
"  -w, --warn         with -c, tell each line that is improperly formatted\n"
"  -z, --zero         end lines with NUL, not newline; do not escape names\n"
"      --ignore-missing  with -c, no word of files that are not there\n"
"      --in-flight N  open at most N files at once (1024)\n"
"      --io W         how to wait for files: auto, uring, call (auto)\n"
"      --json         print the summary as JSON\n"
"      --status       with -c, print nothing: the exit status tells\n"
"      --strict       with -c, fail for lines that are improperly formatted\n"
"      --summary      print a summary though standard error is no terminal\n"
"      --tag          print checksums in the style of BSD\n"
"      --tier T       auto, poll, idle or kmod\n"
"      --unannounced  call open and read in fiber code\n"
"      --help         this text\n"
"      --version      which version this is\n"
"\n"
"Exit status: 0; 1 if a file could not be read, a checksum did not match, or\n"
"the command line is wrong.\n";

const int usage_status = 1;

static enum baton_io parse_io(const char *arg)
{
	static const char *const names[] = {
		[BATON_IO_AUTO] = "auto",
		[BATON_IO_URING] = "uring",
		[BATON_IO_CALL] = "call",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(arg, names[i]))
			return (enum baton_io)i;
	usage_error("--io: '%s' is none of auto, uring, call", arg);
}

enum {
	OPT_IGNORE_MISSING = 256,
	OPT_IN_FLIGHT,
	OPT_IO,
	OPT_JSON,
	OPT_STATUS,
	OPT_STRICT,
	OPT_SUMMARY,
	OPT_TAG,
	OPT_TIER,
	OPT_UNANNOUNCED,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "binary", no_argument, NULL, 'b' },
	{ "check", no_argument, NULL, 'c' },
	{ "procs", required_argument, NULL, 'j' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "text", no_argument, NULL, 't' },
	{ "warn", no_argument, NULL, 'w' },
	{ "zero", no_argument, NULL, 'z' },
	{ "ignore-missing", no_argument, NULL, OPT_IGNORE_MISSING },
	{ "in-flight", required_argument, NULL, OPT_IN_FLIGHT },
	{ "io", required_argument, NULL, OPT_IO },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "status", no_argument, NULL, OPT_STATUS },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "summary", no_argument, NULL, OPT_SUMMARY },
	{ "tag", no_argument, NULL, OPT_TAG },
	{ "tier", required_argument, NULL, OPT_TIER },
	{ "unannounced", no_argument, NULL, OPT_UNANNOUNCED },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static void parse_option(int opt)
{
	switch (opt) {
	case 'b':
		sum_opts.binary = true;
		break;
	case 'c':
		sum_opts.check = true;
		break;
	case 'j':
		sum_opts.nprocs = usage_number("--procs", optarg, 256);
		break;
	case 'q':
		sum_opts.quiet = true;
		break;
	case 't':
		sum_opts.text = true;
		sum_opts.binary = false;
		break;
	case 'w':
		sum_opts.warn = true;
		break;
	case 'z':
		sum_opts.zero = true;
		break;
	case OPT_IGNORE_MISSING:
		sum_opts.ignore_missing = true;
		break;
	case OPT_IN_FLIGHT:
		sum_opts.in_flight = usage_number("--in-flight", optarg,
						  65536);
		break;
	case OPT_IO:
		sum_opts.io = parse_io(optarg);
		break;
	case OPT_JSON:
		sum_opts.json = sum_opts.summary = true;
		break;
	case OPT_STATUS:
		sum_opts.status = true;
		break;
	case OPT_STRICT:
		sum_opts.strict = true;
		break;
	case OPT_SUMMARY:
		sum_opts.summary = true;
		break;
	case OPT_TAG:
		sum_opts.tag = true;
		break;
	case OPT_TIER:
		sum_opts.tier = usage_tier(optarg);
		break;
	case OPT_UNANNOUNCED:
		sum_opts.unannounced = true;
		break;
	case OPT_HELP:
		usage_help(usage_text);
		exit(usage_flush());
	case OPT_VERSION:
		printf("baton-sum %s\n", baton_version());
		exit(usage_flush());
	default:
		usage_try();
	}
}

/* The same that sha256sum refuses. */
static void check_options(void)
{
	const struct {
		const char *name;
		bool given;
	} checking[] = {
		{ "ignore-missing", sum_opts.ignore_missing },
		{ "status", sum_opts.status },
		{ "strict", sum_opts.strict },
		{ "warn", sum_opts.warn },
	};

	if (sum_opts.tag && sum_opts.text)
		usage_error("--tag: there is no mark for --text");
	if (sum_opts.check && (sum_opts.tag || sum_opts.text || sum_opts.binary))
		usage_error("--tag, --text and --binary have no meaning with --check");
	if (sum_opts.check && sum_opts.zero)
		usage_error("--zero: lists are read by lines with --check");
	for (size_t i = 0; i < sizeof(checking) / sizeof(*checking); i++)
		if (checking[i].given && !sum_opts.check)
			usage_error("--%s has a meaning with --check alone",
				    checking[i].name);
}

static void parse_options(int argc, char **argv)
{
	bool terminal = isatty(STDERR_FILENO);
	int opt;

	while ((opt = getopt_long(argc, argv, "bcj:qtwz", options, NULL)) != -1)
		parse_option(opt);
	check_options();
	if (sum_opts.quiet)
		terminal = false;
	sum_opts.summary |= terminal;
	sum_opts.progress = terminal && !isatty(STDOUT_FILENO);
}

/* As many descriptors as we may have, and no more files than that. */
static void limit_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	if (getrlimit(RLIMIT_NOFILE, &rl))
		return;
	if (rl.rlim_cur < 2 * SPARE_FILES)
		sum_opts.in_flight = 1;
	else if (sum_opts.in_flight > rl.rlim_cur - SPARE_FILES)
		sum_opts.in_flight = (unsigned int)rl.rlim_cur - SPARE_FILES;
}

static int run(char **args)
{
	struct baton_config *cfg;
	int ret;

	ret = baton_config_create(&cfg);
	if (!ret) {
		ret = baton_config_set_tier(cfg, sum_opts.tier);
		if (!ret)
			ret = baton_config_set_nprocs(cfg, sum_opts.nprocs);
		if (!ret)
			ret = baton_config_set_io(cfg, sum_opts.io);
		if (!ret)
			ret = baton_run(cfg, sum_master, args, NULL);
	}
	if (ret)
		fprintf(stderr, "baton-sum: cannot start: %s\n",
			usage_reason(-ret));
	else
		baton_config_destroy(cfg);
	return ret;
}

static bool all_well(void)
{
	return !sum_totals.unread && !sum_totals.mismatched &&
	       !sum_totals.failed &&
	       !(sum_opts.strict && sum_totals.malformed) &&
	       !(sum_opts.ignore_missing && !sum_totals.files);
}

int main(int argc, char **argv)
{
	static char *standard_input[] = { (char *)"-", NULL };
	char **args = standard_input;

	parse_options(argc, argv);
	if (optind < argc)
		args = argv + optind;
	limit_files();
	if (sum_hash_init()) {
		fputs("baton-sum: libcrypto has no SHA-256\n", stderr);
		return 1;
	}
	sum_totals.start_ns = sum_now();
	if (run(args))
		return 1;
	sum_hash_uninit();
	return usage_flush() || !all_well();
}
