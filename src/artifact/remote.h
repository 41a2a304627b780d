/* Artifacts that lie elsewhere: behind a URL, or in a git repository. Each kind of place is a driver
 * behind one table; what it fetches goes into the repository like anything that comes from outside
 * (artifact_import, artifact_save).
 *
 * Secrets stand here as plain text: whoever makes a remote has looked them up, and wipes nothing.
 * Errors: NOT_FOUND says that the server has no such file, and nothing else does (optional artifacts
 * depend on it); the texts are those of Argo's drivers. Runs on: any thread that may wait.
 * Reference: argo-workflows workflow/artifacts/{http,git}. */
#pragma once
#include "artifact/artifact.h"
#include "net/web.h"

/* Client credentials of OAuth 2 (RFC 6749 4.4): a token is asked for before each request. */
struct remote_oauth2 {
    struct str token_url, client_id, client_secret;
    struct str scopes;                /* separated by spaces */
    const struct web_field *params;   /* more form fields */
    size_t n_params;
};

struct remote_http {
    struct str url;
    const struct web_field *fields; /* request headers */
    size_t n_fields;
    struct str user, password;      /* basic authentication when either is set */
    struct str cert, key;           /* PEM; a client certificate goes before oauth2 */
    struct remote_oauth2 oauth2;    /* token_url absent: none */
};

struct remote_git {
    struct str repo, revision, branch;
    int64_t depth;            /* 0: everything */
    const struct str *fetch;  /* more refspecs */
    size_t n_fetch;
    struct str user, password;
    struct str ssh_key;
    bool single_branch, ignore_host_key, no_submodules, skip_tls;
};

struct remote_driver;
extern const struct remote_driver remote_http_driver, remote_git_driver;

struct remote {
    const struct remote_driver *driver;
    struct remote_http http; /* of one of the drivers */
    struct remote_git git;
    const char *scratch; /* directory for private files meanwhile; exists; for git */
    const atomic_bool *cancelled; /* ends it soon after it becomes true; may be NULL */
};

struct remote_driver {
    const char *name;
    /* Makes the file or directory `to`, which does not exist. What is half there is the caller's to remove. */
    bool (*load)(const struct remote *r, const char *to, struct err *e);
    /* Sends the file. */
    bool (*save)(const struct remote *r, int fd, struct err *e);
};

bool remote_load(const struct remote *r, const char *to, struct err *e);

/* Sets the permission bits of something that was fetched, and of everything in it when `recurse`; links are
 * left alone. */
bool remote_mode(const char *path, uint32_t mode, bool recurse, struct err *e);

/* Sends a file or directory as `how` says (how->fd is not used): packed, or a file as it is. */
bool remote_save(const struct remote *r, const char *path, const struct artifact_export *how, struct err *e);
