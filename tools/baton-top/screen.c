// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* screen.c - the same lines on a terminal, again and again. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "top.h"

#ifdef HAVE_CURSES
#include <curses.h>

bool screen_can(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* What fits. The first of the lines that are titles stand out. */
static void draw(const struct top *top)
{
	char *text = NULL, *line, *rest;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	show_lines(out, top);
	fclose(out);
	rest = text;
	erase();
	for (int y = 0; y < LINES - 1 && (line = strsep(&rest, "\n")); y++) {
		bool title = strstr(line, "PROC  ") || strstr(line, " FIBER  ") ||
			     strstr(line, "  BLOCKS  ");

		attrset(title ? A_REVERSE : A_NORMAL);
		mvaddnstr(y, 0, line, COLS);
	}
	attrset(A_DIM);
	mvaddnstr(LINES - 1, 0, "q quit   f list fibers", COLS);
	attrset(A_NORMAL);
	refresh();
	free(text);
}

int screen_run(struct top *top, double seconds)
{
	int ret = 0, key = 0;

	initscr();
	cbreak();
	noecho();
	curs_set(0);
	timeout((int)(seconds * 1000));
	while (key != 'q' && !(ret = next_view(top))) {
		draw(top);
		key = getch();
		if (key == 'f')
			top->list = !top->list;
	}
	endwin();
	return ret;
}
#else
bool screen_can(void)
{
	return false;
}

int screen_run(struct top *top, double seconds)
{
	(void)top;
	(void)seconds;
	return -1;
}
#endif
