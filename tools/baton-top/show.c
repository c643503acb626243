// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* show.c - a view of a process, as lines of text or as JSON. */
#include <baton/runtime.h>
#include <inttypes.h>

#include "top.h"

uint64_t handoffs(const struct view *v)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < v->nprocs; i++)
		n += v->procs[i].rec.handoffs;
	return n;
}

double handoff_rate(const struct top *top)
{
	const struct view *now = &top->now, *was = &top->was;

	if (!was->when || now->when <= was->when)
		return -1;
	return (double)(handoffs(now) - handoffs(was)) /
	       ((double)(now->when - was->when) / 1e9);
}

const char *worker_does(const struct worker *w)
{
	if (w->polling)
		return "polls";
	switch (w->slot.state) {
	case BATON_RUNTIME:
		return "schedules";
	case BATON_FIBER:
		return w->has_proc ? "runs" : "runs, lost its processor";
	case BATON_FOREIGN:
		return "foreign call";
	case BATON_PARKED:
		if (w->adopted && !w->depth)
			return "outside";
		return w->depth ? "waits in a callback" : "idle";
	default:
		return "ends";
	}
}

const char *tier_name(const struct view *v)
{
	const char *name = v->tier <= BATON_TIER_KMOD ?
				   baton_tier_name((enum baton_tier)v->tier) :
				   NULL;

	return name ? name : "?";
}

const struct fiber *fiber_of(const struct view *v, const struct worker *w)
{
	for (size_t i = 0; i < v->nfibers; i++)
		if (v->fibers[i].at == w->fiber)
			return &v->fibers[i];
	return NULL;
}

static unsigned int queue_length(const struct proc *p)
{
	return p->rec.tail - p->rec.head;
}

static void count_whats(const struct view *v, size_t n[FIBER_WHATS])
{
	for (int i = 0; i < FIBER_WHATS; i++)
		n[i] = 0;
	for (size_t i = 0; i < v->nfibers; i++)
		n[v->fibers[i].what]++;
}

static uint64_t spawned(const struct view *v)
{
	uint64_t n = v->spawns;

	for (unsigned int i = 0; i < v->nprocs; i++)
		n += v->procs[i].spawns;
	return n;
}

/* Text of the other process's: nothing that a terminal would obey. */
void show_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(*text < ' ' || *text > '~' ? '?' : *text, out);
}

/* --- lines ------------------------------------------------------------------- */

static void proc_line(FILE *out, const struct view *v, unsigned int n)
{
	const struct proc *p = &v->procs[n];

	fprintf(out, "%5u  ", n);
	if (p->idle)
		fprintf(out, "%-8s", "idle");
	else
		fprintf(out, "%-8u", p->rec.worker);
	fprintf(out, "%6u %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
		queue_length(p), (uint64_t)p->rec.handoffs, p->steals,
		p->spawns);
}

static void worker_line(FILE *out, const struct top *top,
			const struct worker *w)
{
	const struct fiber *f = fiber_of(&top->now, w);

	fprintf(out, "%5u %8u  ", w->n, w->slot.tid);
	if (w->has_proc)
		fprintf(out, "%4u  ", w->slot.proc);
	else
		fprintf(out, "%4s  ", "-");
	fprintf(out, "%10" PRIu64 "  %s", (uint64_t)w->slot.calls,
		worker_does(w));
	if (w->slot.state == BATON_FOREIGN) {
		fputs(", ", out);
		show_text(out, target_function(&top->target, w->slot.fn));
	}
	if (f && w->slot.state != BATON_PARKED) {
		fputs(": ", out);
		show_text(out, *f->name ? f->name :
					  target_function(&top->target, f->fn));
	}
	fputc('\n', out);
}

static void fiber_line(FILE *out, const struct top *top, const struct fiber *f)
{
	fprintf(out, "%#14" PRIxPTR "  %-16s  ", f->at, fiber_whats[f->what]);
	if (f->worker >= 0)
		fprintf(out, "%6d  ", f->worker);
	else
		fprintf(out, "%6s  ", "-");
	show_text(out, target_function(&top->target, f->fn));
	if (*f->name) {
		fputs("  \"", out);
		show_text(out, f->name);
		fputc('"', out);
	}
	fputc('\n', out);
}

void show_lines(FILE *out, const struct top *top)
{
	const struct view *v = &top->now;
	double rate = handoff_rate(top);
	size_t n[FIBER_WHATS];

	count_whats(v, n);
	fprintf(out,
		"process %d, tier %s: %u processors, %u workers, %zu fibers, %" PRIu64
		" spawned\n",
		(int)top->target.pid, tier_name(v), v->nprocs, v->nworkers,
		v->nfibers, spawned(v));
	fputs("fibers:", out);
	for (int i = 0; i < FIBER_WHATS; i++)
		fprintf(out, "%s %zu %s", i ? "," : "", n[i], fiber_whats[i]);
	fprintf(out, "\nglobal queue: %u; hand-offs: %" PRIu64, v->hdr.nglobal,
		handoffs(v));
	if (rate >= 0)
		fprintf(out, ", %.0f/s", rate);
	fputs("\n\n PROC  WORKER   QUEUE  HAND-OFFS     STEALS     SPAWNS\n",
	      out);
	for (unsigned int i = 0; i < v->nprocs; i++)
		proc_line(out, v, i);
	sites_lines(out, top);
	fputs("\nWORKER     TID  PROC       CALLS  DOES\n", out);
	for (unsigned int i = 0; i < v->nworkers; i++)
		worker_line(out, top, &v->workers[i]);
	if (!top->list)
		return;
	fputs("\n         FIBER  STATE             WORKER  FUNCTION\n", out);
	for (size_t i = 0; i < v->nfibers; i++)
		fiber_line(out, top, &v->fibers[i]);
}

/* --- JSON ---------------------------------------------------------------------- */

void show_json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text < ' ' || *text > '~' ? '?' : *text, out);
	fputc('"', out);
}

static void json_procs(FILE *out, const struct view *v)
{
	fputs(", \"processors\": [", out);
	for (unsigned int i = 0; i < v->nprocs; i++) {
		const struct proc *p = &v->procs[i];

		fprintf(out,
			"%s{\"n\": %u, \"idle\": %s, \"worker\": %u, \"queue\": %u, "
			"\"handoffs\": %" PRIu64 ", \"steals\": %" PRIu64
			", \"spawns\": %" PRIu64 "}",
			i ? ", " : "", i, p->idle ? "true" : "false",
			p->rec.worker, queue_length(p),
			(uint64_t)p->rec.handoffs, p->steals, p->spawns);
	}
	fputc(']', out);
}

static void json_workers(FILE *out, const struct top *top)
{
	const struct view *v = &top->now;

	fputs(", \"workers\": [", out);
	for (unsigned int i = 0; i < v->nworkers; i++) {
		const struct worker *w = &v->workers[i];

		fprintf(out, "%s{\"n\": %u, \"tid\": %u, \"does\": \"%s\", "
			"\"callbacks\": %u, \"calls\": %" PRIu64,
			i ? ", " : "", w->n, w->slot.tid, worker_does(w),
			w->depth, (uint64_t)w->slot.calls);
		if (w->has_proc)
			fprintf(out, ", \"processor\": %u", w->slot.proc);
		if (w->slot.state == BATON_FOREIGN) {
			fputs(", \"function\": ", out);
			show_json_text(out, target_function(&top->target,
							    w->slot.fn));
		}
		fputc('}', out);
	}
	fputc(']', out);
}

static void json_fibers(FILE *out, const struct top *top)
{
	const struct view *v = &top->now;

	fputs(", \"list\": [", out);
	for (size_t i = 0; i < v->nfibers; i++) {
		const struct fiber *f = &v->fibers[i];

		fprintf(out, "%s{\"fiber\": \"%#" PRIxPTR
			"\", \"state\": \"%s\", \"name\": ",
			i ? ", " : "", f->at, fiber_whats[f->what]);
		show_json_text(out, f->name);
		fputs(", \"function\": ", out);
		show_json_text(out, target_function(&top->target, f->fn));
		if (f->worker >= 0)
			fprintf(out, ", \"worker\": %d", f->worker);
		fputc('}', out);
	}
	fputc(']', out);
}

void show_json(FILE *out, const struct top *top)
{
	const struct view *v = &top->now;
	double rate = handoff_rate(top);
	size_t n[FIBER_WHATS];

	count_whats(v, n);
	fprintf(out, "{\"pid\": %d, \"tier\": \"%s\", \"time_ns\": %" PRId64
		", \"global_queue\": %u, \"spawned\": %" PRIu64
		", \"handoffs\": %" PRIu64,
		(int)top->target.pid, tier_name(v), v->when, v->hdr.nglobal,
		spawned(v), handoffs(v));
	if (rate >= 0)
		fprintf(out, ", \"handoffs_per_s\": %.1f", rate);
	fputs(", \"fibers\": {", out);
	for (int i = 0; i < FIBER_WHATS; i++)
		fprintf(out, "%s\"%s\": %zu", i ? ", " : "", fiber_whats[i],
			n[i]);
	fputc('}', out);
	json_procs(out, v);
	sites_json(out, top);
	json_workers(out, top);
	if (top->list)
		json_fibers(out, top);
	fputs("}\n", out);
}
