/* pod: what containers are limited to, and what a pod asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doc/yaml.h"
#include "pod/resources.h"

static struct val doc(struct arena *a, const char *text)
{
    struct val v;
    struct err e = {0};
    if (!yaml_parse(a, str_of(text), NULL, &v, &e)) fail_msg("%s", e.text);
    return v;
}

/* "cpu memory nvidia amd", or the error */
static const char *needs(struct arena *a, const char *tmpl, const char *shared)
{
    struct val t = doc(a, tmpl), s = doc(a, shared ? shared : "{}");
    struct pod_needs n;
    struct err e = {0};
    if (!pod_needs(&t, shared ? &s : NULL, &n, &e)) return str_dup(a, str_of(e.text)).p;
    return str_fmt(a, "%lld %lld %lld %lld", (long long)n.of[POD_CPU], (long long)n.of[POD_MEMORY], (long long)n.of[POD_NVIDIA],
                   (long long)n.of[POD_AMD]).p;
}

static void pods_ask_for_what_kubernetes_counts(void **state)
{
    static const struct { const char *tmpl, *shared, *is; } rows[] = {
        {"container: {image: x}", NULL, "0 0 0 0"},
        {"container: {resources: {requests: {cpu: 500m, memory: 1Ki}}}", NULL, "500 1024 0 0"},
        {"container: {resources: {limits: {cpu: 2, memory: 1k, nvidia.com/gpu: 1}, requests: {cpu: 0.5}}}", NULL, "500 1000 1 0"},
        {"script: {resources: {limits: {amd.com/gpu: '2'}}}", NULL, "0 0 0 2"},
        {"container: {resources: {requests: {memory: 1500m}}}", NULL, "0 2 0 0"}, /* rounded up */
        /* a sum over those that run together, or the largest that runs alone */
        {"{container: {resources: {requests: {cpu: 1}}}, sidecars: [{name: s, resources: {requests: {cpu: 2}}}],"
         " initContainers: [{name: i, resources: {requests: {cpu: 2, memory: 9}}}, {name: k, resources: {requests: {cpu: 1}}}]}", NULL, "3000 9 0 0"},
        {"{container: {resources: {requests: {cpu: 1}}}, initContainers: [{name: i, resources: {requests: {cpu: 4}}}]}", NULL, "4000 0 0 0"},
        /* one that goes on counts beside main, and beside the init containers after it */
        {"{container: {resources: {requests: {cpu: 1, memory: 3}}}, initContainers: [{name: i, resources: {requests: {memory: 4}}},"
         " {name: stay, restartPolicy: Always, resources: {requests: {cpu: 2, memory: 2}}}, {name: k, resources: {requests: {cpu: 500m, memory: 4}}}]}", NULL,
         "3000 6 0 0"},
        {"containerSet: {containers: [{name: a, resources: {requests: {cpu: 1}}}, {name: b, resources: {limits: {cpu: 250m}}}]}", NULL, "1250 0 0 0"},
        {"container: {resources: {requests: {cpu: 1, memory: 5}}}", "requests: {cpu: 3}", "3000 5 0 0"},
        {"container: {resources: {requests: {cpu: much}}}", NULL, "main: resources.requests.cpu: 'much' is no quantity"},
        {"container: {resources: {limits: {memory: -1}}}", NULL, "main: resources.limits.memory: '-1' is no quantity"},
        {"{container: {resources: {limits: {memory: 5Ei}}}, sidecars: [{name: s, resources: {limits: {memory: 5Ei}}}]}", NULL,
         "main: resources.limits.memory: '5Ei' is no quantity"},
        {"container: {resources: nonsense}", NULL, "0 0 0 0"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a CLEANUP(arena_fini);
        arena_init(&a);
        assert_string_equal(needs(&a, rows[i].tmpl, rows[i].shared), rows[i].is);
    }
}

static const char *devices(struct arena *a, const struct val *tmpl, const char *container)
{
    uint32_t first = 0, n = pod_devices(tmpl, str_of(container), POD_NVIDIA, &first);
    return str_fmt(a, "%u from %u", n, n ? first : 0).p;
}

static void each_container_has_its_own_devices(void **state)
{
    struct arena a CLEANUP(arena_fini);
    (void)state;
    arena_init(&a);
    struct val t = doc(&a, "{container: {resources: {limits: {nvidia.com/gpu: 2}}}, initContainers: [{name: i, resources: {limits: {nvidia.com/gpu: 1}}}],"
                           " sidecars: [{name: plain}, {name: s, resources: {limits: {nvidia.com/gpu: 1}}}]}");
    assert_string_equal(devices(&a, &t, "i"), "1 from 0");
    assert_string_equal(devices(&a, &t, "main"), "2 from 0");
    assert_string_equal(devices(&a, &t, "plain"), "0 from 0");
    assert_string_equal(devices(&a, &t, "s"), "1 from 2");
    assert_string_equal(devices(&a, &t, "nobody"), "0 from 0");
    t = doc(&a, "{container: {resources: {limits: {nvidia.com/gpu: 2}}}, initContainers: [{name: stay, restartPolicy: Always, resources: {limits: {nvidia.com/gpu: 1}}},"
                " {name: i, resources: {limits: {nvidia.com/gpu: 1}}}]}");
    assert_string_equal(devices(&a, &t, "stay"), "1 from 0");
    assert_string_equal(devices(&a, &t, "i"), "1 from 1"); /* they run together */
    assert_string_equal(devices(&a, &t, "main"), "2 from 1");
}

static void containers_are_limited(void **state)
{
    struct arena a CLEANUP(arena_fini);
    struct step_limits l;
    struct err e;
    (void)state;
    arena_init(&a);
    struct val v = doc(&a, "resources: {limits: {cpu: 1500m, memory: 64Mi}, requests: {cpu: 1}}");
    assert_true(pod_limits(&v, NULL, &l, &e));
    assert_true(l.memory_bytes == 64 << 20 && l.cpu_milli == 1500 && l.share_milli == 1000 && l.pids == 0);
    v = doc(&a, "resources: {limits: {cpu: 1}}");
    assert_true(pod_limits(&v, NULL, &l, &e) && l.cpu_milli == 1000 && l.share_milli == 1000 && l.memory_bytes == 0);
    v = doc(&a, "resources: {requests: {memory: 1Gi}}"); /* is reserved, and limits nothing */
    assert_true(pod_limits(&v, NULL, &l, &e) && l.memory_bytes == 0 && l.cpu_milli == 0 && l.share_milli == 0);
    struct val shared = doc(&a, "limits: {cpu: 3, memory: 5}");
    assert_true(pod_limits(&v, &shared, &l, &e) && l.memory_bytes == 5 && l.cpu_milli == 3000);
    v = doc(&a, "resources: {limits: {cpu: 1}}"); /* its own counts */
    assert_true(pod_limits(&v, &shared, &l, &e) && l.memory_bytes == 5 && l.cpu_milli == 1000);
    v = doc(&a, "image: x");
    assert_true(pod_limits(&v, NULL, &l, &e) && l.memory_bytes == 0);
    v = doc(&a, "resources: {limits: {memory: 1Gi}, requests: {memory: 2Gi}}");
    assert_false(pod_limits(&v, NULL, &l, &e));
    assert_string_equal(e.text, "resources.requests.memory: '2Gi' must be less than or equal to memory limit of 1Gi");
    v = doc(&a, "resources: {limits: {cpu: x}}");
    assert_false(pod_limits(&v, NULL, &l, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_ask_for_what_kubernetes_counts),
        cmocka_unit_test(each_container_has_its_own_devices),
        cmocka_unit_test(containers_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
