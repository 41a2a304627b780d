/* Every size, depth and count that input can reach, in one place. A limit that is passed is
 * ERR_LIMIT with the limit's name and value in the text. Bytes unless said otherwise. */
#pragma once

enum {
    LIMIT_DOC_BYTES = 64 << 20,      /* one YAML or JSON document file */
    LIMIT_DOC_DEPTH = 1000,          /* nesting of YAML and JSON */
    LIMIT_DOC_NODES = 20 << 20,      /* values in one file, aliases expanded */
    LIMIT_NAME_BYTES = 253,          /* metadata.name */
    LIMIT_EXPR_BYTES = 1 << 20,      /* one expression's text */
    LIMIT_EXPR_DEPTH = 200,          /* nesting of an expression */
    LIMIT_EXPR_STEPS = 1000000,      /* evaluation steps of one expression */
    LIMIT_VALUE_BYTES = 16 << 20,    /* one parameter value or substituted text */
    LIMIT_RESULT_BYTES = 256 << 10,  /* outputs.result: the tail that is kept, as Argo */
    LIMIT_SET_CONTAINERS = 1000,     /* containers of one container set */
    LIMIT_POD_CONTAINERS = 100,      /* init containers and sidecars of one pod */
    LIMIT_HOOKS = 32,                /* life cycle hooks of one step, task or workflow */
    LIMIT_LOOP_ITEMS = 1 << 20,      /* items of one withItems, withParam, withSequence */
    LIMIT_TEMPLATE_DEPTH = 100,      /* nested template calls, as Argo */
    LIMIT_ARG_BYTES = 128 << 10,     /* one argv or environment string of a step (MAX_ARG_STRLEN) */
    LIMIT_HTTP_BODY_BYTES = 64 << 20,
    LIMIT_HTTP_HEAD_BYTES = 64 << 10,       /* request line and headers of one request */
    LIMIT_HTTP_HEADERS = 200,               /* header fields of one message */
    LIMIT_HTTP_QUERY_KEYS = 1000,           /* key=value pairs of one query string */
    LIMIT_HTTP_PATH_SEGMENTS = 256,         /* parts between slashes of one request path */
    LIMIT_HTTP_CONNECTIONS = 1024,          /* open connections of one server */
    LIMIT_HTTP_STREAM_BYTES = 16 << 20,     /* queued for one slow reader of a stream */
    LIMIT_HTTP_HEADER_MS = 10000,           /* from connecting to complete headers */
    LIMIT_HTTP_IDLE_MS = 60000,             /* from a reply to the next complete headers */
    LIMIT_HTTP_STALL_MS = 60000,            /* a client that takes nothing of its reply */
    LIMIT_HTTP_BODY_GRACE_MS = 10000,       /* before the minimum rate of a body counts */
    LIMIT_HTTP_BODY_BYTES_PER_S = 4 << 10,  /* the minimum rate of a body after that */
    LIMIT_HTTP_DRAIN_MS = 500,              /* for replies on their way when a server stops */
    LIMIT_HTTP_LINE_BYTES = 64 << 20,       /* one line of a streamed reply, at the client */
    LIMIT_WEB_CONNECT_MS = 30000,           /* a server's answer to a connection attempt, TLS included, as Go */
    LIMIT_WEB_REQUESTS = 10,                /* requests in a row that redirects may lead to, as Go */
    LIMIT_WEB_BODY_BYTES = 64 << 20,        /* body of a reply from elsewhere that is kept in memory */
    LIMIT_WEB_RESULT_BYTES = 1 << 20,       /* reply to an http template: becomes a result */
    LIMIT_WEB_STALL_S = 300,                /* a transfer of a file in which nothing moves */
    LIMIT_FETCHES = 8,                      /* steps of one engine whose files are fetched or sent at once */
    LIMIT_GIT_S = 3600,                     /* one git command */
    LIMIT_GIT_SAID_BYTES = 64 << 10,        /* what is kept of its words */
    LIMIT_RUN_REQUESTS = 16,                /* of one workflow under way at once, as Argo's agent */
    LIMIT_WEB_CONNECTIONS = 128,            /* to servers elsewhere, of one engine; more requests wait */
    LIMIT_CHANNEL_MESSAGES = 1 << 16,       /* waiting in one channel to the loop */
    LIMIT_LOG_LINE_BYTES = 16 << 10, /* a longer log line is split with the CRI "P" mark */
    LIMIT_LOG_JOIN_BYTES = 1 << 20,  /* a shown log line: P records joined, then cut */
    LIMIT_ARCHIVED_LOG_BYTES = 256 << 20, /* a step's log as an artifact; what is more is cut */
    LIMIT_REGEX_STEPS = 1000000,     /* matching steps of a log filter for one line */
    LIMIT_RUN_NODES = 1 << 24,       /* nodes of one run */
    LIMIT_LIST_ROWS = 10000,         /* rows of one page of a list */
    LIMIT_LOCKS = 64,                /* locks that one template, or workflow, asks for */
    LIMIT_CONFIG_MAP_BYTES = 1 << 20, /* all values of a ConfigMap that keeps outputs, as Kubernetes has it */
    LIMIT_CHANGES = 100000,          /* change log rows that are kept */
    LIMIT_STORED_BYTES = 256 << 20,  /* one text or blob in the database */
    LIMIT_CONFIG_BYTES = 1 << 20,    /* one configuration file */
    LIMIT_IMAGE_ROWS = 10000,        /* patterns of one images file */
    LIMIT_SCREEN_COLS = 1000,        /* a wider terminal is drawn this wide */
    LIMIT_SCREEN_ROWS = 500,         /* a taller terminal is drawn this tall */
    LIMIT_SHOWN_BYTES = 1 << 30,     /* text that one command prints at once */
    LIMIT_ARTIFACT_MIB = 1 << 20,         /* one artifact, unpacked: 1 TiB */
    LIMIT_ARTIFACT_ENTRIES = 4 << 20,     /* files and directories of one artifact */
    LIMIT_SWEEP_CONTENTS = 100000,        /* contents looked at in one search for left-overs */
    LIMIT_ARTIFACT_PARTS = 1000,          /* artifacts below a key that are one input */
    LIMIT_ARTIFACT_DEPTH = 256,           /* nesting of directories in one artifact */
    LIMIT_ARTIFACT_RATIO = 250,           /* unpacked bytes per archive byte, beyond the free part */
    LIMIT_ARTIFACT_RATIO_FREE_MIB = 256,  /* unpacked before the ratio counts */
    LIMIT_SUM_VISITS = 20 << 20,          /* nodes visited for the sums that nodes above others show */
    LIMIT_METRIC_NAME_BYTES = 200,        /* name of a metric or of a label */
    LIMIT_METRIC_KEY_BYTES = 8 << 10,     /* name and labels of a series */
    LIMIT_METRIC_BUCKETS = 200,           /* of a histogram */
    LIMIT_METRIC_SERIES = 10000,          /* series of one state directory */
    LIMIT_DIAGS = 1000,              /* diagnostics kept for one run of lint */
    LIMIT_STEP_SPEC_BYTES = 64 << 20,  /* one step description in its wire form */
    LIMIT_STEP_WORD_BYTES = (128 << 10) - 1, /* one argument or NAME=value: what Linux takes (MAX_ARG_STRLEN) */
    LIMIT_STEP_ITEMS = 1 << 16,        /* entries of one list of a step description */
    LIMIT_STEP_PARAM_BYTES = 1 << 20,  /* the file of one output parameter */
    LIMIT_STEP_LAYERS = 64,            /* directories stacked as the root of an image step */
    LIMIT_STEP_TREE_DEPTH = 512,       /* nesting of a directory that is copied or removed */
    LIMIT_SLOT_STEPS = 4096,           /* a slot makes room for a new one then: its journal goes */
    LIMIT_SLOT_JOURNAL_BYTES = 192 << 20, /* of one journal that is read: a last result of any size fits */
    LIMIT_SLOT_FULL_BYTES = 4 << 20,   /* of results in a journal: as LIMIT_SLOT_STEPS */
    LIMIT_STEP_PROGRESS_MS = 200,      /* how often a step's account of its progress is looked at, at most */
    LIMIT_STEP_PROGRESS_BYTES = 4096,  /* of that file, its end */
    LIMIT_STEP_QUIET_MS = 20,          /* a step that ends sooner is not reported as started */
    LIMIT_GRACE_S = 24 * 3600,         /* terminationGracePeriodSeconds */
    LIMIT_STEP_LINGER_S = 24 * 3600,   /* a supervisor without an engine keeps an untaken result */
};
