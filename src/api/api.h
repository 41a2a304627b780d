/* The engine's HTTP face: Argo's routes and a few of our own, over engine.sock. Each decodes, calls
 * one operation of service.h and encodes. Runs on: the loop thread. */
#pragma once
#include "service/service.h"

struct api;

/* Listens on a Unix socket for as long as the service is the engine. */
struct api *api_serve(struct service *s, const char *socket, struct err *e);
void api_free(struct api *a); /* NULL is fine */
