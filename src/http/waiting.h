/* While a state is being loaded nobody runs the loop: until then a thread answers 503 to whoever connects, so that it is not mistaken
 * for a server that hangs. Plain HTTP alone. */
#pragma once
#include "base/err.h"

struct http_waiting;

/* Answers at `listen_fd`, which stays the caller's; nobody else may accept there meanwhile. */
struct http_waiting *http_waiting_begin(int listen_fd, struct err *e);
void http_waiting_end(struct http_waiting *w); /* who connects from now on waits for the server; NULL is fine */
