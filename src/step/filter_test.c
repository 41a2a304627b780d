/* The filter's verdicts, against lists of its own: what is missing from syscalls.def shows here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "step/filter_p.h"

enum { CALLS_MAX = 600 };

static struct sock_filter code[1000];
static size_t n_code;

static uint32_t run(const struct seccomp_data *d)
{
    uint32_t acc = 0;
    for (size_t pc = 0; pc < n_code; pc++) {
        const struct sock_filter *f = &code[pc];
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS: memcpy(&acc, (const char *)d + f->k, 4); break;
        case BPF_ALU | BPF_AND | BPF_K: acc &= f->k; break;
        case BPF_JMP | BPF_JEQ | BPF_K: pc += acc == f->k ? f->jt : f->jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: pc += acc >= f->k ? f->jt : f->jf; break;
        case BPF_RET | BPF_K: return f->k;
        default: fail_msg("unexpected instruction %x", f->code);
        }
    }
    fail_msg("no verdict");
    return 0;
}

/* errno of a refusal; 0: allowed. */
static int verdict(int nr, uint64_t arg0, uint64_t arg1)
{
    struct seccomp_data d = {.nr = nr, .arch = code[1].k, .args = {arg0, arg1}};
    uint32_t v = run(&d);
    if (v == SECCOMP_RET_ALLOW) return 0;
    assert_int_equal(v & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO);
    d.arch = AUDIT_ARCH_I386;
    assert_int_equal(run(&d), SECCOMP_RET_ERRNO | ENOSYS);
    return (int)(v & SECCOMP_RET_DATA);
}

static int setup(void **state)
{
    (void)state;
    n_code = filter_build(code, ARRAY_LEN(code));
    return 0;
}

static void some_calls_are_never_allowed(void **state)
{
    static const int refused[] = {
        SYS_keyctl, SYS_add_key, SYS_request_key, SYS_bpf, SYS_userfaultfd, SYS_perf_event_open, SYS_io_uring_setup, SYS_io_uring_enter,
        SYS_io_uring_register, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_kcmp, SYS_open_by_handle_at,
        SYS_name_to_handle_at, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_init_module, SYS_finit_module, SYS_delete_module,
        SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_quotactl_fd, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime,
        SYS_adjtimex, SYS_syslog, SYS_vhangup, SYS_lookup_dcookie, SYS_fanotify_init, SYS_move_pages, SYS_migrate_pages,
#ifdef __x86_64__
        SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
    };
    static const int absent[] = {
        SYS_clone3,
#ifdef __x86_64__
        SYS_uselib, SYS_ustat, SYS__sysctl,
#endif
    };
    int want[CALLS_MAX] = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) want[refused[i]] = EPERM;
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) want[absent[i]] = ENOSYS;
    for (int nr = 0; nr < CALLS_MAX; nr++) { /* arguments that no row about arguments names */
        int got = verdict(nr, 0x70000, nr == SYS_setns ? CLONE_NEWNET : 0x70000);
        if (got != want[nr]) fail_msg("call %d: %d, not %d", nr, got, want[nr]);
    }
}

static void some_arguments_are_refused(void **state)
{
    static const struct { int nr; uint64_t arg0, arg1; int want; } rows[] = {
        {SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, EPERM},
        {SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0},
        {SYS_clone, 0xffffffff00000000 | CLONE_NEWUSER, 0, EPERM},
        {SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS, 0, EPERM},
        {SYS_unshare, CLONE_NEWNS, 0, 0},
        {SYS_setns, 3, 0, EPERM},
        {SYS_setns, 3, CLONE_NEWNET, 0},
        {SYS_setns, 3, CLONE_NEWNS, 0},
        {SYS_setns, 3, CLONE_NEWUSER, EPERM},
        {SYS_setns, 3, CLONE_NEWPID | CLONE_NEWNS, EPERM},
        {SYS_setns, 3, CLONE_NEWIPC, EPERM},
        {SYS_setns, 3, CLONE_NEWUTS, EPERM},
        {SYS_setns, 3, CLONE_NEWCGROUP, EPERM},
        {SYS_setns, 3, CLONE_NEWTIME, EPERM},
        {SYS_ptrace, PTRACE_TRACEME, 0, 0},
        {SYS_ptrace, PTRACE_ATTACH, 0, EPERM},
        {SYS_ptrace, PTRACE_SEIZE, 0, EPERM},
        {SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */, 0, EPERM},
        {SYS_personality, 0x0440000 /* and ADDR_NO_RANDOMIZE: what debuggers set */, 0, 0},
        {SYS_ioctl, 0, 0x5412 /* TIOCSTI */, EPERM},
        {SYS_ioctl, 0, 0xf00005412, EPERM},
        {SYS_ioctl, 0, 0x541c /* TIOCLINUX */, EPERM},
        {SYS_ioctl, 0, 0x5423 /* TIOCSETD */, EPERM},
        {SYS_ioctl, 0, 0x5413 /* TIOCGWINSZ */, 0},
        {SYS_socket, 40 /* AF_VSOCK */, 0, EPERM},
        {SYS_socket, 38 /* AF_ALG */, 0, EPERM},
        {SYS_socket, 15 /* AF_KEY */, 0, EPERM},
        {SYS_socket, 2 /* AF_INET */, 0, 0},
        /* the supervisor is process 1 */
        {SYS_prlimit64, 1, RLIMIT_NOFILE, EPERM},
        {SYS_prlimit64, 0x100000001, RLIMIT_NOFILE, EPERM},
        {SYS_prlimit64, 0, RLIMIT_NOFILE, 0},
        {SYS_prlimit64, 2, RLIMIT_NOFILE, 0},
        {SYS_sched_setaffinity, 1, 8, EPERM},
        {SYS_sched_setaffinity, 0, 8, 0},
        {SYS_sched_setattr, 1, 0, EPERM},
        {SYS_sched_setattr, 0, 0, 0},
        {SYS_sched_setparam, 1, 0, EPERM},
        {SYS_sched_setparam, 5, 0, 0},
        {SYS_sched_setscheduler, 1, 0, EPERM},
        {SYS_sched_setscheduler, 0, 0, 0},
        {SYS_setpriority, PRIO_PROCESS, 1, EPERM},
        {SYS_setpriority, PRIO_PGRP, 1, EPERM},
        {SYS_setpriority, PRIO_USER, 0, EPERM},
        {SYS_setpriority, PRIO_PROCESS, 0, 0},
        {SYS_setpriority, PRIO_PGRP, 7, 0},
        {SYS_ioprio_set, 1, 1, EPERM},
        {SYS_ioprio_set, 2, 1, EPERM},
        {SYS_ioprio_set, 3, 0, EPERM},
        {SYS_ioprio_set, 1, 0, 0},
        {SYS_read, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int got = verdict(rows[i].nr, rows[i].arg0, rows[i].arg1);
        if (got != rows[i].want) fail_msg("row %zu: %d", i, got);
    }
}

static void other_numbers_are_refused(void **state)
{
    (void)state;
#ifdef __x86_64__
    struct seccomp_data x32 = {.nr = 0x40000000, .arch = code[1].k};
    assert_int_equal(run(&x32), SECCOMP_RET_ERRNO | ENOSYS);
#endif
    struct seccomp_data narrow = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};
    assert_int_equal(run(&narrow), SECCOMP_RET_ERRNO | ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_calls_are_never_allowed),
        cmocka_unit_test(some_arguments_are_refused),
        cmocka_unit_test(other_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
