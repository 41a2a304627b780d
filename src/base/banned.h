/* Functions that have no safe use in this tree. Using one is a compile error. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets localtime gmtime popen tmpnam
