/* Lines of the log that are about a workflow: with its name, and the node's where there is one. */
#include <stdarg.h>

#include "base/log.h"
#include "exec/exec_p.h"

void say(const struct active *l, const struct node *n, const char *fmt, ...)
{
    enum { MESSAGE_BYTES = 2048 };
    char text[MESSAGE_BYTES];
    va_list ap;
    if (!log_on(LOG_WARN)) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct log_field fields[] = {{"workflow", run_name(l->run), false}, {"namespace", run_namespace(l->run), false},
                                 {"node", n ? node_name(n) : STR_NONE, false}};
    log_event(LOG_WARN, text, fields, n ? 3 : 2);
}
