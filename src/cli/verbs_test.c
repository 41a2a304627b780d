/* Whole commands over a fake service: what reaches stdout and stderr, and the exit status.
 *
 * With arguments this program is the command line itself over the fake service: test/pty runs it so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/fake_service.h"
#include "cli/golden.h"
#include "os/dir.h"

static struct arena a;

static int arena_up(void **state)
{
    arena_init(&a);
    setenv("SKIFF_STATE", "/nonexistent/skiff-state", 1);
    setenv("TZ", "UTC", 1);
    unsetenv("CI"), unsetenv("CLICOLOR_FORCE"), unsetenv("XDG_CONFIG_HOME"), setenv("HOME", "/nonexistent", 1);
    return 0;
}
static int arena_down(void **state)
{
    arena_fini(&a);
    return 0;
}

struct said {
    int status;
    const char *out, *err;
};

static const char *drain(int fd)
{
    CLEANUP(buf_fini) struct buf b;
    struct err e = {0};
    buf_init(&b, 64 << 20);
    lseek(fd, 0, SEEK_SET);
    assert_true(fd_read_all(fd, &b, &e));
    close(fd);
    return buf_dup(&a, &b).p;
}

static struct said skiff(const char *line)
{
    char *argv[20] = {(char *)"skiff"};
    int argc = 1;
    struct str head, rest = str_of(line);
    while (str_set(rest) && rest.n) {
        str_cut(rest, ' ', &head, &rest);
        argv[argc++] = (char *)str_dup(&a, head).p;
    }
    char out[] = "/tmp/skiff-out-XXXXXX", err[] = "/tmp/skiff-err-XXXXXX";
    struct cli_env env = {mkstemp(out), mkstemp(err), NULL};
    unlink(out), unlink(err);
    struct said s = {.status = cli_main(argc, argv, &env)};
    s.out = drain(env.out_fd);
    s.err = drain(env.err_fd);
    return s;
}

/* Not that of another run of this test. */
static const char *own_file(const char *name) { return str_fmt(&a, "/tmp/skiff-verbs-test-%d-%s", getpid(), name).p; }

static void said_is(const char *line, int status, const char *out, const char *err)
{
    struct said s = skiff(line);
    if (s.status != status) fail_msg("skiff %s: status %d: %s", line, s.status, s.err);
    if (out) assert_string_equal(s.out, out);
    if (err) assert_string_equal(s.err, err);
}

static void wrong_words_are_exit_2_with_a_hint(void **state)
{
    said_is("lst", 2, "", "error: no command 'lst', did you mean 'list'?\n");
    said_is("frobnicate", 2, "", "error: no command 'frobnicate' (try: skiff help)\n");
    said_is("list --staus x", 2, "", "error: 'list' has no flag --staus, did you mean --status?\n");
    said_is("get", 2, "", "error: 'get' needs more words: skiff get NAME… [-o name|json|yaml|short|wide]\n");
    said_is("get x -o xml", 2, "", "error: --output is one of name|json|yaml|short|wide, not 'xml'\n");
    said_is("run", 2, "", "error: 'run' needs a file: skiff run pipeline.yaml\n");
    said_is("run x.yaml -p novalue", 4, "", NULL);
    said_is("run --resume x --dry-run", 2, "", "error: --resume goes on with a stored run as it is and takes no --dry-run\n");
    said_is("run --resume x -p a=b", 2, "", NULL);
    said_is("run --resume x -d", 2, "", NULL);
    said_is("retry x -l a=b", 2, "", "error: 'retry' takes names or a selection, not both\n");
    said_is("delete", 2, "", NULL);
    said_is("logs --since x y", 2, "", "error: --since is a duration such as 10m, not 'x'\n");
    said_is("list --completed --running", 2, "", "error: --completed and --running exclude each other\n");
    said_is("get x --status A --node-field-selector phase=B", 2, "", NULL);
    said_is("list -s http://x/?y", 2, "", "error: the server is HOST:PORT, not 'http://x/?y'\n");
    said_is("list -s host:2746 --state dir", 2, "", NULL);
    said_is("submit w.yaml -s host:2746 --cpus 2", 2, "", "error: --cpus is about runs on this machine; a server elsewhere has its own settings\n");
    said_is("run w.yaml -s host:2746", 2, "", "error: 'run' is for this machine alone; skiff submit sends workflows to a server\n");
    said_is("gc -s host:2746", 2, "", NULL);
    said_is("list -s host:2746 -H nothing", 2, "", "error: --header is 'NAME: VALUE'\n");
    said_is("explain nonsense.path", 4, "", NULL);
}

static void only_some_commands_run_steps(void **state)
{
    static const struct { const char *words[5]; bool want; } rows[] = {
        {{"skiff", "run", "x"}, true}, {{"skiff", "-n", "run", "list"}, false}, {{"skiff", "-n", "x", "rm"}, false},
        {{"skiff", "get", "run"}, false}, {{"skiff"}, false}, {{"skiff", "cron", "list"}, false}, {{"skiff", "-q", "template", "rm"}, false},
        {{"skiff", "sync", "create"}, false}, {{"skiff", "archive", "-q", "retry"}, true}, {{"skiff", "--state=x", "retry", "y"}, true},
        {{"skiff", "retry", "-sx:1", "y"}, false}, {{"skiff", "retry", "-s", "", "y"}, true}, {{"skiff", "run", "-sx:1", "y"}, true},
        {{"skiff", "cron", "backfill", "y"}, true}, {{"skiff", "run", "--nonsense"}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int argc = 0;
        while (argc < 5 && rows[i].words[argc]) argc++;
        assert_int_equal(cli_needs_steps(argc, (char **)rows[i].words), rows[i].want);
    }
}

static void readers_print_objects(void **state)
{
    said_is("get nobody", 4, "", "error: no workflow 'nobody'\n");
    said_is("get dag-y -o name", 0, "dag-y\n", "");
    assert_non_null(strstr(skiff("get @latest").out, "\nSTEP "));
    assert_non_null(strstr(skiff("get @latest -o json").out, "\"kind\": \"Workflow\""));
    assert_non_null(strstr(skiff("get @latest --status Failed").out, "flaky(0)"));
    assert_null(strstr(skiff("get @latest --status Failed").out, "notify"));
    said_is("list -o name", 0, "steps-x\ndag-y\n", "");
    said_is("list -A -o name", 0, "steps-x\ndag-y\nnew\n", "");
    said_is("list -A --status Failed,Error -o name", 0, "steps-x\n", "");
    said_is("-n team list -o name", 0, "new\n", "");
    said_is("ls --prefix zzz", 0, "No workflows found\n", "");
    said_is("list --prefix zzz -o json", 0, "[]\n", "");
}

static void following_tells_the_outcome(void **state)
{
    struct said s = skiff("watch dag-y");
    assert_int_equal(s.status, 1);
    assert_non_null(strstr(s.out, " extract SUCCEEDED 0.42s\n"));
    assert_non_null(strstr(s.out, " etl FAILED 18.0s: child failed\n"));
    assert_null(strchr(s.out, '\033'));
    s = skiff("watch steps-x"); /* is over: its tree at once */
    assert_int_equal(s.status, 1);
    assert_string_equal(s.out, skiff("get steps-x").out);
    said_is("wait dag-y", 1, "dag-y Running at \n", "");
    said_is("wait steps-x", 1, "steps-x Failed at 2026-11-21T10:01:12Z\n", "");
    said_is("wait nobody", 4, "", NULL);
    said_is("wait nobody --ignore-not-found", 0, "", "");
}

static const char hello[] = "examples-are-not-read.yaml";

static void runs_are_shown_and_judged(void **state)
{
    char file[] = "/tmp/skiff-wf-XXXXXX.yaml";
    int fd = mkstemps(file, 5);
    static const char text[] = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: x-}\n"
                               "spec: {entrypoint: a, templates: [{name: a, container: {image: busybox, command: [\"true\"]}}]}\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    struct said s = skiff(str_fmt(&a, "run %s -p a=1 -p b=x=y", file).p);
    assert_int_equal(s.status, 1);
    assert_string_equal(fake_calls.params, "a=1;b=x=y;");
    assert_non_null(strstr(s.out, " load FAILED 12.3s: exit code 1\n"));
    s = skiff(str_fmt(&a, "run %s -o json", file).p);
    struct val v;
    struct err e = {0};
    assert_true(json_parse(&a, str_of(s.out), NULL, &v, &e)); /* nothing else is on stdout */
    assert_non_null(strstr(s.err, "SUCCEEDED"));
    s = skiff(str_fmt(&a, "run -q %s -o name", file).p);
    assert_string_equal(s.out, "steps-x\n");
    assert_string_equal(s.err, "");
    int submits = fake_calls.submits;
    assert_int_equal(skiff(str_fmt(&a, "run %s --dry-run", file).p).status, 0);
    assert_int_equal(fake_calls.submits, submits);
    said_is("run --resume steps-x", 1, NULL, NULL);
    assert_int_equal(fake_calls.resumes, 1);
    said_is(str_fmt(&a, "run %s", hello).p, 4, "", NULL);
    unlink(file);
}

static void control_verbs_reach_the_service(void **state)
{
    int deletes = fake_calls.deletes;
    said_is("stop steps-x", 0, "workflow steps-x stopped\n", "");
    said_is("terminate dag-y --dry-run", 0, "workflow dag-y terminated (dry-run)\n", "");
    assert_int_equal(fake_calls.terminates, 0);
    said_is("delete steps-x dag-y", 0, "Workflow 'steps-x' deleted\nWorkflow 'dag-y' deleted\n", "");
    assert_int_equal(fake_calls.deletes, deletes + 2);
    said_is("delete steps", 4, "", "error: no workflow 'steps'; delete takes whole names, did you mean 'steps-x'?\n");
    said_is("delete --all --dry-run", 0, "Workflow 'steps-x' deleted (dry-run)\nWorkflow 'dag-y' deleted (dry-run)\n", "");
    assert_int_equal(fake_calls.deletes, deletes + 2);
}

static void sessions_are_listed_and_ended(void **state)
{
    (void)state;
    said_is("session list -o name", 0, "01\n", "");
    assert_non_null(strstr(skiff("session list").out, "01   u-1       ann@example.com"));
    said_is("session delete ann@example.com", 0, "Session of 'ann@example.com' ended\n", "");
    assert_int_equal(skiff("session delete bob").status, err_exit_status(ERR_NOT_FOUND));
    assert_int_equal(skiff("session delete").status, 2);
}

static void tokens_are_made_listed_and_deleted(void **state)
{
    (void)state;
    said_is("token create --name ci", 0, "skt_1_2\n", "it is not shown again: keep it, and send it as Authorization: Bearer TOKEN\n");
    assert_string_equal(fake_calls.token, "{\"name\":\"ci\",\"role\":\"run\",\"namespaces\":[]}");
    said_is("token create --name ci --role view -n a --namespace b -q", 0, "skt_1_2\n", "");
    assert_string_equal(fake_calls.token, "{\"name\":\"ci\",\"role\":\"view\",\"namespaces\":[\"a\",\"b\"]}");
    assert_int_equal(skiff("token create --name ci --expires 90d").status, 0);
    assert_non_null(strstr(fake_calls.token, "\"expires\":\"20"));
    assert_int_equal(skiff("token create").status, 2);
    assert_int_equal(skiff("token create --name ci --expires soon").status, 2);
    assert_int_equal(skiff("token create --name ci --role root").status, 2);
    said_is("token list -o name", 0, "ci\nme\n", "");
    assert_non_null(strstr(skiff("token list").out, "ci     run     a,b"));
    said_is("token delete ci", 0, "Token 'ci' deleted\n", "");
    assert_int_equal(skiff("token delete other").status, err_exit_status(ERR_NOT_FOUND));
}

static void limits_are_changed_and_shown(void **state)
{
    (void)state;
    said_is("sync create gpu --type database --limit 3", 0,
            "Sync limit created\nKey: gpu\nType: database\nNamespace: default\nLimit: 3\n", "");
    assert_string_equal(fake_calls.sync, "0 gpu  3");
    said_is("sync update k --type configmap --cm-name cm --limit 5 -q", 0, "", "");
    assert_string_equal(fake_calls.sync, "1 k cm 5");
    said_is("sync delete gpu --type database", 0, "Sync limit deleted\n", "");
    assert_string_equal(fake_calls.sync, "2 gpu  0");
    said_is("sync get gpu --type database", 0, "Key: gpu\nType: database\nNamespace: default\nLimit: 2\n", "");
    assert_int_equal(skiff("sync get other --type database").status, err_exit_status(ERR_NOT_FOUND));
    assert_int_equal(skiff("sync create gpu --type database").status, 2);
    assert_int_equal(skiff("sync create gpu --limit 1").status, 2);
    assert_int_equal(skiff("sync create gpu --type configmap --limit 1").status, 2);
    assert_int_equal(skiff("sync list gpu --type database").status, 2);
}

static void secrets_go_in_and_stay_in(void **state)
{
    (void)state;
    const char *file = own_file("secret");
    assert_true(file_write_atomic(file, STR("from file\n"), 0600, false, NULL));
    said_is(str_fmt(&a, "secret set s k=@%s", file).p, 0, "Secret/s created\n", "");
    assert_string_equal(fake_calls.words, "2 {\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"namespace\":\"default\"},"
                                          "\"data\":{\"k\":\"ZnJvbSBmaWxlCg==\"}}");
    struct said s = skiff("secret set s k=plain=x");
    assert_int_equal(s.status, 0);
    assert_non_null(strstr(s.err, "warning: a value on the command line"));
    assert_non_null(strstr(fake_calls.words, "cGxhaW49eA=="));
    said_is("secret list", 0, "one\ta,b\n", "");
    said_is("secret delete one", 0, "Secret/one deleted\n", "");
    assert_int_equal(skiff("secret delete two").status, err_exit_status(ERR_NOT_FOUND));
    s = skiff("secret set s hunter2");
    assert_int_equal(s.status, 2);
    assert_null(strstr(s.err, "hunter2"));
    assert_int_equal(skiff("secret set s").status, 2);
    assert_int_equal(skiff("secret set s k=@/tmp/skiff-verbs-test-absent").status, err_exit_status(ERR_NOT_FOUND));
    unlink(file);
}

static void apply_needs_files_and_prunes_by_label(void **state)
{
    (void)state;
    const char *file = own_file("apply.yaml");
    assert_true(file_write_atomic(file, STR("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"), 0600, false, NULL));
    said_is(str_fmt(&a, "apply -f %s", file).p, 0, "ConfigMap/c created\n", "");
    said_is(str_fmt(&a, "apply %s --dry-run", file).p, 0, "ConfigMap/c created (dry run)\n", "");
    assert_true(str_starts(str_of(fake_calls.words), STR("1 ")));
    struct said s = skiff(str_fmt(&a, "apply -f %s --prune -l a=b --dry-run", file).p);
    assert_int_equal(s.status, 0);
    assert_non_null(strstr(s.out, "Secret/one pruned (dry run)\n"));
    assert_int_equal(skiff("apply").status, 2);
    assert_int_equal(skiff(str_fmt(&a, "apply -f %s --prune", file).p).status, 2);
    assert_int_equal(skiff(str_fmt(&a, "apply -f %s --prune --selector=", file).p).status, 2);
    assert_true(file_write_atomic(file, STR("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndatum: {a: b}\n"), 0600, false, NULL));
    assert_int_equal(skiff(str_fmt(&a, "apply -f %s", file).p).status, err_exit_status(ERR_SPEC));
    unlink(file);
}

static void logs_are_merged_and_filtered(void **state)
{
    said_is("logs steps-x", 0,
            "steps-x-say-2: extract begins\nsteps-x-work-1: loading\nsteps-x-say-2: extract ends\n"
            "steps-x-work-1: Traceback: no such table\n", "");
    said_is("logs steps-x load --tail 1 --timestamps", 0,
            "steps-x-work-1: 2026-11-21T10:00:12.000000000Z Traceback: no such table\n", "");
    said_is("logs steps-x --grep ^ext.*s$", 0, "steps-x-say-2: extract begins\nsteps-x-say-2: extract ends\n", "");
    said_is("logs steps-x --since-time 2026-11-21T10:00:05Z", 0, "steps-x-work-1: Traceback: no such table\n", "");
    said_is("logs steps-x --since-time 9999-01-01T00:00:00Z", 0, "", "");
    assert_string_equal(skiff("logs steps-x --since 106751991d").out, skiff("logs steps-x").out); /* before 1970 */
    said_is("logs -l a=b load --tail 1", 0,
            "steps-x-work-1: Traceback: no such table\n", "");
    said_is("logs steps-x nobody", 4, "", NULL);
    said_is("logs -f steps-x -c main", 0, NULL, "");
    assert_non_null(strstr(skiff("logs -f steps-x").out, "steps-x-work-1: loading\n"));
}

static void help_is_made_of_the_tables(void **state)
{
    for (size_t i = 0; i < n_cmds; i++) {
        struct said s = skiff(str_fmt(&a, "%s --help", cmds[i]->name).p);
        assert_int_equal(s.status, 0);
        for (size_t k = 0; k < cmds[i]->n_flags; k++)
            if (cmds[i]->flags[k].doc) assert_non_null(strstr(s.out, cmds[i]->flags[k].name));
        assert_true(!cmds[i]->examples || strstr(s.out, "Examples:") < strstr(s.out, "Flags"));
        assert_non_null(strstr(skiff("help").out, str_fmt(&a, "  %s\n", cmds[i]->summary).p));
        for (size_t k = 0; k < cmds[i]->n_subs; k++)
            assert_non_null(strstr(s.out, str_fmt(&a, "  %s\n", cmds[i]->subs[k]->summary).p));
        /* letters and names are used once */
        for (size_t k = 0; k < cmds[i]->n_flags; k++)
            assert_ptr_equal(cmd_flag(cmds[i], str_of(cmds[i]->flags[k].name)), &cmds[i]->flags[k]);
        for (size_t g = 0; g < n_global_flags; g++)
            assert_ptr_equal(cmd_flag(cmds[i], str_of(global_flags[g].name)), &global_flags[g]);
    }
    assert_non_null(strstr(skiff("help exit-codes").out, "  3  a document is not valid\n"));
    assert_non_null(strstr(skiff("help config").out, "SKIFF_STATE"));
    assert_string_equal(skiff("--help").out, skiff("help").out);
    assert_string_equal(skiff("--version").out, skiff("version").out);
    said_is("help nothing", 2, "", NULL);
}

static void the_log_has_what_is_asked_for(void **state)
{
    (void)state;
    skiff("version --loglevel error");
    assert_true(log_on(LOG_ERROR) && !log_on(LOG_WARN));
    skiff("version --loglevel info");
    assert_true(log_on(LOG_INFO) && !log_on(LOG_DEBUG));
    skiff("version --loglevel error -v");
    assert_true(log_on(LOG_DEBUG));
    log_set_level(LOG_WARN);
}

static void completion_scripts_are_valid_shell(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        struct said s = skiff(str_fmt(&a, "completion %s", shells[i]).p);
        assert_int_equal(s.status, 0);
        assert_non_null(strstr(s.out, "doctor"));
        assert_non_null(strstr(s.out, i == 2 ? "-l follow" : "--follow -f"));
    }
    char file[] = "/tmp/skiff-completion-XXXXXX";
    const char *script = skiff("completion bash").out;
    assert_non_null(strstr(script, "  'list':--output) COMPREPLY="));
    assert_non_null(strstr(script, "  *:--log-format) COMPREPLY=($(compgen -W \"text json\""));
    int fd = mkstemp(file);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("bash", "bash", "-n", file, (char *)NULL);
        _exit(0); /* no bash here: nothing to check */
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    unlink(file);
    said_is("completion tcsh", 2, "", "error: no completion for 'tcsh' (bash, zsh, fish)\n");
}

static void said_calls(const char *line, const char *words)
{
    struct said s = skiff(line);
    if (s.status > 1) fail_msg("skiff %s: status %d: %s", line, s.status, s.err);
    assert_string_equal(fake_calls.words, words);
}

static void steering_passes_on_what_is_asked(void **state)
{
    said_calls("suspend dag-y", "suspend dag-y ");
    said_is("suspend dag-y", 0, "workflow dag-y suspended\n", NULL);
    said_calls("resume dag-y --node-field-selector displayName=approve", "resume dag-y displayName=approve");
    said_is("resume dag-y --dry-run", 0, "workflow dag-y resumed (dry-run)\n", "");
    said_calls("stop dag-y --node-field-selector id=x -m no", "set dag-y id=x|Failed|no");
    said_calls("node set dag-y --node-field-selector phase=Running -p a=1 -p b=2=3 -m hi --phase Succeeded",
               "set dag-y phase=Running|Succeeded|hi a=1 b=2=3");
    said_is("node set dag-y --node-field-selector phase=Running -p a", 2, "", NULL);
    said_is("node reset dag-y", 2, "", NULL);
    said_is("suspend", 2, "", "error: 'suspend' needs names or -l\n");
    said_calls("retry steps-x -p a=1 --restart-successful --node-field-selector name=n", "retry steps-x 1 name=n a=1");
    said_calls("resubmit steps-x --memoized --priority 3", "resubmit steps-x 1 3");
    said_is("retry steps-x -o name", 1, "steps-x\n", NULL);
    said_is("retry steps-x -d", 0, "steps-x\n", "");
    assert_int_equal(fake_calls.left, 1);
    said_is("retry", 2, "", NULL);
    said_is("run --from wftmpl/x y.yaml", 2, "", "error: --from runs what is stored and takes no file\n");
    said_is("submit --from wftmpl/x", 4, "", "error: nothing is stored\n");
    said_is("run --scheduled-time noon x.yaml", 4, "", NULL);
}

static void stored_objects_are_shown_as_argo_does(void **state)
{
    said_is("template list", 0, "NAME\none\n", "");
    said_is("template list -A", 0, "NAMESPACE   NAME\ndefault     one\n", "");
    said_is("template list -l a=b", 0, "No workflow templates found\n", "");
    said_is("cluster-template list -o name", 0, "one\n", "");
    said_is("template get one -o name", 0, "one\n", "");
    said_is("template get two", 4, "", "error: there is none\n");
    struct said s = skiff("cron list");
    assert_non_null(strstr(s.out, "NAME   AGE"));
    assert_non_null(strstr(s.out, "0 1 * * *,@daily   Europe/Berlin   true\n"));
    s = skiff("cron get one");
    assert_non_null(strstr(s.out, "Name:                          one\nNamespace:                     default\nCreated: "));
    assert_non_null(strstr(s.out, "Schedules:                     0 1 * * *,@daily\nSuspended:                     true\n"
                                  "Timezone:                      Europe/Berlin\nWorkflow Parameters:           \n"
                                  "  p:                           v\n"));
    said_is("template delete one", 0, "WorkflowTemplate 'one' deleted\n", "");
    said_is("template delete", 2, "", NULL);
    said_is("cron delete --all --dry-run", 0, "CronWorkflow 'one' deleted (dry-run)\n", "");
    said_is("cron suspend one", 0, "CronWorkflow 'one' suspended\n", "");
    said_is("cron resume one", 0, "CronWorkflow 'one' resumed\n", "");
    said_is("cron", 2, "", "error: 'cron' needs a verb: list, get, create, update, apply, lint, delete, suspend, resume, backfill\n");
    said_is("cron backfill one", 2, "", "error: cron backfill needs --start TIME\n");
    said_is("cron backfill one --start 2026-01-01T00:00:00Z", 0, "There is no suitable scheduling time.\n", "");
    said_is("cron lst", 2, "", NULL);
    assert_non_null(strstr(skiff("help cron get").out, "skiff cron get NAME"));
    assert_non_null(strstr(skiff("cron --help").out, "Verbs:\n  list"));
    assert_non_null(strstr(skiff("-n x cron list --help").out, "skiff cron list"));
}

static void artifacts_are_listed_and_copied(void **state)
{
    char dir[] = "/tmp/skiff-cp-XXXXXX", line[200];
    struct str text;
    struct err e;
    assert_non_null(mkdtemp(dir));
    said_is("artifact list dag-y -o name", 0, "text\n", "");
    assert_non_null(strstr(skiff("artifact list dag-y").out, "say    text       output   file   5      wf-1      wf/wf-1/text.tgz\n"));
    said_is("artifact get dag-y text -", 0, "hello", "");
    said_is("artifact get dag-y other", 4, "", NULL);
    snprintf(line, sizeof line, "cp dag-y %s", dir);
    struct said s = skiff(line);
    const char *path = str_fmt(&a, "%s/default/dag-y/wf-1/outputs/text/text.tgz", dir).p;
    assert_string_equal(s.out, str_fmt(&a, "Created \"%s\"\n", path).p);
    assert_true(file_read(&a, path, 100, &text, &e));
    assert_string_equal(text.p, "hello");
    snprintf(line, sizeof line, "cp dag-y %s --path {artifactName}/{templateName} --node-id wf-1", dir);
    assert_non_null(strstr(skiff(line).out, "/text/echo/text.tgz"));
    snprintf(line, sizeof line, "cp dag-y %s --artifact-name none", dir);
    said_is(line, 0, "", NULL);
    assert_true(dir_remove_tree(dir, NULL));
    said_is("archive list -o name", 0, "steps-x\ndag-y\n", "");
    assert_string_equal(skiff("archive list-label-keys").err, "");
    said_is("archive list-label-values", 2, "", NULL);
    said_is("archive delete steps-x", 0, "Archived workflow 'steps-x' deleted\n", "");
    said_is("archive delete steps", 4, "",
            "error: no workflow 'steps'; archive delete takes whole names, did you mean 'steps-x'?\n");
}

int main(int argc, char **argv)
{
    if (argc > 1) return cli_main(argc, argv, &(struct cli_env){1, 2, NULL});
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(artifacts_are_listed_and_copied),
        cmocka_unit_test(stored_objects_are_shown_as_argo_does),
        cmocka_unit_test(steering_passes_on_what_is_asked),
        cmocka_unit_test(wrong_words_are_exit_2_with_a_hint),
        cmocka_unit_test(only_some_commands_run_steps),
        cmocka_unit_test(readers_print_objects),
        cmocka_unit_test(following_tells_the_outcome),
        cmocka_unit_test(runs_are_shown_and_judged),
        cmocka_unit_test(control_verbs_reach_the_service),
        cmocka_unit_test(tokens_are_made_listed_and_deleted),
        cmocka_unit_test(sessions_are_listed_and_ended),
        cmocka_unit_test(limits_are_changed_and_shown), cmocka_unit_test(secrets_go_in_and_stay_in), cmocka_unit_test(apply_needs_files_and_prunes_by_label),
        cmocka_unit_test(logs_are_merged_and_filtered),
        cmocka_unit_test(help_is_made_of_the_tables),
        cmocka_unit_test(completion_scripts_are_valid_shell),
        cmocka_unit_test(the_log_has_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
