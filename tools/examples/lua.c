// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * lua.c - scripts of Lua, each in a fiber with a state of its own; what blocks
 * in one of them, LuaSocket for example, holds up none of the others.
 *
 *	lua [-p PROCESSORS] SCRIPT...
 *
 * The interpreter is foreign code: it recurses in C (LUAI_MAXCCALLS, 200 levels
 * of it), allocates, and leaves functions by longjmp(), for all of which the
 * thread's stack is the place. A script may use any module of C that Lua has,
 * and knows nothing of fibers. What waits within baton is a callback, so that
 * the fiber waits and not the thread's processor:
 *
 *	baton.spawn(file)	run another script beside this one
 *	baton.sleep(seconds)	let others run
 *	baton.send(value)	a number or a string, to whoever receives
 *	baton.receive()		the next one; nil after the last
 *	baton.close()		nothing more will be sent
 *
 * An error of Lua is a longjmp(), which must not pass over a callback: a
 * callback only waits, and what it has to say is said when it has returned.
 */
#include <baton/baton.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** struct message - a value between two states, which share no memory */
struct message {
	size_t size;
	char text[256];
};

/* What is sent is kept until somebody receives it. */
static struct message kept[1024];
static struct baton_chan channel =
	BATON_CHAN_INIT(sizeof(struct message), 1024, kept);
/* All scripts; one that fails does not end the others. */
static struct baton_group group = BATON_GROUP_INIT;
static atomic_bool failed;

static int run_script(void *arg);

/* --- fiber code --------------------------------------------------------- */

static void sleep_for(void *arg)
{
	baton_sleep((int64_t)(*(double *)arg * BATON_SEC));
}

/** struct transfer - a message on its way, and what became of it */
struct transfer {
	struct message m;
	int err;
};

static void send_it(void *arg)
{
	struct transfer *t = arg;

	t->err = baton_chan_send(&channel, &t->m);
}

static void receive_it(void *arg)
{
	struct transfer *t = arg;

	t->err = baton_chan_recv(&channel, &t->m);
}

static void close_it(void *arg)
{
	*(int *)arg = baton_chan_close(&channel);
}

/** struct start - a script to be run: its name, allocated, and an error */
struct start {
	char *name;
	int err;
};

static void start(void *arg)
{
	struct start *s = arg;

	s->err = baton_group_spawn(&group, NULL, run_script, s->name);
}

/* --- foreign code ------------------------------------------------------- */

static void back(lua_State *L, void (*fn)(void *arg), void *arg)
{
	/* What fails here is said to the script, when nothing is in between. */
	if (baton_callback(fn, arg))
		luaL_error(L, "%s", baton_reason());
}

static int l_sleep(lua_State *L)
{
	double seconds = luaL_checknumber(L, 1);

	luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "0 to 1e9 seconds");
	back(L, sleep_for, &seconds);
	return 0;
}

static int l_send(lua_State *L)
{
	struct transfer t = { .err = 0 };
	const char *s = luaL_checklstring(L, 1, &t.m.size);

	luaL_argcheck(L, t.m.size <= sizeof(t.m.text), 1, "too long");
	memcpy(t.m.text, s, t.m.size);
	back(L, send_it, &t);
	return t.err ? luaL_error(L, "send: %s", strerror(-t.err)) : 0;
}

static int l_receive(lua_State *L)
{
	struct transfer t = { .err = 0 };

	back(L, receive_it, &t);
	if (t.err)
		lua_pushnil(L);
	else
		lua_pushlstring(L, t.m.text, t.m.size);
	return 1;
}

static int l_close(lua_State *L)
{
	int err;

	back(L, close_it, &err);
	return err ? luaL_error(L, "close: %s", strerror(-err)) : 0;
}

static int l_spawn(lua_State *L)
{
	struct start s = { .name = strdup(luaL_checkstring(L, 1)) };

	if (!s.name || baton_callback(start, &s))
		s.err = -ENOMEM;
	if (!s.err)
		return 0;
	free(s.name);
	return luaL_error(L, "spawn: %s", strerror(-s.err));
}

static const luaL_Reg functions[] = {
	{ "close", l_close },
	{ "receive", l_receive },
	{ "send", l_send },
	{ "sleep", l_sleep },
	{ "spawn", l_spawn },
	{ NULL, NULL },
};

/* All of a script, from its state's begin to its end */
static void interpret(void *arg)
{
	lua_State *L = luaL_newstate();

	if (!L) {
		fprintf(stderr, "lua: %s: no memory\n", (char *)arg);
		failed = true;
		return;
	}
	luaL_openlibs(L);
	luaL_newlib(L, functions);
	lua_setglobal(L, "baton");
	if (luaL_dofile(L, arg) != LUA_OK) {
		fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
		failed = true;
	}
	lua_close(L);
}

/* --- fibers ------------------------------------------------------------- */

static int run_script(void *arg)
{
	baton_call(interpret, arg);
	baton_free(arg);
	return 0;
}

static void *first(void *arg)
{
	for (char **name = arg; *name; name++) {
		struct start s = { .name = strdup(*name), .err = -ENOMEM };

		if (s.name)
			start(&s);
		if (s.err) {
			fprintf(stderr, "lua: %s: %s\n", *name,
				strerror(-s.err));
			free(s.name);
			failed = true;
		}
	}
	baton_group_wait(&group);
	return NULL;
}

int main(int argc, char **argv)
{
	struct baton_config *cfg;
	unsigned int nprocs = 0;
	int opt, err;

	while ((opt = getopt(argc, argv, "p:")) == 'p')
		nprocs = (unsigned int)strtoul(optarg, NULL, 10);
	if (opt != -1 || optind == argc) {
		fputs("usage: lua [-p PROCESSORS] SCRIPT...\n", stderr);
		return 2;
	}
	err = baton_config_create(&cfg);
	if (err)
		return EXIT_FAILURE;
	err = baton_config_set_nprocs(cfg, nprocs);
	if (!err)
		err = baton_run(cfg, first, &argv[optind], NULL);
	if (err)
		fprintf(stderr, "lua: %s\n", baton_reason());
	baton_config_destroy(cfg);
	return err || failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
