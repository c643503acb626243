// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_expat.c - expat parses in a foreign call, piece by piece; its handlers are
 * fiber code.
 */
#include "common.h"

#include <expat.h>

struct parse {
	XML_Parser parser;
	const char *name;	/* of the element in progress */
	const char *part;
	int depth, deepest, elements;
	uint32_t hash;
};

static void seen(struct parse *p)
{
	for (const char *c = p->name; *c; c++)
		p->hash = p->hash * 31 + (unsigned char)*c;
	p->elements++;
	if (++p->depth > p->deepest)
		p->deepest = p->depth;
}

/* Fiber code. */
static void start_back(void *arg)
{
	struct parse *p = arg;

	if (p->elements % 7 == 0)
		baton_yield();
	seen(p);
}

static void start(void *arg, const char *name, const char **attributes)
{
	struct parse *p = arg;

	(void)attributes;
	p->name = name;
	expect_eq(baton_callback(start_back, p), 0);
}

static void plain_start(void *arg, const char *name, const char **attributes)
{
	struct parse *p = arg;

	(void)attributes;
	p->name = name;
	seen(p);
}

static void end(void *arg, const char *name)
{
	struct parse *p = arg;

	(void)name;
	p->depth--;
}

static void feed(void *arg)
{
	struct parse *p = arg;

	expect_eq(XML_Parse(p->parser, p->part, (int)strlen(p->part), 0),
		  XML_STATUS_OK);
}

#define GROUPS	200

/* The n-th piece of the document, or NULL. */
static const char *piece(char *text, size_t size, int n)
{
	if (n > GROUPS)
		return NULL;
	snprintf(text, size, n == 0 ? "<all>" : n == GROUPS ? "</all>" :
		 "<g%d><a x='1'><b/>text</a><c%d/></g%d>", n, n % 5, n);
	return text;
}

static void parse(struct parse *p)
{
	char text[128];

	for (int n = 0; (p->part = piece(text, sizeof(text), n)); n++)
		expect(baton_call(feed, p) >= 0);
}

static void parse_init(struct parse *p, XML_StartElementHandler handler)
{
	*p = (struct parse){ .parser = XML_ParserCreate(NULL) };
	XML_SetUserData(p->parser, p);
	XML_SetElementHandler(p->parser, handler, end);
}

static void *parser(void *arg)
{
	const struct parse *want = arg;
	struct parse p;

	parse_init(&p, start);
	parse(&p);
	expect(p.hash == want->hash && p.elements == want->elements &&
	       p.deepest == want->deepest && !p.depth);
	XML_ParserFree(p.parser);
	return NULL;
}

static void *parsers(void *arg)
{
	struct baton_fiber *f[8];

	for (unsigned int r = 0; r < scaled(20); r++) {
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			f[i] = spawn(parser, arg);
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			join(f[i]);
	}
	return arg;
}

START_TEST(handlers)
{
	struct parse want;
	char text[128];

	/* Without fibers. */
	parse_init(&want, plain_start);
	for (int n = 0; (want.part = piece(text, sizeof(text), n)); n++)
		feed(&want);
	XML_ParserFree(want.parser);
	expect_eq(want.elements, 1 + 4 * (GROUPS - 1));
	run_on(nprocs_list[_i], parsers, &want);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("expat");

	tcase_add_loop_test(test_case(s, "expat"), handlers, 0,
			    (int)ARRAY_SIZE(nprocs_list));
	return suite_main(s);
}
