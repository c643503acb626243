// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* main.c - baton-top: what the fibers of another process do. */
#include <baton/version.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../usage/usage.h"
#include "top.h"

const int usage_status = 1;

static const char usage_text[] =
"Usage: baton-top [OPTION]... PID\n"
"Show the processors, workers and fibers of a program that runs libbaton.\n"
"\n"
"  -b, --batch      plain lines, though standard output is a terminal\n"
"  -d, --delay S    look every S seconds (1)\n"
"  -f, --fibers     list each fiber\n"
"  -n, --count N    look N times, as plain lines\n"
"      --json       an object for each look, one a line\n"
"      --help       this text\n"
"      --version    the version\n"
"\n"
"Exit status: 0; 1 if the process cannot be read, or the command line is wrong.\n";

static const struct option options[] = {
	{ "batch", no_argument, NULL, 'b' },
	{ "delay", required_argument, NULL, 'd' },
	{ "fibers", no_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

int next_view(struct top *top)
{
	view_free(&top->was);
	top->was = top->now;
	top->now = (struct view){ 0 };
	return view_take(&top->target, &top->now);
}

/* No longer than a line of the terminal, if it goes to one: sentences, which come
 * before the first empty line, are folded, and rows of tables are cut. */
static void print_lines(const struct top *top)
{
	size_t cols = usage_table_width(), size = 0;
	FILE *out = NULL;
	char *text = NULL, *tables;

	if (cols != SIZE_MAX)
		out = open_memstream(&text, &size);
	if (!out) {
		show_lines(stdout, top);
		return;
	}
	show_lines(out, top);
	if (fclose(out) || !(tables = strstr(text, "\n\n"))) {
		free(text);
		show_lines(stdout, top);
		return;
	}
	*++tables = '\0';
	tables++;
	usage_help(text);
	putchar('\n');
	for (size_t len; *tables; tables += len + 1) {
		len = strcspn(tables, "\n");
		printf("%.*s\n", (int)(len < cols ? len : cols), tables);
	}
	free(text);
}

static int plain_run(struct top *top, double seconds, unsigned long count)
{
	struct timespec pause = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};
	int ret = 0;

	for (unsigned long i = 0; !count || i < count; i++) {
		if (i)
			nanosleep(&pause, NULL);
		ret = next_view(top);
		if (ret)
			return i ? 1 : ret;
		if (top->json)
			show_json(stdout, top);
		else
			print_lines(top);
		if (!top->json && (!count || i + 1 < count))
			putchar('\n');
		if (usage_flush())
			return 0;	/* it was seen, if by nobody */
	}
	return ret;
}

int main(int argc, char **argv)
{
	bool batch = false, counted = false;
	unsigned long count = 0;
	struct top top = { 0 };
	double seconds = 1;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, "bd:fn:", options, NULL)) != -1)
		switch (opt) {
		case 'b':
			batch = true;
			break;
		case 'd':
			seconds = usage_real("--delay", optarg, 0.001, 86400);
			break;
		case 'f':
			top.list = true;
			break;
		case 'n':
			count = usage_number("--count", optarg, 1000000000);
			counted = true;
			break;
		case 'j':
			top.json = true;
			break;
		case 'h':
			usage_help(usage_text);
			return usage_flush();
		case 'V':
			printf("baton-top %s\n", baton_version());
			return usage_flush();
		default:
			usage_try();
		}
	if (optind + 1 != argc)
		usage_error("one process is to be named: %s",
			    optind < argc ? argv[optind + 1] : "none was");
	if (target_open(&top.target,
			(pid_t)usage_number("PID", argv[optind], 4194304),
			false))
		return 1;
	if (!batch && !top.json && !counted && screen_can())
		ret = screen_run(&top, seconds);
	else
		ret = plain_run(&top, seconds, count);
	/* Its end is no error if something was to be seen before. */
	if (ret && !top.was.when)
		fprintf(stderr, "baton-top: process %d: %s\n",
			(int)top.target.pid,
			ret > 0 ? "no scheduler runs" : "cannot be read");
	ret = (ret && !top.was.when) || ferror(stdout);
	view_free(&top.now);
	view_free(&top.was);
	target_close(&top.target);
	return ret;
}
