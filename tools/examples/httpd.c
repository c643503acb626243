// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * httpd.c - files over HTTP/1.1: a fiber per connection, with blocking calls
 * all the way. http_parser(3), Node's old one, parses; sendfile() sends.
 *
 *	httpd [-a ADDRESS] [-p PORT] [-c CLIENTS] [-t SECONDS] FOLDER
 *
 * Requests may be pipelined. One with its header and body has to fit into IN
 * bytes, to arrive within SECONDS, and to begin so soon after the last one. Its
 * answer has SECONDS as well, and one more for each SLOWEST bytes.
 */
#include "serve.h"

#include <baton/baton.h>
#include <baton/io.h>
#include <errno.h>
#include <fcntl.h>
#include <http_parser.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define IN 8192
#define SLOWEST 10000
#define PATH 1024
#define DATE 32

/**
 * struct site - what is served
 * @folder:  O_PATH; nothing outside of it is
 * @timeout: nanoseconds
 */
struct site {
	int folder;
	int64_t timeout;
};

/** struct text - a piece of the request, where it arrived */
struct text {
	const char *at;
	size_t n;
};

/**
 * struct request - one, in struct conn.in
 * @url:         as it came
 * @name:        of the header field in progress
 * @value:       its value; @at is not NULL once there was some of it
 * @hosts:       how many Host: there were
 * @range:       values of fields, like those that follow
 * @if_range:    the date that @range is for
 * @if_modified: the date that the client has the file of
 * @body:        the header is complete
 */
struct request {
	struct text url;
	struct text name;
	struct text value;
	unsigned int hosts;
	struct text range;
	struct text if_range;
	struct text if_modified;
	bool body;
};

/**
 * struct conn - a connection
 * @site:   what it is served
 * @fd:     its socket
 * @keep:   there may be another request
 * @parser: of @req, of which it says the method and version
 * @req:    the request in progress
 * @have:   bytes in @in
 * @parsed: how many of them belong to @req
 * @in:     what has arrived
 */
struct conn {
	const struct site *site;
	int fd;
	bool keep;
	http_parser parser;
	struct request req;
	size_t have;
	size_t parsed;
	char in[IN];
};

/* --- requests --------------------------------------------------------- */

/* Pieces of a text follow each other: it stays where it arrived. */
static void extend(struct text *t, const char *at, size_t n)
{
	if (!t->at)
		t->at = at;
	t->n = (size_t)(at - t->at) + n;
}

static bool is(const struct text *t, const char *what)
{
	return t->n == strlen(what) && !strncasecmp(t->at, what, t->n);
}

static void end_field(struct request *r)
{
	if (is(&r->name, "host"))
		r->hosts++;
	else if (is(&r->name, "range"))
		r->range = r->value;
	else if (is(&r->name, "if-range"))
		r->if_range = r->value;
	else if (is(&r->name, "if-modified-since"))
		r->if_modified = r->value;
	r->name = r->value = (struct text){ 0 };
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct request *r = p->data;

	extend(&r->url, at, n);
	return 0;
}

/* Not 0: an error. The parser, as it is packaged, lets spaces pass. */
static int on_name(http_parser *p, const char *at, size_t n)
{
	struct request *r = p->data;

	if (r->value.at)
		end_field(r);
	extend(&r->name, at, n);
	return memchr(at, ' ', n) != NULL;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct request *r = p->data;

	extend(&r->value, at, n);
	return 0;
}

static int on_headers(http_parser *p)
{
	struct request *r = p->data;

	end_field(r);
	r->body = true;
	return 0;
}

/* What follows is the next one. */
static int on_complete(http_parser *p)
{
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_url = on_url,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_headers,
	.on_message_complete = on_complete,
};

/* Return: 1 the request is complete; 0 not yet; -1 it is none. */
static int parse(struct conn *c)
{
	c->parsed += http_parser_execute(&c->parser, &settings,
					 c->in + c->parsed,
					 c->have - c->parsed);
	switch (HTTP_PARSER_ERRNO(&c->parser)) {
	case HPE_OK:
		return 0;
	case HPE_PAUSED:
		return 1;
	default:
		return -1;
	}
}

/*
 * Receive until there is a request. Return: 0; an HTTP status for one that is
 * not taken; -errno there will be none.
 */
static int receive(struct conn *c)
{
	int64_t deadline = baton_now() + c->site->timeout;
	ssize_t n;
	int found;

	/* What came behind the last one */
	c->have -= c->parsed;
	memmove(c->in, c->in + c->parsed, c->have);
	c->parsed = 0;
	c->req = (struct request){ 0 };
	http_parser_init(&c->parser, HTTP_REQUEST);
	c->parser.data = &c->req;
	for (;;) {
		found = c->have > c->parsed ? parse(c) : 0;
		if (found)
			return found > 0 ? 0 : HTTP_STATUS_BAD_REQUEST;
		if (c->have == IN && c->req.body)
			return HTTP_STATUS_PAYLOAD_TOO_LARGE;
		if (c->have == IN)
			return HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
		n = baton_recv_until(c->fd, c->in + c->have, IN - c->have, 0,
				     deadline);
		if (n == -ETIMEDOUT && c->have)
			return HTTP_STATUS_REQUEST_TIMEOUT;
		if (n <= 0)
			return n ? (int)n : -ENODATA;
		if (!c->have)
			deadline = baton_now() + c->site->timeout;
		c->have += (size_t)n;
	}
}

/* --- answers ---------------------------------------------------------- */

/**
 * struct answer - one
 * @status: HTTP's
 * @length: of its body
 * @file:   to send it from; -1: @text
 * @from:   where in @file
 * @text:   or NULL: there is none, only its @length
 * @n:      bytes of @head
 * @head:   the header
 */
struct answer {
	int status;
	int64_t length;
	int file;
	int64_t from;
	const char *text;
	size_t n;
	char head[768];
};

static const char *status_text(int status)
{
	return http_status_str((enum http_status)status);
}

static void date(char *to, time_t t)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(to, DATE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* One more line; all of them fit. */
static void __attribute__((format(printf, 2, 3)))
add(struct answer *a, const char *fmt, ...)
{
	size_t room = sizeof(a->head) - a->n;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(a->head + a->n, room, fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n < room)
		a->n += (size_t)n;
}

static int send_all(int fd, const char *p, size_t n, int flags)
{
	ssize_t sent;

	for (; n; p += sent, n -= (size_t)sent) {
		sent = baton_send(fd, p, n, flags);
		if (sent < 0)
			return (int)sent;
	}
	return 0;
}

static int send_part(int fd, int file, int64_t from, int64_t length)
{
	ssize_t sent;

	for (; length; length -= sent) {
		sent = baton_sendfile(fd, file, &from, (size_t)length);
		/* It has become shorter: too late to say so otherwise. */
		if (!sent)
			return -EIO;
		if (sent < 0)
			return (int)sent;
	}
	return 0;
}

/* All of it within one scope: no call below has to know the deadline. */
static int send_answer(struct conn *c, struct answer *a)
{
	bool body = a->length && c->parser.method != HTTP_HEAD &&
		    a->status != HTTP_STATUS_NOT_MODIFIED;
	struct baton_scope scope;
	char now[DATE];
	int err;

	date(now, time(NULL));
	if (a->status != HTTP_STATUS_NOT_MODIFIED)
		add(a, "Content-Length: %jd\r\n", (intmax_t)a->length);
	add(a, "Date: %s\r\nConnection: %s\r\n\r\n", now,
	    c->keep ? "keep-alive" : "close");
	baton_deadline_push(&scope, baton_now() + c->site->timeout +
				    a->length / SLOWEST * BATON_SEC);
	err = send_all(c->fd, a->head, a->n, body ? MSG_MORE : 0);
	if (!err && body)
		err = a->file < 0 ? send_all(c->fd, a->text,
					     (size_t)a->length, 0) :
				    send_part(c->fd, a->file, a->from,
					      a->length);
	baton_deadline_pop(&scope);
	return err;
}

static void begin(struct answer *a, int status)
{
	*a = (struct answer){ .status = status, .file = -1 };
	add(a, "HTTP/1.1 %d %s\r\n", status, status_text(status));
}

/* An answer that is but its status. */
static int send_status(struct conn *c, int status)
{
	struct answer a;
	char text[64];

	begin(&a, status);
	a.text = text;
	a.length = snprintf(text, sizeof(text), "%d %s\n", status,
			    status_text(status));
	add(&a, "Content-Type: text/plain\r\n");
	if (status == HTTP_STATUS_METHOD_NOT_ALLOWED)
		add(&a, "Allow: GET, HEAD\r\n");
	return send_answer(c, &a);
}

/* --- files ------------------------------------------------------------ */

/**
 * struct file - one that is asked for
 * @folder: below which it is
 * @path:   below that; of a folder's index its name
 * @fd:     the file, opened; -errno
 * @st:     what it is
 */
struct file {
	int folder;
	char path[PATH];
	int fd;
	struct stat st;
};

/* Whatever the path says: not outside of the folder. */
static int open_below(int folder, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH,
	};
	long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Foreign code: all of it may wait for the disk. */
static void open_file(void *arg)
{
	struct file *f = arg;
	int folder;

	f->fd = open_below(f->folder, f->path);
	if (f->fd < 0)
		return;
	if (!fstat(f->fd, &f->st) && S_ISDIR(f->st.st_mode)) {
		folder = f->fd;
		f->fd = open_below(folder, "index.html");
		close(folder);
		if (f->fd < 0 || fstat(f->fd, &f->st))
			f->st.st_mode = 0;
		strcpy(f->path, "index.html");
	}
	if (f->fd >= 0 && !S_ISREG(f->st.st_mode)) {
		close(f->fd);
		f->fd = -ENOENT;
	}
}

static int open_status(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return HTTP_STATUS_FORBIDDEN;
	case -ELOOP:
	case -ENAMETOOLONG:
	case -ENOENT:
	case -ENOTDIR:
	case -ENXIO:
	case -EXDEV:
		return HTTP_STATUS_NOT_FOUND;
	default:
		return HTTP_STATUS_SERVICE_UNAVAILABLE;
	}
}

static const char *type_of(const char *path)
{
	static const struct {
		const char *end, *type;
	} types[] = {
		{ "css", "text/css" },
		{ "gif", "image/gif" },
		{ "html", "text/html" },
		{ "jpg", "image/jpeg" },
		{ "js", "text/javascript" },
		{ "json", "application/json" },
		{ "pdf", "application/pdf" },
		{ "png", "image/png" },
		{ "svg", "image/svg+xml" },
		{ "txt", "text/plain" },
		{ "wasm", "application/wasm" },
		{ "webp", "image/webp" },
	};
	const char *name = strrchr(path, '/');
	const char *end = strrchr(name ? name : path, '.');

	for (size_t i = 0; end && i < sizeof(types) / sizeof(*types); i++)
		if (!strcasecmp(end + 1, types[i].end))
			return types[i].type;
	return "application/octet-stream";
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The path of an URL, unescaped, with no / before it. Return: 0, an HTTP
 * status.
 */
static int path_of(const struct text *url, char path[PATH])
{
	struct http_parser_url u;
	const char *p, *end;
	size_t n = 0;
	int c;

	http_parser_url_init(&u);
	if (http_parser_parse_url(url->at, url->n, 0, &u) ||
	    !(u.field_set & 1 << UF_PATH))
		return HTTP_STATUS_BAD_REQUEST;
	p = url->at + u.field_data[UF_PATH].off;
	end = p + u.field_data[UF_PATH].len;
	while (p < end && *p == '/')
		p++;
	while (p < end) {
		c = (unsigned char)*p++;
		if (c == '%') {
			if (end - p < 2 || digit(p[0]) < 0 || digit(p[1]) < 0)
				return HTTP_STATUS_BAD_REQUEST;
			c = digit(p[0]) << 4 | digit(p[1]);
			p += 2;
		}
		if (!c)
			return HTTP_STATUS_BAD_REQUEST;
		if (n == PATH - 1)
			return HTTP_STATUS_URI_TOO_LONG;
		path[n++] = (char)c;
	}
	if (!n)
		path[n++] = '.';
	path[n] = 0;
	return 0;
}

/* --- ranges ----------------------------------------------------------- */

/* A decimal number at *@p, which is moved behind it; -1 there is none. */
static int64_t number(const char **p, const char *end)
{
	int64_t n = -1;

	for (; *p < end && **p >= '0' && **p <= '9'; ++*p) {
		if (n < 0)
			n = 0;
		if (n > INT64_MAX / 10 - 1)
			n = INT64_MAX / 10 - 1;
		n = n * 10 + (**p - '0');
	}
	return n;
}

/*
 * What a range says of @size bytes: the part from @from on, @length long.
 * Return: 206; 416; 200 for what is no single range, which may be ignored.
 */
static int range_of(const struct text *t, int64_t size, int64_t *from,
		    int64_t *length)
{
	const char *p = t->at, *end = t->at + t->n;
	int64_t first, last;

	if (t->n < 6 || strncasecmp(p, "bytes=", 6))
		return HTTP_STATUS_OK;
	p += 6;
	first = number(&p, end);
	if (p == end || *p++ != '-')
		return HTTP_STATUS_OK;
	last = number(&p, end);
	if (p != end || (first < 0 && last < 0) ||
	    (first >= 0 && last >= 0 && last < first))
		return HTTP_STATUS_OK;
	if (first < 0) {
		/* So many at the end */
		first = last < size ? size - last : 0;
		last = last ? size - 1 : -1;
	} else if (last < 0 || last >= size) {
		last = size - 1;
	}
	if (first > last)
		return HTTP_STATUS_RANGE_NOT_SATISFIABLE;
	*from = first;
	*length = last - first + 1;
	return HTTP_STATUS_PARTIAL_CONTENT;
}

/* --- connections ------------------------------------------------------ */

static int send_file(struct conn *c, const struct file *f)
{
	const struct request *r = &c->req;
	int64_t from = 0, length = f->st.st_size;
	int status = HTTP_STATUS_OK;
	struct answer a;
	char mtime[DATE];

	date(mtime, f->st.st_mtime);
	if (is(&r->if_modified, mtime))
		status = HTTP_STATUS_NOT_MODIFIED;
	else if (r->range.n && (!r->if_range.n || is(&r->if_range, mtime)))
		status = range_of(&r->range, f->st.st_size, &from, &length);
	begin(&a, status);
	add(&a, "Accept-Ranges: bytes\r\nLast-Modified: %s\r\n", mtime);
	if (status == HTTP_STATUS_RANGE_NOT_SATISFIABLE) {
		add(&a, "Content-Range: bytes */%jd\r\n",
		    (intmax_t)f->st.st_size);
		return send_answer(c, &a);
	}
	if (status == HTTP_STATUS_PARTIAL_CONTENT)
		add(&a, "Content-Range: bytes %jd-%jd/%jd\r\n", (intmax_t)from,
		    (intmax_t)(from + length - 1), (intmax_t)f->st.st_size);
	add(&a, "Content-Type: %s\r\n", type_of(f->path));
	a.file = f->fd;
	a.from = from;
	a.length = length;
	return send_answer(c, &a);
}

/* Return: 0, -errno. */
static int answer(struct conn *c)
{
	const http_parser *p = &c->parser;
	struct file f;
	int err;

	if (p->http_major != 1)
		return send_status(c, HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
	if (c->req.hosts > 1 || (!c->req.hosts && p->http_minor))
		return send_status(c, HTTP_STATUS_BAD_REQUEST);
	if (p->method != HTTP_GET && p->method != HTTP_HEAD)
		return send_status(c, HTTP_STATUS_METHOD_NOT_ALLOWED);
	err = path_of(&c->req.url, f.path);
	if (err)
		return send_status(c, err);
	f.folder = c->site->folder;
	baton_call(open_file, &f);
	if (f.fd < 0)
		return send_status(c, open_status(f.fd));
	err = send_file(c, &f);
	baton_close(f.fd);
	return err;
}

static void converse(struct client *client, int fd, void *arg)
{
	struct conn *c = baton_malloc(sizeof(*c));
	const int on = 1;
	int err;

	if (!c)
		return;
	c->site = arg;
	c->fd = fd;
	c->have = c->parsed = 0;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	do {
		err = receive(c);
		if (err < 0)
			break;
		c->keep = !err && http_should_keep_alive(&c->parser) &&
			  !serve_stopping(client);
		err = err ? send_status(c, err) : answer(c);
	} while (!err && c->keep);
	baton_free(c);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: httpd [-a ADDRESS] [-p PORT] [-c CLIENTS] [-t SECONDS] FOLDER\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct site site = { .timeout = 10 * BATON_SEC };
	struct serve_options o = {
		.name = "httpd",
		SERVE_DEFAULTS,
		.serve = converse,
		.arg = &site,
	};
	int opt, err;

	while ((opt = getopt(argc, argv, SERVE_OPTIONS "t:")) != -1) {
		if (opt == 't')
			site.timeout = (int64_t)(strtod(optarg, NULL) * 1e9);
		else if (!serve_option(&o, opt, optarg))
			return usage();
	}
	if (optind != argc - 1 || !o.clients || site.timeout <= 0)
		return usage();
	o.grace = site.timeout;
	site.folder = open(argv[optind], O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = site.folder < 0 ? -errno : open_below(site.folder, ".");
	if (err < 0) {
		fprintf(stderr, "httpd: %s: %s\n", argv[optind],
			strerror(-err));
		return EXIT_FAILURE;
	}
	close(err);
	return serve(&o) ? EXIT_FAILURE : EXIT_SUCCESS;
}
