/* Private to backup.c and restore.c. */
#pragma once
#include "service/backup.h"
#include "store/store.h"

/* What a backup is made of, NULL at the end: names in the state directory. */
extern const char *const backup_parts[];

bool backup_has_content(struct str dir, struct str content); /* below dir/artifacts */
/* Opens the database in `dir` (STORE_WRITE: brings an older one to this program's form), counts its workflows, and the contents that it
 * names and that are not in dir/artifacts. ERR_SPEC: it is damaged. */
bool backup_examine(struct arena *a, struct str dir, enum store_mode mode, int64_t *workflows, size_t *missing, struct err *e);
