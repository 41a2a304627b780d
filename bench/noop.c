/* The least that can be executed: no library, no loader. What it takes to run it is what the caller adds. */
#include <sys/syscall.h>

void _start(void);
void _start(void)
{
#if defined(__x86_64__)
    __asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0));
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_exit;
    register long x0 __asm__("x0") = 0;
    __asm__ volatile("svc 0" : : "r"(x8), "r"(x0));
#endif
    __builtin_unreachable();
}
