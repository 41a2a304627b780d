/* NAME=VALUE flags. */
#include "cli/params.h"

#include "base/limits.h"
#include "cli/inputs.h"
#include "doc/json_write.h"
#include "doc/yaml.h"
#include "os/fd.h"

static size_t flag_count(const struct cli *cli, const char *flag)
{
    size_t n = 0;
    while (args_nth(&cli->args, flag, n)) n++;
    return n;
}

bool pair_cut(const char *flag, struct str text, struct param *out, struct err *e)
{
    if (!str_cut(text, '=', &out->name, &out->value) || !out->name.n)
        return err_set(e, ERR_USAGE, "%s is NAME=VALUE, not '%.*s'", flag, STR_ARG(text));
    return true;
}

/* As argo: lists, maps and null as JSON. */
static struct str param_text(struct arena *a, const struct val *v)
{
    bool scalar = v->kind != VAL_LIST && v->kind != VAL_MAP && v->kind != VAL_NULL;
    return scalar ? val_text(v) : json_text(a, v);
}

/* {name: value, …} */
static bool file_params(struct cli *cli, const char *path, struct val *out, struct err *e)
{
    struct str text;
    if (!input_read(&cli->a, path, LIMIT_DOC_BYTES, &text, e)) return false;
    if (!yaml_parse(&cli->a, text, NULL, out, e)) return err_ctx(e, "%s", path);
    return out->kind == VAL_MAP || err_set(e, ERR_USAGE, "%s: a map of parameter names to values is expected", path);
}

bool params_read(struct cli *cli, const struct param **out, size_t *out_n, struct err *e)
{
    const char *file = args_str(&cli->args, "parameter-file");
    struct val map = {.kind = VAL_MAP};
    if (file && !file_params(cli, file, &map, e)) return false;
    size_t n = flag_count(cli, "parameter");
    struct param *params = ARENA_ARRAY(&cli->a, struct param, map.n + n + 1);
    for (uint32_t i = 0; i < map.n; i++) params[i] = (struct param){map.map[i].key, param_text(&cli->a, &map.map[i].v)};
    for (size_t i = 0; i < n; i++)
        if (!pair_cut("-p", str_of(args_nth(&cli->args, "parameter", i)), &params[map.n + i], e)) return false;
    *out = params;
    *out_n = map.n + n;
    return true;
}

bool labels_read(struct cli *cli, const struct param **out, size_t *n, struct err *e)
{
    size_t bytes = 0;
    const char *text;
    for (size_t i = 0; (text = args_nth(&cli->args, "labels", i)); i++) bytes += strlen(text) + 1;
    struct param *labels = ARENA_ARRAY(&cli->a, struct param, bytes / 2 + 1);
    *n = 0;
    for (size_t i = 0; (text = args_nth(&cli->args, "labels", i)); i++) {
        struct str head, rest = str_of(text);
        while (str_set(rest)) {
            str_cut(rest, ',', &head, &rest);
            if (!pair_cut("--labels", head, &labels[(*n)++], e)) return false;
        }
    }
    *out = labels;
    return true;
}
