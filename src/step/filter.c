/* Builds and loads the seccomp filter by hand from syscalls.def: the architecture is checked, then
 * one comparison a row. The kernel remembers which calls always pass, so the length costs nothing
 * in calls that are not listed. */
#include "step/filter_p.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif
#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#error "the system call filter does not know this processor"
#endif

enum rule_kind { RULE_ALWAYS, RULE_MASK };

struct rule {
    int call;
    enum rule_kind kind;
    unsigned arg;
    uint32_t mask, value;
    int error;
};

static const struct rule rules[] = {
#define DENY(call, error, doc) {__NR_##call, RULE_ALWAYS, 0, 0, 0, error},
#define DENY_ARG(call, arg, mask, value, error, doc) {__NR_##call, RULE_MASK, arg, mask, value, error},
#include "step/syscalls.def"
#undef DENY
#undef DENY_ARG
};

struct program {
    struct sock_filter *at, *end;
};

static void emit(struct program *p, struct sock_filter f)
{
    ASSERT(p->at < p->end);
    *p->at++ = f;
}

static void emit_load(struct program *p, size_t offset)
{
    emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void emit_return(struct program *p, uint32_t action)
{
    emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* A holds the call's number before and after each rule. */
static void emit_rule(struct program *p, const struct rule *r)
{
    uint32_t refuse = SECCOMP_RET_ERRNO | ((uint32_t)r->error & SECCOMP_RET_DATA);
    uint8_t length = r->kind == RULE_ALWAYS ? 1 : 5;
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->call, 0, length));
    if (r->kind == RULE_ALWAYS) {
        emit_return(p, refuse);
        return;
    }
    emit_load(p, offsetof(struct seccomp_data, args) + 8 * r->arg); /* the low word: little-endian */
    emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, r->mask));
    emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1));
    emit_return(p, refuse);
    emit_load(p, offsetof(struct seccomp_data, nr));
}

size_t filter_build(struct sock_filter *out, size_t max)
{
    struct program p = {out, out + max};
    emit_load(&p, offsetof(struct seccomp_data, arch));
    emit(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0));
    emit_return(&p, SECCOMP_RET_ERRNO | ENOSYS); /* 32-bit calls have other numbers */
    emit_load(&p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    emit(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1)); /* x32 */
    emit_return(&p, SECCOMP_RET_ERRNO | ENOSYS);
#endif
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) emit_rule(&p, &rules[i]);
    emit_return(&p, SECCOMP_RET_ALLOW);
    return (size_t)(p.at - out);
}

bool filter_load(struct err *e)
{
    struct sock_filter code[8 + 6 * ARRAY_LEN(rules)];
    struct sock_fprog program = {.len = (unsigned short)filter_build(code, ARRAY_LEN(code)), .filter = code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return err_sys(e, "system call filter");
    return true;
}
