/* Writes when it was executed (nanoseconds of the clock) to a file: what `date` does, without a process more.
 *
 *   when FILE [OTHER BYTES]      fails unless OTHER has so many bytes */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

int main(int argc, char **argv)
{
    struct timespec t;
    struct stat st;
    clock_gettime(CLOCK_REALTIME, &t);
    FILE *f = argc > 1 ? fopen(argv[1], "w") : NULL;
    if (!f || fprintf(f, "%lld%09ld\n", (long long)t.tv_sec, t.tv_nsec) < 0 || fclose(f) != 0) return 2;
    return argc == 4 && (stat(argv[2], &st) != 0 || st.st_size != atoll(argv[3]));
}
