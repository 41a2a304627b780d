/* Telling a service manager how a service is (systemd's sd_notify(3) without its library): a datagram to the socket that $NOTIFY_SOCKET names.
 * Runs on: the main thread. */
#pragma once
#include "base/err.h"

/* `text`: lines such as READY=1. Nothing happens where there is no manager; true: it was told. */
bool notify_manager(const char *text);
/* How often WATCHDOG=1 is expected at least ($WATCHDOG_USEC); 0: never. */
int64_t notify_watchdog_us(void);
