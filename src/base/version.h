/* The one place that states the version. */
#pragma once
#define SKIFF_VERSION "0.1.0"
#define SKIFF_ARGO_BASELINE "v4.1.2"
