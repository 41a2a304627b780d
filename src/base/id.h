/* Identifiers of the Argo world. Pure: randomness comes in. */
#pragma once
#include "base/str.h"

/* FNV-1a, 32 bits: what Argo derives node ids and pod names from (types.go NodeID). */
uint32_t fnv1a32(struct str s);

/* Node id: the workflow's name for the root node, else "<workflow>-<fnv decimal>". */
struct str node_id(struct arena *a, struct str workflow, struct str node_name);

/* Pod name v2 (util/pod_name.go): "<workflow>-<template>-<fnv>", prefix cut to 242 bytes; for the
 * root node the workflow's name. */
struct str pod_name(struct arena *a, struct str workflow, struct str template_name,
                    struct str node_name);

/* RFC 4122 version 4 text from 16 random bytes. */
struct str uuid_text(struct arena *a, const uint8_t random[16]);

/* Kubernetes' generateName suffix: 5 letters of its own alphabet. */
struct str name_suffix(struct arena *a, uint64_t random);
