/* Private to artifact: what every use of libarchive needs.
 *
 * libarchive converts names by the locale and crashes in "C" on one that is not ASCII; the guard
 * gives the calling thread a UTF-8 locale for as long as it lives. Runs on: worker threads. */
#pragma once
#include <locale.h>

#include "base/base.h"

struct archive_locale {
    locale_t ours, before;
};

struct archive_locale archive_locale_utf8(void);
void archive_locale_restore(struct archive_locale *l);
