/* What shall not be left behind when this process is killed, by whatever: another process waits for its end and removes it then. No signal
 * reaches that one, and it goes with litter_free. Runs on: one thread. */
#pragma once

struct litter;

struct litter *litter_new(void); /* NULL: none could be made, and what is left behind stays. The others take NULL */
/* A file or tree, by its path; before it is made, by a name that nobody else has. No more than LITTER_MOST at once. */
void litter_add(struct litter *l, const char *path);
void litter_forget(struct litter *l); /* all of it: it was removed, or is to stay */
void litter_free(struct litter *l);   /* the same */

enum { LITTER_MOST = 4 };
