/* For image, and for container engines that pull by themselves: credentials for a registry, from the files and helpers of docker and podman. Secrets never
 * appear in errors, logs or arguments. Runs on: any thread that may wait.
 * Reference: docker/cli config.json; containers-auth.json(5); docker-credential-helpers. */
#pragma once
#include "image/image.h"

struct credential {
    struct str user, password;
    struct str identity; /* a refresh token instead */
};
/* What is known about host/path; nothing at all is no error. */
bool credential_find(struct arena *a, const struct image_settings *settings, struct str host, struct str path,
                     const atomic_bool *cancelled, struct credential *out, struct err *e);

/* A parsed file's answer: false with e->code 0 when it has none. `helper`: the program to ask, or absent. */
bool credential_in(struct arena *a, const struct val *file, struct str host, struct str path, struct credential *out,
                   struct str *helper, struct err *e);

/* A WWW-Authenticate field. */
struct challenge {
    bool bearer, basic;
    struct str realm, service, scope;
};
void challenge_parse(struct arena *a, struct str value, struct challenge *out);
