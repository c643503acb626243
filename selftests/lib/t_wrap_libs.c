// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_wrap_libs.c - blocking libraries that nobody here wrote, in fibers:
 * libcurl, hiredis against a real server, the busy handler of sqlite. Far more
 * of them wait at a time than there are threads.
 */
#include "common.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dirent.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define WORKERS		3
#define THREADS		(WORKERS + 1)	/* and the watcher */
#define STACK		(256u << 10)	/* what such libraries want */

static unsigned int threads(void)
{
	unsigned int n = 0;
	DIR *dir = opendir("/proc/self/task");

	expect(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void run_few(unsigned int nprocs, baton_fn fn, void *arg)
{
	struct baton_config *cfg;

	expect_eq(baton_config_create(&cfg), 0);
	expect_eq(baton_config_set_nprocs(cfg, nprocs), 0);
	expect_eq(baton_config_set_max_workers(cfg, WORKERS), 0);
	expect_eq(baton_config_set_stack_size(cfg, STACK), 0);
	expect_eq(baton_run(cfg, fn, arg, NULL), 0);
	baton_config_destroy(cfg);
}

/* @n fibers run @fn(@arg + i * @size), and end. */
static void crowd(unsigned int n, baton_fn fn, void *arg, size_t size)
{
	struct baton_fiber **f = malloc(n * sizeof(*f));

	for (unsigned int i = 0; i < n; i++)
		f[i] = spawn(fn, (char *)arg + i * size);
	for (unsigned int i = 0; i < n; i++)
		join(f[i]);
	free(f);
}

/* Listens on a port of the system's choice. */
static int listen_somewhere(int *port, int backlog)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(fd >= 0 && !bind(fd, (struct sockaddr *)&a, len));
	expect(!listen(fd, backlog));
	expect(!getsockname(fd, (struct sockaddr *)&a, &len));
	*port = ntohs(a.sin_port);
	return fd;
}

/* A process that dies with this one. */
static pid_t start(void)
{
	pid_t pid = fork();

	expect(pid >= 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- libcurl ------------------------------------------------------------- */

#define TRANSFERS	200
#define BODY		(64 << 10)

static void get_request(int fd)
{
	char buf[4096];
	size_t n = 0;
	ssize_t ret;

	do {
		ret = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (ret <= 0)
			_exit(1);
		n += (size_t)ret;
		buf[n] = 0;
	} while (!strstr(buf, "\r\n\r\n"));
}

static void answer(int fd)
{
	static char body[BODY];
	char head[128];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
			 "Connection: close\r\n\r\n", BODY);

	if (write(fd, head, (size_t)n) != n ||
	    write(fd, body, sizeof(body)) != sizeof(body))
		_exit(1);
	close(fd);
}

/* Nobody is answered before all have asked. */
static void serve(int fd)
{
	int conn[TRANSFERS];

	for (int i = 0; i < TRANSFERS; i++) {
		conn[i] = accept(fd, NULL, NULL);
		get_request(conn[i]);
	}
	for (int i = 0; i < TRANSFERS; i++)
		answer(conn[i]);
	_exit(0);
}

struct transfers {
	char url[64];
	unsigned long bytes;
};

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct transfers *t = arg;

	(void)data;
	add(&t->bytes, size * n);
	return size * n;
}

static void *transfer(void *arg)
{
	struct transfers *t = arg;
	CURL *curl = curl_easy_init();
	CURLcode ret;

	curl_easy_setopt(curl, CURLOPT_URL, t->url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	ret = curl_easy_perform(curl);
	if (ret != CURLE_OK)
		ck_abort_msg("%s", curl_easy_strerror(ret));
	expect(threads() <= THREADS + tier_threads());
	curl_easy_cleanup(curl);
	return NULL;
}

static void *transfer_all(void *arg)
{
	crowd(TRANSFERS, transfer, arg, 0);
	return NULL;
}

START_TEST(curl)
{
	struct transfers t = { .bytes = 0 };
	int port, status, fd = listen_somewhere(&port, TRANSFERS);
	pid_t pid = start();

	if (!pid)
		serve(fd);
	close(fd);
	snprintf(t.url, sizeof(t.url), "http://127.0.0.1:%d/", port);
	expect_eq(curl_global_init(CURL_GLOBAL_ALL), 0);
	run_few(2, transfer_all, &t);
	curl_global_cleanup();
	expect_eq(t.bytes, (unsigned long)TRANSFERS * BODY);
	expect_eq(waitpid(pid, &status, 0), pid);
	expect_eq(status, 0);
}
END_TEST

/* --- hiredis ------------------------------------------------------------- */

#define CLIENTS		100

struct client {
	int port, id;
};

static long long command(redisContext *redis, int type, const char *format,
			 int id)
{
	redisReply *reply = redisCommand(redis, format, id);
	long long n;

	if (!reply)
		ck_abort_msg("%s", redis->errstr);
	expect_eq(reply->type, type);
	n = reply->integer;
	freeReplyObject(reply);
	return n;
}

/* Half of them wait, in the server, for what the others send. */
static void *use_redis(void *arg)
{
	struct client *c = arg;
	redisContext *redis = redisConnect("127.0.0.1", c->port);

	if (!redis || redis->err)
		ck_abort_msg("%s", redis ? redis->errstr : "no memory");
	if (c->id < CLIENTS / 2) {
		command(redis, REDIS_REPLY_ARRAY, "BLPOP list%d 0", c->id);
	} else {
		for (int i = 0; i < 20; i++)
			command(redis, REDIS_REPLY_INTEGER, "INCR n", 0);
		command(redis, REDIS_REPLY_INTEGER, "LPUSH list%d x",
			c->id - CLIENTS / 2);
	}
	expect(threads() <= THREADS + tier_threads());
	redisFree(redis);
	return NULL;
}

static void *use_all(void *arg)
{
	struct client c[CLIENTS];
	redisContext *redis;
	int port = *(int *)arg;

	for (int i = 0; i < CLIENTS; i++)
		c[i] = (struct client){ port, i };
	crowd(CLIENTS, use_redis, c, sizeof(*c));
	redis = redisConnect("127.0.0.1", port);
	expect(redis && !redis->err);
	expect_eq(command(redis, REDIS_REPLY_INTEGER, "INCR n", 0),
		  CLIENTS / 2 * 20 + 1);
	redisFree(redis);
	return NULL;
}

/* It says when it is ready. */
static bool redis_ready(int fd)
{
	FILE *out = fdopen(fd, "r");
	char line[512];
	bool ready = false;

	while (!ready && fgets(line, sizeof(line), out))
		ready = strstr(line, "eady to accept connections");
	/* Left open, or it could not say more. */
	return ready;
}

START_TEST(redis)
{
	char text[16];
	int fd[2], port;
	pid_t pid;

	/* Free again, and nobody's as yet */
	close(listen_somewhere(&port, 1));
	expect_eq(pipe(fd), 0);
	pid = start();
	if (!pid) {
		snprintf(text, sizeof(text), "%d", port);
		dup2(fd[1], STDOUT_FILENO);
		execlp("redis-server", "redis-server", "--port", text, "--bind",
		       "127.0.0.1", "--save", "", "--dir", "/tmp",
		       "--loglevel", "notice", (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	if (!redis_ready(fd[0])) {
		skip("redis", "no redis-server");
	} else {
		run_few(2, use_all, &port);
	}
	stop(pid);
}
END_TEST

/* --- sqlite -------------------------------------------------------------- */

#define WRITERS		20

static void sql(sqlite3 *db, const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &why))
		ck_abort_msg("%s: %s", text, why);
}

/* It waits with the write lock, and all others in their busy handlers. */
static void *write_row(void *arg)
{
	sqlite3 *db;

	expect_eq(sqlite3_open(arg, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 100000);
	sql(db, "PRAGMA synchronous = OFF; BEGIN IMMEDIATE;"
		"UPDATE t SET n = n + 1");
	expect_eq(baton_sleep(2 * BATON_MSEC), 0);
	sql(db, "COMMIT");
	sqlite3_close(db);
	return NULL;
}

static int first_column(void *arg, int n, char **values, char **names)
{
	(void)n;
	(void)names;
	*(int *)arg = atoi(values[0]);
	return 0;
}

static void *write_rows(void *arg)
{
	sqlite3 *db;
	int n = 0;

	expect_eq(sqlite3_open(arg, &db), SQLITE_OK);
	sql(db, "CREATE TABLE t (n); INSERT INTO t VALUES (0)");
	crowd(WRITERS, write_row, arg, 0);
	expect(threads() <= THREADS + tier_threads());
	sqlite3_exec(db, "SELECT n FROM t", first_column, &n, NULL);
	expect_eq(n, WRITERS);
	sqlite3_close(db);
	return NULL;
}

START_TEST(sqlite)
{
	char dir[] = "/tmp/t_wrap.XXXXXX", file[64];

	expect(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/db", dir);
	run_few(1, write_rows, file);
	unlink(file);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wrap_libs");
	TCase *tc = test_case(s, "libraries");

	/* A debug build would find what is then put right. */
	setenv("BATON_TLS_CHECK", "off", 1);
	tcase_add_test(tc, curl);
	tcase_add_test(tc, redis);
	tcase_add_test(tc, sqlite);
	return suite_main(s);
}
