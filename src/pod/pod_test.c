/* pod: templates as JSON → the step that runs. Each case names lines of the plan's description, in
 * the form that `describe` gives them, or a part of the error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/json.h"
#include "pod/pod.h"

static struct arena a;

static int arena_up(void **state)
{
    arena_init(&a);
    return 0;
}
static int arena_down(void **state)
{
    arena_fini(&a);
    return 0;
}

/* ---- a Secret "s" and a ConfigMap "c" ---- */

static const char secrets[] = "{\"password\": \"hunter22\", \"pin\": \"12\", \"refers\": \"x$(B)$$y\"}";
static const char configs[] = "{\"a\": \"one\", \"b\": \"two\"}";

static bool lookup_all(void *ctx, bool secret, struct str name, struct val *map, struct err *e)
{
    if (!str_is(name, secret ? "s" : "c")) return err_set(e, ERR_NOT_FOUND, "there is no \"%.*s\"", STR_ARG(name));
    return json_parse(&a, str_of(secret ? secrets : configs), NULL, map, e);
}

static bool lookup_value(void *ctx, bool secret, struct str name, struct str key, struct str *out, struct err *e)
{
    struct val map;
    if (!lookup_all(ctx, secret, name, &map, e)) return false;
    *out = val_get_str(&map, str_z(&a, key));
    return str_set(*out) || err_set(e, ERR_NOT_FOUND, "\"%.*s\" has no key \"%.*s\"", STR_ARG(name), STR_ARG(key));
}

/* ---- building ---- */

static struct val parsed(const char *text)
{
    struct val v;
    struct err e;
    if (!json_parse(&a, str_of(text), NULL, &v, &e)) fail_msg("%s: %s", text, e.text);
    return v;
}

static struct image_map *images(void)
{
    struct err e;
    struct image_map *m = image_map_new(&a, "/bin:/usr/bin");
    struct val rows = parsed("{\"images\": {\"rooted\": {\"root\": \"/srv/rooted\", \"cmd\": [\"serve\"], \"workdir\": \"/app\","
                             " \"env\": {\"MODE\": \"image\"}}, \"never\": \"absent\", \"bare\": \"host\"}}");
    assert_true(image_map_add(m, &rows, "images.yaml", &e));
    return m;
}

/* An image that has all that one can have; beside it, what the map says. */
static const struct str its_layers[] = {STR("/l/2"), STR("/l/1")}, its_entrypoint[] = {STR("/entry")}, its_cmd[] = {STR("serve"), STR("all")},
                        its_volumes[] = {STR("/data")};
static const struct image_pair its_env[] = {{STR("PATH"), STR("/opt/bin:/bin")}, {STR("MODE"), STR("image")}};
static const struct image stored = {
    .kind = IMAGE_STORED,
    .layers = {its_layers, 2},
    .entrypoint = {its_entrypoint, 1},
    .cmd = {its_cmd, 2},
    .env = {its_env, 2},
    .workdir = STR("/app"),
    .user = STR("app"),
    .passwd = STR("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n:x:7:7::/:\n"),
    .group = STR("root:x:0:\nstaff:x:50:app\n"),
    .volumes = {its_volumes, 1},
};
static struct image *given; /* what "stored" means instead */

static bool find_image(void *ctx, struct arena *arena, struct str name, struct str policy, struct image *out, struct err *e)
{
    struct image_map *m = ctx;
    if (str_is(name, "stored")) return *out = given ? *given : stored, true;
    return image_mapped(m, name, out) || image_built_in(arena, m, name, out) || err_set(e, ERR_NOT_FOUND, "no image %.*s", STR_ARG(name));
}

static const char spec[] =
    "{\"metadata\": {\"name\": \"wf\", \"namespace\": \"ns\", \"uid\": \"u-1\"}, \"spec\": {\"volumes\": ["
    "{\"name\": \"scratch\", \"emptyDir\": {}}, {\"name\": \"memory\", \"emptyDir\": {\"medium\": \"Memory\"}},"
    "{\"name\": \"conf\", \"configMap\": {\"name\": \"c\", \"defaultMode\": 256}},"
    "{\"name\": \"part\", \"configMap\": {\"name\": \"c\", \"items\": [{\"key\": \"b\", \"path\": \"sub/B\", \"mode\": 448}]}},"
    "{\"name\": \"out\", \"configMap\": {\"name\": \"c\", \"items\": [{\"key\": \"b\", \"path\": \"../B\"}]}},"
    "{\"name\": \"keys\", \"secret\": {\"secretName\": \"s\"}},"
    "{\"name\": \"gone\", \"secret\": {\"secretName\": \"nowhere\"}},"
    "{\"name\": \"maybe\", \"secret\": {\"secretName\": \"nowhere\", \"optional\": true}},"
    "{\"name\": \"claim\", \"persistentVolumeClaim\": {\"claimName\": \"data\"}},"
    "{\"name\": \"up\", \"persistentVolumeClaim\": {\"claimName\": \"../up\"}},"
    "{\"name\": \"facts\", \"downwardAPI\": {\"items\": [{\"path\": \"name\", \"fieldRef\": {\"fieldPath\": \"metadata.name\"}},"
    " {\"path\": \"labels\", \"fieldRef\": {\"fieldPath\": \"metadata.labels\"}}]}},"
    "{\"name\": \"mixed\", \"projected\": {\"defaultMode\": 256, \"sources\": [{\"secret\": {\"name\": \"s\", \"items\": [{\"key\": \"pin\", \"path\": \"p/in\"}]}},"
    " {\"configMap\": {\"name\": \"c\"}}]}},"
    "{\"name\": \"token\", \"projected\": {\"sources\": [{\"serviceAccountToken\": {\"path\": \"t\"}}]}},"
    "{\"name\": \"limited\", \"emptyDir\": {\"medium\": \"Memory\", \"sizeLimit\": \"1.5Mi\"}},"
    "{\"name\": \"unlimited\", \"emptyDir\": {\"sizeLimit\": \"much\"}},"
    "{\"name\": \"readonly\", \"persistentVolumeClaim\": {\"claimName\": \"data\", \"readOnly\": true}},"
    "{\"name\": \"socket\", \"hostPath\": {\"path\": \"/srv/s\", \"type\": \"Socket\"}},"
    "{\"name\": \"hosttype\", \"hostPath\": {\"path\": \"/srv/s\", \"type\": \"Anything\"}},"
    "{\"name\": \"hostup\", \"hostPath\": {\"path\": \"/srv/../etc\"}},"
    "{\"name\": \"twice\", \"configMap\": {\"name\": \"c\", \"items\": [{\"key\": \"b\", \"path\": \"one\"}, {\"key\": \"b\", \"path\": \"other/two\"}]}},"
    "{\"name\": \"lacks\", \"configMap\": {\"name\": \"c\", \"items\": [{\"key\": \"z\", \"path\": \"Z\"}]}},"
    "{\"name\": \"lacks-secret\", \"secret\": {\"secretName\": \"s\", \"items\": [{\"key\": \"z\", \"path\": \"Z\"}]}},"
    "{\"name\": \"may-lack\", \"configMap\": {\"name\": \"c\", \"optional\": true, \"items\": [{\"key\": \"z\", \"path\": \"Z\"},"
    " {\"key\": \"b\", \"path\": \"B\"}]}},"
    "{\"name\": \"host\", \"hostPath\": {\"path\": \"/srv\"}}, {\"name\": \"nfs\", \"nfs\": {\"server\": \"x\"}}],"
    "\"volumeClaimTemplates\": [{\"metadata\": {\"name\": \"work\"}}], \"securityContext\": {\"runAsUser\": 5, \"runAsGroup\": 6}}}";

static struct pod_input input_of(const char *tmpl)
{
    struct val *t = ARENA_NEW(&a, struct val), *w = ARENA_NEW(&a, struct val);
    *t = parsed(tmpl);
    *w = parsed(spec);
    return (struct pod_input){
        .tmpl = t, .workflow = w, .node_id = STR("wf-7"), .node_name = STR("wf.x"), .pod_name = STR("wf-x-7"), .step_id = 7,
        .tier = STEP_TIER_OVERLAY, .state_dir = STR("/state"), .images = {find_image, images()}, .grace_ms = 1000,
        .lookup = {lookup_value, lookup_all, NULL}, .cpus = 4, .ram_bytes = 8192,
        .hosts = STR("127.0.0.1 localhost"), .resolv = STR("# by hand\nnameserver 9.9.9.9\nsearch one.example two.example\noptions edns0 ndots:1\n"),
    };
}

static void put_strs(struct buf *b, const char *what, const struct step_strs *list)
{
    for (size_t i = 0; i < list->n; i++) buf_printf(b, "%s %.*s\n", what, STR_ARG(list->items[i]));
}

/* On one line. */
static void put_text(struct buf *b, struct str text)
{
    buf_str(b, STR("over "));
    for (size_t i = 0; i < text.n; i++) buf_char(b, text.p[i] == '\n' ? '|' : text.p[i] == '\t' ? '_' : text.p[i]);
    buf_char(b, '\n');
}

static struct str describe(const struct pod_plan *plan)
{
    const struct step_spec *s = &plan->spec;
    struct buf b;
    buf_init(&b, 1 << 20);
    put_strs(&b, "arg", &s->argv);
    put_strs(&b, "env", &s->env);
    put_strs(&b, "layer", &s->layers);
    put_strs(&b, "mask", &s->masks);
    put_strs(&b, "writable", &s->writable);
    put_strs(&b, "make", &plan->make_dirs);
    for (size_t i = 0; i < s->binds.n; i++)
        buf_printf(&b, "bind %s%s%.*s -> %s%s\n", s->binds.items[i].source.p, s->binds.items[i].sub_path.n ? " + " : "",
                   STR_ARG(s->binds.items[i].sub_path), s->binds.items[i].target.p, s->binds.items[i].read_only ? " ro" : "");
    for (size_t i = 0; i < s->inputs.n; i++) {
        const struct step_input *in = &s->inputs.items[i];
        buf_printf(&b, "input %.*s -> %s%s%.*s\n", STR_ARG(in->source.p ? in->source : in->content), in->target.p,
                   in->shared.p ? " by " : "", STR_ARG(str_sub(in->shared, 0, 24)));
    }
    for (size_t i = 0; i < s->tmpfs.n; i++)
        buf_printf(&b, "tmpfs %s %llu%s\n", s->tmpfs.items[i].path.p, (unsigned long long)s->tmpfs.items[i].size,
                   s->tmpfs.items[i].read_only ? " ro" : "");
    for (size_t i = 0; i < plan->host_paths.n; i++)
        buf_printf(&b, "check %s %s\n", plan->host_paths.items[i].path.p, plan->host_paths.items[i].type);
    for (size_t i = 0; i < s->files.n; i++) {
        struct str first, rest;
        str_cut(s->files.items[i].content, '\n', &first, &rest);
        buf_printf(&b, "file %s %o %.*s\n", s->files.items[i].path.p, s->files.items[i].mode, STR_ARG(first));
        if (s->files.items[i].over) put_text(&b, s->files.items[i].content);
        if (s->files.items[i].apart) buf_printf(&b, "apart %s\n", s->files.items[i].path.p);
    }
    for (size_t i = 0; i < s->params.n; i++) buf_printf(&b, "param %s %s\n", s->params.items[i].name.p, s->params.items[i].path.p);
    for (size_t i = 0; i < s->artifacts.n; i++)
        buf_printf(&b, "artifact %s %s\n", s->artifacts.items[i].name.p, s->artifacts.items[i].path.p);
    for (size_t i = 0; i < plan->links.n; i++)
        buf_printf(&b, "link %s -> %s\n", plan->links.items[i].target.p, plan->links.items[i].source.p);
    buf_printf(&b, "user %lld %lld\ntier %s\ncwd %.*s\n", (long long)s->uid, (long long)s->gid, step_tier_name(s->tier),
               STR_ARG(s->cwd));
    for (size_t i = 0; i < s->groups.n; i++) buf_printf(&b, "group %lld\n", (long long)s->groups.items[i]);
    if (s->capabilities) buf_printf(&b, "may %x\n", s->capabilities);
    buf_printf(&b, "host %.*s\nnetwork %s %.*s\nroot %s\ndirs %lld\ngrace %u\nprobed %d\n", STR_ARG(s->hostname), s->private_net ? "private" : "host", STR_ARG(s->address),
               s->root_read_only ? "ro" : "rw", (long long)plan->dirs_gid, s->grace_ms, s->probed);
    struct str out = buf_dup(&a, &b);
    buf_fini(&b);
    return out;
}

/* Every line of `want` is a line of the plan; those that begin with ! are not. */
static void expect_lines(const char *tmpl, struct str plan, const char *want)
{
    struct str line, rest = str_of(want), whole = str_fmt(&a, "\n%.*s", STR_ARG(plan));
    while (str_set(rest)) {
        str_cut(rest, '\n', &line, &rest);
        bool not = str_starts(line, STR("!"));
        struct str find = str_fmt(&a, "\n%.*s%s", STR_ARG(not ? str_from(line, 1) : line), not ? "" : "\n");
        if ((str_find(whole, find, 0) >= 0) == not) fail_msg("%s\n%.*s: not in\n%s", tmpl, STR_ARG(line), plan.p);
    }
}

static struct str built(const struct pod_input *in)
{
    struct pod_plan plan;
    struct err e;
    if (!pod_build(&a, in, &plan, &e)) return str_fmt(&a, "error %s\n", e.text);
    return describe(&plan);
}

struct row {
    const char *tmpl, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct pod_input in = input_of(rows[i].tmpl);
        expect_lines(rows[i].tmpl, built(&in), rows[i].want);
    }
}

/* ---- cases ---- */

static void commands_follow_kubernetes(void **state)
{
    static const struct row rows[] = {
        {"{\"container\": {\"image\": \"busybox\", \"command\": [\"echo\"], \"args\": [\"a b\", \"\"]}}", "arg echo\narg a b\narg \n!arg sh"},
        {"{\"container\": {\"image\": \"busybox\"}}", "arg sh"},
        {"{\"container\": {\"image\": \"busybox\", \"args\": [\"-c\"]}}", "arg -c\n!arg sh"},
        {"{\"container\": {\"image\": \"argoproj/argosay:v2\", \"args\": [\"echo\"]}}", "arg /argosay\narg echo\nfile /argosay 755 #!/bin/sh"},
        {"{\"container\": {\"image\": \"argoproj/argosay:v2\", \"command\": [\"sh\"]}}", "arg sh\n!arg /argosay"},
        {"{\"script\": {\"image\": \"busybox\", \"command\": [\"sh\"], \"source\": \"exit 3\"}}",
         "arg sh\narg /argo/staging/script\nfile /argo/staging/script 755 exit 3"},
        {"{\"script\": {\"image\": \"busybox\", \"source\": \"#!/bin/sh\"}}", "arg /argo/staging/script\n!arg sh"},
        {"{\"container\": {\"image\": \"bare\"}}", "error image 'bare' has no known entrypoint: give the container a `command`"},
        {"{\"container\": {\"image\": \"busybox\", \"workingDir\": \"/work\"}}", "cwd /work"},
        {"{\"container\": {\"image\": \"busybox\", \"workingDir\": \"/app/../x\"}}", "error workingDir '/app/../x' must not contain '..'"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void the_environment_is_the_template_s(void **state)
{
#define C "{\"container\": {\"image\": \"busybox\", \"command\": [\"echo\", \"$(A)\", \"$$(A)\", \"$(NONE)\", \"$(\"], \"env\": ["
    static const struct row rows[] = {
        {C "{\"name\": \"A\", \"value\": \"1\"}, {\"name\": \"B\", \"value\": \"$(A)$(A)\"}]}}",
         "arg 1\narg $(A)\narg $(NONE)\narg $(\nenv A=1\nenv B=11\nenv HOME=/tmp\nenv HOSTNAME=wf-x-7\nenv ARGO_NODE_ID=wf-7\n!env USER"},
        {C "{\"name\": \"B\", \"value\": \"$(A)\"}, {\"name\": \"A\", \"value\": \"1\"}, {\"name\": \"A\", \"value\": \"2\"}]}}",
         "env B=$(A)\nenv A=2\n!env A=1"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"secretKeyRef\": {\"name\": \"s\", \"key\": \"password\"}}}]}}",
         "arg hunter22\nenv A=hunter22\nmask hunter22"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"secretKeyRef\": {\"name\": \"s\", \"key\": \"pin\"}}}]}}", "env A=12\n!mask"},
        {C "{\"name\": \"B\", \"value\": \"b\"}, {\"name\": \"A\", \"valueFrom\": {\"secretKeyRef\": {\"name\": \"s\", \"key\": \"refers\"}}}]}}",
         "env A=x$(B)$$y\nmask x$(B)$$y\narg x$(B)$$y"},
        {C "{\"name\": \"A\", \"value\": \"$(HOME)$(ARGO_NODE_ID)\"}, {\"name\": \"HOSTNAME\", \"value\": \"h\"}]}}",
         "env A=$(HOME)$(ARGO_NODE_ID)\nenv HOSTNAME=h\n!env HOSTNAME=wf\nenv HOME=/tmp"},
        {"{\"container\": {\"image\": \"busybox\", \"command\": [\"echo\", \"$(HOME)\", \"$(ARGO_NODE_ID)\"]}}", "arg $(HOME)\narg wf-7"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"configMapKeyRef\": {\"name\": \"c\", \"key\": \"b\"}}}]}}", "env A=two\n!mask"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"configMapKeyRef\": {\"name\": \"c\", \"key\": \"z\"}}}]}}",
         "error env A: \"c\" has no key \"z\""},
        {C "{\"name\": \"A\", \"valueFrom\": {\"configMapKeyRef\": {\"name\": \"c\", \"key\": \"z\", \"optional\": true}}}]}}",
         "!env A=\narg $(A)"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"fieldRef\": {\"fieldPath\": \"metadata.namespace\"}}}]}}", "env A=ns"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"fieldRef\": {\"fieldPath\": \"limits.cpu\"}}}]}}",
         "error env A: fieldRef 'limits.cpu' is not supported"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"resourceFieldRef\": {}}}]}}", "error env A: resourceFieldRef '' is not supported"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"fileKeyRef\": {}}}]}}", "error env A: this valueFrom is not supported"},
        {C "{\"name\": \"A\", \"valueFrom\": {\"resourceFieldRef\": {\"resource\": \"limits.cpu\"}}}, {\"name\": \"B\", \"valueFrom\": {\"resourceFieldRef\":"
           " {\"resource\": \"requests.memory\", \"divisor\": \"1Mi\"}}}, {\"name\": \"D\", \"valueFrom\": {\"resourceFieldRef\": {\"resource\": \"limits.memory\"}}}],"
           " \"resources\": {\"limits\": {\"cpu\": \"1500m\"}, \"requests\": {\"memory\": \"1.5Mi\"}}}}", "env A=2\nenv B=2\nenv D=8192"},
        {C "{\"name\": \"C_a\", \"value\": \"own\"}], \"envFrom\": [{\"prefix\": \"C_\", \"configMapRef\": {\"name\": \"c\"}},"
           "{\"secretRef\": {\"name\": \"s\"}}]}}",
         "env C_a=own\nenv C_b=two\nenv password=hunter22\nmask hunter22\n!env C_a=one"},
        {C "], \"envFrom\": [{\"configMapRef\": {\"name\": \"nowhere\"}}]}}", "error envFrom: there is no \"nowhere\""},
        {C "], \"envFrom\": [{\"configMapRef\": {\"name\": \"nowhere\", \"optional\": true}}]}}", "arg echo"},
    };
#undef C
    check_rows(rows, ARRAY_LEN(rows));
}

/* Kubernetes' own examples (third_party/forked/golang/expansion). */
static void references_are_expanded_as_kubernetes_does(void **state)
{
    static const struct { const char *text, *want; } rows[] = {
        {"$(VAR_A)", "A"}, {"$(VAR_A)-$(VAR_A)", "A-A"}, {"___$(VAR_B)___", "___B___"}, {"$(VAR_A)_$(VAR_B)_$(VAR_C)", "A_B_C"},
        {"$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"}, {"$$(VAR_A)_$$(VAR_B)", "$(VAR_A)_$(VAR_B)"}, {"f000-$$VAR_A", "f000-$VAR_A"},
        {"foo\\$(VAR_C)bar", "foo\\Cbar"}, {"foo\\\\$(VAR_C)bar", "foo\\\\Cbar"}, {"$(VAR_A$(VAR_B))", "$(VAR_A$(VAR_B))"},
        {"$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"}, {"$(VAR_REF)", "$(VAR_A)"}, {"%%$(VAR_REF)--$(VAR_REF)%%", "%%$(VAR_A)--$(VAR_A)%%"},
        {"foo$(VAR_EMPTY)bar", "foobar"}, {"foo$(VAR_Awhoops!", "foo$(VAR_Awhoops!"}, {"f00__(VAR_A)__", "f00__(VAR_A)__"},
        {"$?_boo_$!", "$?_boo_$!"}, {"$VAR_A", "$VAR_A"}, {"$(VAR_DNE)", "$(VAR_DNE)"}, {"$$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"},
        {"$$$$$$(VAR_A)", "$$$(VAR_A)"}, {"$$$$$$$(GOOD_ODDS)", "$$$$(GOOD_ODDS)"}, {"$$$$$$$(VAR_A)", "$$$A"}, {"$VAR_A)", "$VAR_A)"},
        {"${VAR_A}", "${VAR_A}"}, {"$(VAR_B)_______$(A", "B_______$(A"}, {"$(VAR_C)_______$(", "C_______$("},
        {"$(VAR_A)foobarzab$", "Afoobarzab$"}, {"foo-\\$(VAR_A", "foo-\\$(VAR_A"}, {"--$($($($($--", "--$($($($($--"},
        {"$($($($($--foo$(", "$($($($($--foo$("}, {"foo0--$($($($(", "foo0--$($($($("}, {"$(foo$$var)", "$(foo$$var)"}, {"$", "$"}, {"", ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text;
        buf_init(&text, 4096);
        buf_str(&text, STR("{\"container\": {\"image\": \"busybox\", \"command\": [\"echo\", "));
        buf_json(&text, str_of(rows[i].text));
        buf_str(&text, STR("], \"env\": [{\"name\": \"VAR_A\", \"value\": \"A\"}, {\"name\": \"VAR_B\", \"value\": \"B\"},"
                           "{\"name\": \"VAR_C\", \"value\": \"C\"}, {\"name\": \"VAR_REF\", \"value\": \"$$(VAR_A)\"},"
                           "{\"name\": \"VAR_EMPTY\", \"value\": \"\"}]}}"));
        struct pod_input in = input_of(buf_dup(&a, &text).p);
        struct pod_plan plan;
        struct err e;
        buf_fini(&text);
        assert_true(pod_build(&a, &in, &plan, &e));
        assert_int_equal(plan.spec.argv.n, 2);
        assert_string_equal(plan.spec.argv.items[1].p, rows[i].want);
    }
}

static void fields_show_labels_and_annotations(void **state)
{
#define FIELD(path) "\"container\": {\"image\": \"busybox\", \"env\": [{\"name\": \"F\", \"valueFrom\": {\"fieldRef\": {\"fieldPath\": \"" path "\"}}}]}}"
    static const struct row rows[] = {
        {"{\"metadata\": {\"labels\": {\"l\": \"own\"}}, " FIELD("metadata.labels['l']"), "env F=own"},
        {"{" FIELD("metadata.labels['workflows.argoproj.io/workflow']"), "env F=wf"},
        {"{" FIELD("metadata.annotations['workflows.argoproj.io/node-name']"), "env F=wf.x"},
        {"{" FIELD("metadata.annotations['none']"), "env F="},
        {"{" FIELD("spec.priority"), "error env F: fieldRef 'spec.priority' is not supported"},
    };
#undef FIELD
    check_rows(rows, ARRAY_LEN(rows));
}

static void volumes_are_directories_and_files(void **state)
{
#define M(mount) "{\"container\": {\"image\": \"busybox\", \"volumeMounts\": [{\"mountPath\": \"/m\", " mount "}]}}"
    static const struct row rows[] = {
        {M("\"name\": \"scratch\""), "make /state/work/7/volumes/scratch\nbind /state/work/7/volumes/scratch -> /m"},
        {M("\"name\": \"scratch\", \"subPath\": \"a/b\", \"readOnly\": true"),
         "make /state/work/7/volumes/scratch\nbind /state/work/7/volumes/scratch + a/b -> /m ro"},
        {M("\"name\": \"memory\""), "tmpfs /m 0\n!bind /state/steps"},
        {M("\"name\": \"memory\", \"readOnly\": true"), "tmpfs /m 0 ro"},
        {M("\"name\": \"limited\""), "tmpfs /m 1572864"},
        {M("\"name\": \"limited\", \"subPath\": \"x\""), "!tmpfs\nbind /state/work/7/volumes/limited + x -> /m"},
        {M("\"name\": \"unlimited\""), "error volume 'unlimited': sizeLimit 'much' is no size"},
        {M("\"name\": \"conf\""), "file /m/a 400 one\nfile /m/b 400 two\nwritable /m"},
        {M("\"name\": \"facts\""), "file /m/name 644 wf-x-7\nfile /m/labels 644 workflows.argoproj.io/completed=\"false\""},
        {M("\"name\": \"mixed\""), "file /m/p/in 400 12\nfile /m/a 400 one\nfile /m/b 400 two"},
        {M("\"name\": \"token\""), "error volume 'token': one machine has no such source"},
        {M("\"name\": \"conf\", \"subPath\": \"b\""), "file /m 400 two\n!file /m/a\n!writable /m"},
        {M("\"name\": \"part\""), "file /m/sub/B 700 two\n!file /m/a\n!file /m/b"},
        {M("\"name\": \"out\""), "error volume 'out': path '../B' leaves the volume"},
        {M("\"name\": \"keys\""), "file /m/password 644 hunter22\nmask hunter22\nfile /m/pin 644 12\n!mask 12"},
        {M("\"name\": \"gone\""), "error volume 'gone': there is no \"nowhere\""},
        {M("\"name\": \"maybe\""), "writable /m\n!file /m"},
        {M("\"name\": \"claim\""), "make /state/volumes/ns/data\nbind /state/volumes/ns/data -> /m"},
        {M("\"name\": \"work\""), "bind /state/volumes/ns/wf-work -> /m"},
        {M("\"name\": \"up\""), "error claim name '../up' is not valid"},
        {M("\"name\": \"host\", \"readOnly\": true"), "bind /srv -> /m ro\n!make /srv"},
        {M("\"name\": \"nfs\""), "error volume 'nfs' is of a kind that one machine cannot provide"},
        {M("\"name\": \"nowhere\""), "error volumeMount refers to volume 'nowhere', which is not defined"},
        {M("\"name\": \"scratch\", \"subPath\": \"../up\""), "error volumeMount 'scratch': subPath '../up' must be relative, without '..'"},
        {M("\"name\": \"scratch\", \"subPath\": \"/up\""), "error volumeMount 'scratch': subPath '/up' must be relative, without '..'"},
        {M("\"name\": \"scratch\", \"subPathExpr\": \"a/$(NONE)\""), "error volumeMount 'scratch': subPathExpr: missing value for \"NONE\""},
        {M("\"name\": \"scratch\", \"subPathExpr\": \"$(HOME)\""), "error volumeMount 'scratch': subPathExpr: missing value for \"HOME\""},
        {M("\"name\": \"scratch\", \"subPathExpr\": \"a/$(ARGO_POD_NAME)/$$(x)\""), "bind /state/work/7/volumes/scratch + a/wf-x-7/$(x) -> /m"},
        {M("\"name\": \"scratch\", \"subPathExpr\": \"../$(ARGO_POD_NAME)\""),
         "error volumeMount 'scratch': subPath '../wf-x-7' must be relative, without '..'"},
        {M("\"name\": \"scratch\", \"subPathExpr\": \"a\", \"subPath\": \"b\""),
         "error volumeMount 'scratch': subPathExpr and subPath are mutually exclusive"},
        {M("\"name\": \"readonly\""), "bind /state/volumes/ns/data -> /m ro"},
        {M("\"name\": \"socket\""), "bind /srv/s -> /m\ncheck /srv/s Socket"},
        {M("\"name\": \"hosttype\""), "error volume 'hosttype': Anything is an invalid volume type"},
        {M("\"name\": \"hostup\""), "error volume 'hostup': path '/srv/../etc' must be absolute, without '..'"},
        {M("\"name\": \"twice\""), "file /m/one 644 two\nfile /m/other/two 644 two\n!file /m/b"},
        {M("\"name\": \"lacks\""), "error volume 'lacks': references non-existent config key: z"},
        {M("\"name\": \"lacks-secret\""), "error volume 'lacks-secret': references non-existent secret key: z"},
        {M("\"name\": \"may-lack\""), "file /m/B 644 two\n!file /m/Z"},
        {M("\"name\": \"scratch\"}, {\"name\": \"keys\", \"mountPath\": \"/m/keys\"}, {\"name\": \"mixed\", \"mountPath\": \"/m/mixed\""),
         "tmpfs /m/keys 0\ntmpfs /m/mixed 0\n!writable\nfile /m/keys/pin 644 12\napart /m/keys/pin"},
        {M("\"name\": \"memory\"}, {\"name\": \"keys\", \"mountPath\": \"/mm\""), "writable /mm\n!tmpfs /mm"},
        {"{\"container\": {\"image\": \"busybox\", \"volumeMounts\": [{\"name\": \"scratch\", \"mountPath\": \"m\"}]}}",
         "error volumeMount 'scratch': mountPath must be absolute"},
        {"{\"container\": {\"image\": \"busybox\", \"volumeMounts\": [{\"name\": \"scratch\", \"mountPath\": \"/mnt/../m\"}]}}",
         "error volumeMount 'scratch': mountPath '/mnt/../m' must not contain '..'"},
        {"{\"volumes\": [{\"name\": \"scratch\", \"hostPath\": {\"path\": \"/own\"}}], \"container\": {\"image\": \"busybox\","
         " \"volumeMounts\": [{\"name\": \"scratch\", \"mountPath\": \"/m\"}]}}", "bind /own -> /m"},
    };
#undef M
    check_rows(rows, ARRAY_LEN(rows));
}

static void outputs_have_writable_parents(void **state)
{
#define O(out) "{\"container\": {\"image\": \"busybox\"}, \"outputs\": " out "}"
    static const struct row rows[] = {
        {O("{\"parameters\": [{\"name\": \"p\", \"valueFrom\": {\"path\": \"/result.txt\"}}]}"), "param p /result.txt\nwritable /"},
        {O("{\"artifacts\": [{\"name\": \"x\", \"path\": \"/out/deep/file\"}]}"), "artifact x /out/deep/file\nwritable /out/deep"},
        {O("{\"parameters\": [{\"name\": \"p\", \"valueFrom\": {\"expression\": \"1\"}}]}"), "!param\narg sh"},
        {O("{\"parameters\": [{\"name\": \"p\", \"valueFrom\": {\"path\": \"x\"}}]}"), "error output parameter 'p': path 'x' must be absolute"},
        {O("{\"artifacts\": [{\"name\": \"x\", \"path\": \"y\"}]}"), "error output artifact 'x': path 'y' must be absolute"},
        {O("{\"artifacts\": [{\"name\": \"x\", \"path\": \"/mnt/../y\"}]}"), "error output artifact 'x': path '/mnt/../y' must not contain '..'"},
        {O("{\"parameters\": [{\"name\": \"p\", \"valueFrom\": {\"path\": \"/mnt/..\"}}]}"),
         "error output parameter 'p': path '/mnt/..' must not contain '..'"},
        {O("{\"artifacts\": [{\"name\": \"x\", \"path\": \"/a/..b/...\"}]}"), "artifact x /a/..b/..."},
    };
#undef O
    check_rows(rows, ARRAY_LEN(rows));
}

static void users_come_from_the_nearest_level(void **state)
{
    static const struct row rows[] = {
        {"{\"container\": {\"image\": \"busybox\"}}", "user 5 6\ntier overlay"},
        {"{\"securityContext\": {\"runAsUser\": 7}, \"container\": {\"image\": \"busybox\"}}", "user 7 -1"},
        {"{\"securityContext\": {\"runAsUser\": 7}, \"container\": {\"image\": \"busybox\", \"securityContext\": {\"runAsUser\": 0}}}", "user 0 -1"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void groups_and_rights_are_what_the_pod_says(void **state)
{
#define POD(sec) "{\"securityContext\": {" sec "}, \"container\": {\"image\": \"busybox\"}}"
    static const struct row rows[] = {
        {POD("\"supplementalGroups\": [3, 4], \"fsGroup\": 5"), "group 3\ngroup 4\ngroup 5\ndirs 5\nroot rw"},
        {POD("\"supplementalGroups\": [-1]"), "error securityContext.supplementalGroups: must be between 0 and 2147483647, inclusive"},
        {POD("\"runAsUser\": \"me\""), "error securityContext.runAsUser: must be between 0 and 2147483647, inclusive"},
        {POD("\"runAsNonRoot\": true"), "error container has runAsNonRoot and image will run as root"},
        {POD("\"runAsNonRoot\": true, \"runAsUser\": 0"), "error container's runAsUser breaks non-root policy"},
        {POD("\"runAsNonRoot\": true, \"runAsUser\": 8"), "user 8 -1"},
        {"{\"container\": {\"image\": \"busybox\", \"securityContext\": {\"readOnlyRootFilesystem\": true}}}", "root ro"},
    };
#undef POD
    check_rows(rows, ARRAY_LEN(rows));
    struct pod_input in = input_of("{\"securityContext\": {\"fsGroup\": 5}, \"container\": {\"image\": \"busybox\"}}");
    in.one_user = true;
    expect_lines("without root", built(&in), "!group 5\ndirs -1");
}

static void names_are_written_as_a_kubelet_does(void **state)
{
#define POD(patch) "{\"podSpecPatch\": \"{" patch "}\", \"container\": {\"image\": \"busybox\"}}"
    static const struct row rows[] = {
        {"{\"container\": {\"image\": \"busybox\"}}", "host \nnetwork host \n!over"},
        {"{\"hostAliases\": [{\"ip\": \"1.2.3.4\", \"hostnames\": [\"a\", \"b\"]}], \"container\": {\"image\": \"busybox\"}}",
         "file /etc/hosts 644 127.0.0.1 localhost\nover 127.0.0.1 localhost|1.2.3.4_a_b|"},
        {"{\"hostAliases\": [{\"ip\": \"1.2.3.4\\n5\", \"hostnames\": [\"a\"]}], \"container\": {\"image\": \"busybox\"}}",
         "error hostAliases: '1.2.3.4\n5' is no address"},
        {POD("hostname: other."), "host other\nenv HOSTNAME=other"},
        {POD("dnsConfig: {nameservers: [1.1.1.1, 9.9.9.9, 2.2.2.2, 3.3.3.3], searches: [three], options: [{name: ndots, value: '2'}, {name: rotate}]}"),
         "file /etc/resolv.conf 644 search one.example two.example three\n"
         "over search one.example two.example three|nameserver 9.9.9.9|nameserver 1.1.1.1|nameserver 2.2.2.2|options edns0 ndots:2 rotate|"},
        {POD("dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1]}"), "over nameserver 1.1.1.1|"},
        {POD("dnsPolicy: None"), "error dnsPolicy None needs at least one of dnsConfig.nameservers"},
        {POD("dnsConfig: {searches: ['a b']}"), "error dnsConfig: an entry is empty or has white space in it"},
    };
    check_rows(rows, ARRAY_LEN(rows));
    struct pod_input in = input_of(POD("hostname: me, subdomain: us"));
    in.private_net = true;
    in.address = STR("10.0.0.7");
    expect_lines("private", built(&in), "network private 10.0.0.7\nover # written by Skiff|127.0.0.1_localhost|::1_localhost ip6-localhost ip6-loopback|"
                                        "10.0.0.7_me.us.ns.svc.cluster.local_me|");
#undef POD
}

static void patches_change_the_pod(void **state)
{
    static const struct row rows[] = {
        {"{\"podSpecPatch\": \"containers: [{name: main, args: [patched], env: [{name: B, value: two}]}]\", \"container\": {\"image\": \"busybox\","
         " \"command\": [\"echo\"], \"args\": [\"plain\"], \"env\": [{\"name\": \"A\", \"value\": \"one\"}]}}",
         "arg patched\n!arg plain\nenv A=one\nenv B=two"},
        {"{\"podSpecPatch\": \"{containers: [{name: main, image: busybox, volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, emptyDir: {}}]}\","
         " \"container\": {\"image\": \"never\", \"command\": [\"x\"]}}", "make /state/work/7/volumes/v"},
        {"{\"podSpecPatch\": \"{containers: [{name: main, workingDir: /w}]}\", \"script\": {\"image\": \"busybox\", \"command\": [\"sh\"], \"source\": \"exit 3\"}}",
         "cwd /w\nfile /argo/staging/script 755 exit 3"},
        {"{\"podSpecPatch\": \"{securityContext: {runAsUser: 9}}\", \"container\": {\"image\": \"busybox\"}}", "user 9 6"},
        {"{\"podSpecPatch\": \"{nodeName: elsewhere}\", \"container\": {\"image\": \"busybox\"}}", "arg sh"},
        {"{\"podSpecPatch\": \"{containers: [{name: other, image: busybox}]}\", \"container\": {\"image\": \"busybox\"}}",
         "arg sh"}, /* a sidecar */
        {"{\"podSpecPatch\": \"- 1\", \"container\": {\"image\": \"busybox\"}}", "error the template's podSpecPatch is no map"},
    };
    check_rows(rows, ARRAY_LEN(rows));
    struct pod_input in = input_of("{\"podSpecPatch\": \"terminationGracePeriodSeconds: 3\", \"container\": {\"image\": \"busybox\"}}");
    struct pod_plan plan;
    struct err e;
    assert_true(pod_build(&a, &in, &plan, &e));
    assert_int_equal(plan.spec.grace_ms, 3000);
}

static void images_are_roots_host_or_errors(void **state)
{
    static const struct row rows[] = {
        {"{\"container\": {\"image\": \"rooted:3\"}}", "tier image\nlayer /srv/rooted\narg serve\nenv MODE=image\ncwd /app"},
        {"{\"container\": {\"image\": \"rooted\", \"env\": [{\"name\": \"MODE\", \"value\": \"own\"}]}}", "env MODE=own\n!env MODE=image"},
    };
    check_rows(rows, ARRAY_LEN(rows));
    struct pod_input in = input_of("{\"container\": {\"image\": \"acme/train:7\", \"command\": [\"train\"]}}");
    expect_lines("unknown", built(&in), "error no image acme/train:7");
    in = input_of("{\"container\": {\"image\": \"nginx\"}}");
    in.images.ctx = image_map_new(&a, "/nowhere");
    expect_lines("missing", built(&in), "error image 'nginx' needs the program 'nginx', which this host does not have");
    in = input_of("{\"container\": {\"image\": \"python:3.11\", \"command\": [\"python\"]}}");
    struct str shown = built(&in);
    if (!str_starts(shown, STR("error"))) /* the host has a python3 */
        expect_lines("shims", shown, "make /state/shims\nenv "
                                     "PATH=/argo/files:/argo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

static void a_stored_image_says_what_a_container_does_not(void **state)
{
    static const struct row rows[] = {
        {"{\"container\": {\"image\": \"stored\"}}",
         "tier image\nlayer /l/2\nlayer /l/1\narg /entry\narg serve\narg all\ncwd /app\nenv MODE=image\nenv PATH=/opt/bin:/bin\nwritable /data"},
        {"{\"container\": {\"image\": \"stored\", \"args\": [\"x\"]}}", "arg /entry\narg x\n!arg serve\nmay 800405fb"},
        {"{\"container\": {\"image\": \"stored\", \"securityContext\": {\"capabilities\": {\"drop\": [\"CAP_KILL\", \"CHOWN\", \"WORLD\"]}}}}", "may 800405da"},
        {"{\"container\": {\"image\": \"stored\", \"securityContext\": {\"capabilities\": {\"drop\": [\"ALL\"]}}}}", "!may 800405fb"},
        {"{\"container\": {\"image\": \"stored\", \"command\": [\"c\"]}}", "arg c\n!arg /entry\n!arg serve"},
        {"{\"container\": {\"image\": \"stored\", \"workingDir\": \"/w\", \"env\": [{\"name\": \"MODE\", \"value\": \"own\"}]}}",
         "cwd /w\nenv MODE=own\n!env MODE=image"},
    };
    check_rows(rows, ARRAY_LEN(rows));
    struct image bare = {.kind = IMAGE_STORED, .layers = stored.layers};
    given = &bare;
    struct pod_input in = input_of("{\"container\": {\"image\": \"stored\"}}");
    expect_lines("bare", built(&in), "error no command specified: the image 'stored' has neither entrypoint nor cmd");
    in = input_of("{\"container\": {\"image\": \"stored\", \"command\": [\"c\"]}}");
    expect_lines("bare", built(&in), "env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    given = NULL;
}

/* USER of the image, securityContext of the container → uid, gid, HOME, or an error. The workflow says nothing. */
static void users_are_the_images_or_the_documents(void **state)
{
    static const struct { const char *user, *context, *want; } rows[] = {
        {"", "{}", "user -1 -1\nenv HOME=/root"},
        {"root", "{}", "user -1 -1\nenv HOME=/root"},
        {"0:0", "{}", "user -1 -1"},
        {"app", "{}", "user 1000 1001\nenv HOME=/home/app"},
        {"app:staff", "{}", "user 1000 50"},
        {"1000", "{}", "user 1000 1001\nenv HOME=/home/app"},
        {"1000:7", "{}", "user 1000 7"},
        {"77", "{}", "user 77 0\nenv HOME=/"},
        {"root:staff", "{}", "user 0 50"},
        {"nobody", "{}", "error unable to find user nobody: no matching entries in the image's passwd file"},
        {"app:gone", "{}", "error unable to find group gone: no matching entries in the image's group file"},
        {"4294967295", "{}", "error unable to find user 4294967295: no matching entries in the image's passwd file"},
        {"app", "{\"runAsUser\": 5}", "user 5 0\nenv HOME=/"},
        {"gone", "{\"runAsUser\": 1000}", "user 1000 1001\nenv HOME=/home/app"},
        {"app", "{\"runAsGroup\": 9}", "user 1000 9"},
        {"", "{\"runAsNonRoot\": true}", "error container has runAsNonRoot and image will run as root"},
        {"root", "{\"runAsNonRoot\": true}", "error container has runAsNonRoot and image has non-numeric user (root), cannot verify user is non-root"},
        {"app", "{\"runAsNonRoot\": true}", "error container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root"},
        {"0", "{\"runAsNonRoot\": true}", "error container has runAsNonRoot and image will run as root"},
        {"1000", "{\"runAsNonRoot\": true}", "user 1000 1001"},
        {"", "{\"runAsNonRoot\": true, \"runAsUser\": 5}", "user 5 0"},
        {"1000", "{\"runAsNonRoot\": true, \"runAsUser\": 0}", "error container's runAsUser breaks non-root policy"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct image one = stored;
        one.user = str_of(rows[i].user);
        given = &one;
        struct pod_input in = input_of(str_fmt(&a, "{\"container\": {\"image\": \"stored\", \"securityContext\": %s}}", rows[i].context).p);
        in.workflow = &val_null;
        expect_lines(str_fmt(&a, "USER %s, %s", rows[i].user, rows[i].context).p, built(&in), rows[i].want);
    }
    struct image one = stored;
    given = &one;
    struct pod_input in = input_of("{\"container\": {\"image\": \"stored\"}}");
    struct pod_plan plan;
    struct err e;
    in.workflow = &val_null;
    in.one_user = true;
    assert_true(pod_build(&a, &in, &plan, &e));
    assert_true(plan.spec.uid == -1 && str_find(plan.notice, STR("user app is ignored"), 0) >= 0);
    given = NULL;
}

static void input_artifacts_are_copies_or_files(void **state)
{
    static const struct pod_artifact arts[] = {
        {.name = STR("tree"), .path = STR("/in/tree"), .source = STR("/store/1"), .mode = -1},
        {.name = STR("raw"), .path = STR("/in/raw"), .content = STR("bytes"), .mode = 0600},
    };
    struct pod_input in = input_of("{\"container\": {\"image\": \"busybox\"}}");
    in.artifacts = arts;
    in.n_artifacts = 2;
    expect_lines("artifacts", built(&in), "input /store/1 -> /in/tree\nfile /in/raw 600 bytes");
    in.tier = STEP_TIER_NONE;
    expect_lines("none", built(&in), "error input artifacts need a sandbox: run without --runtime=none");
}

/* Without a sandbox there is nowhere to mount: the script lies in the step's own directory. */
static void tier_none_is_a_plain_process(void **state)
{
    struct pod_input in = input_of("{\"script\": {\"image\": \"busybox\", \"command\": [\"sh\"], \"source\": \"true\"}}");
    in.tier = STEP_TIER_NONE;
    expect_lines("script", built(&in), "arg /state/work/7/script\nfile /state/work/7/script 755 true\n!bind\n"
                                       "env PATH=/state/work/7/files:/state/shims:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    in = input_of("{\"container\": {\"image\": \"busybox\", \"volumeMounts\": [{\"name\": \"scratch\", \"mountPath\": \"/m\"}]}}");
    in.tier = STEP_TIER_NONE;
    expect_lines("mount", built(&in), "error volumeMounts need a sandbox: run without --runtime=none");
}

static void texts_that_explode_are_refused(void **state)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, STR("{\"container\": {\"image\": \"busybox\", \"command\": [\"echo\"], \"env\": [{\"name\": \"V0\", \"value\": \"0123456789\"}"));
    for (int i = 1; i < 12; i++) {
        buf_printf(&b, ", {\"name\": \"V%d\", \"value\": \"", i);
        for (int k = 0; k < 10; k++) buf_printf(&b, "$(V%d)", i - 1);
        buf_str(&b, STR("\"}"));
    }
    buf_str(&b, STR("]}}"));
    struct pod_input in = input_of(buf_dup(&a, &b).p);
    struct pod_plan plan;
    struct err e;
    const char *zeros = str_fmt(&a, "%0131072d", 0).p;
    assert_false(pod_build(&a, &in, &plan, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(str_starts(str_of(e.text), STR("with $(NAME) replaced")));
    in = input_of(str_fmt(&a, "{\"container\": {\"image\": \"busybox\", \"command\": [\"echo\", \"%s\"]}}", zeros).p);
    assert_false(pod_build(&a, &in, &plan, &e));
    assert_true(str_starts(str_of(e.text), STR("an argument has more than")));
    in = input_of(str_fmt(&a, "{\"container\": {\"image\": \"busybox\", \"command\": [\"echo\", \"%s\"]}}", zeros + 1).p);
    assert_true(pod_build(&a, &in, &plan, &e));
    buf_fini(&b);
}

static const char several[] =
    "{\"container\": {\"image\": \"busybox\", \"command\": [\"m\"], \"volumeMounts\": [{\"name\": \"scratch\", \"mountPath\": \"/a\"},"
    " {\"name\": \"host\", \"mountPath\": \"/b\"}]}, \"outputs\": {\"artifacts\": [{\"name\": \"o\", \"path\": \"/o/o\"}]},"
    " \"initContainers\": [{\"name\": \"i\", \"image\": \"busybox\", \"command\": [\"c\"], \"env\": [{\"name\": \"E\", \"value\": \"1\"}]}],"
    " \"sidecars\": [{\"name\": \"s\", \"image\": \"alpine\", \"command\": [\"nc\"], \"mirrorVolumeMounts\": true,"
    " \"volumeMounts\": [{\"name\": \"scratch\", \"mountPath\": \"/b\"}]}],"
    " \"podSpecPatch\": \"{initContainers: [{name: i, args: [x]}]}\"}";

static void other_containers_have_what_is_theirs(void **state)
{
    static const struct {
        const char *part, *want;
    } rows[] = {
        {"i", "arg c\narg x\nenv E=1\nenv ARGO_CONTAINER_NAME=i\n!bind\n!file\n!artifact"},
        {"s", "arg nc\nenv ARGO_CONTAINER_NAME=s\nbind /state/pods/u/1/scratch -> /a\nbind /state/pods/u/1/scratch -> /b\n"
              "input text -> /tmp/in by /state/pods/u/1/.inputs/\nfile /argo/files/nc 755 #!/usr/bin/perl\n!bind /srv\n!artifact"},
        {NULL, "arg m\nenv ARGO_CONTAINER_NAME=main\nbind /srv -> /b\ninput text -> /tmp/in by /state/pods/u/1/.inputs/\nartifact o /o/o\n!env E=1\n!file /argo/files/nc"},
    };
    const struct pod_artifact artifact = {.name = STR("in"), .path = STR("/tmp/in"), .content = STR("text"), .mode = -1};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pod_input in = input_of(several);
        struct pod_plan plan;
        struct err e = {0};
        in.part = rows[i].part ? str_of(rows[i].part) : STR_NONE;
        in.pod_dir = STR("/state/pods/u/1");
        in.artifacts = &artifact;
        in.n_artifacts = 1;
        if (!pod_build(&a, &in, &plan, &e)) fail_msg("%s", e.text);
        expect_lines(rows[i].part ? rows[i].part : "main", describe(&plan), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_follow_kubernetes, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(the_environment_is_the_template_s, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(references_are_expanded_as_kubernetes_does, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(volumes_are_directories_and_files, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(outputs_have_writable_parents, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(users_come_from_the_nearest_level, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(fields_show_labels_and_annotations, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(groups_and_rights_are_what_the_pod_says, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(names_are_written_as_a_kubelet_does, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(patches_change_the_pod, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(images_are_roots_host_or_errors, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(a_stored_image_says_what_a_container_does_not, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(users_are_the_images_or_the_documents, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(input_artifacts_are_copies_or_files, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(other_containers_have_what_is_theirs, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(tier_none_is_a_plain_process, arena_up, arena_down),
        cmocka_unit_test_setup_teardown(texts_that_explode_are_refused, arena_up, arena_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
