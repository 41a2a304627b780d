/* System calls without libc: between clone(CLONE_VM) and exec the child shares the supervisor's
 * memory, so it may touch neither errno nor the heap. Results are -errno. Runs on: step children. */
#pragma once
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long raw_call(long nr, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long raw_call(long nr, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#endif

#define RAW5(name, a, b, c, d, e)                                                                  \
    raw_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))
#define RAW4(name, a, b, c, d) RAW5(name, a, b, c, d, 0)
#define RAW3(name, a, b, c) RAW5(name, a, b, c, 0, 0)
#define RAW2(name, a, b) RAW5(name, a, b, 0, 0, 0)
#define RAW1(name, a) RAW5(name, a, 0, 0, 0, 0)
#define RAW0(name) RAW5(name, 0, 0, 0, 0, 0)
