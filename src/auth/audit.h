/* The audit log: a line of JSON for each request that changes something, or tries to. No bodies, no queries, no secrets.
 *
 * The file is appended to, mode 0600. Before it would grow beyond its size it becomes FILE.1, that one FILE.2 and so on; what
 * was the last one goes. Runs on: the loop thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { AUDIT_KEPT = 4 /* older files */ };

struct auth_audit;
struct auth_audit *auth_audit_open(const char *path, int64_t max_bytes, struct err *e);
void auth_audit_close(struct auth_audit *l); /* NULL is fine */

struct audit_line {
    int64_t now_us;
    struct str token;   /* its name; absent: none was shown that counts */
    struct str issuer, subject, email; /* of who signed in instead; absent: nobody has */
    struct str address, method, path;
    int status;
};
bool auth_audit_write(struct auth_audit *l, const struct audit_line *line, struct err *e);
