/** The levels as syslog(3) and sd-daemon(3) number them. */

import type { LogLevel } from "../../core/log.js";

export const SEVERITY: Readonly<Record<LogLevel, number>> = { critical: 2, error: 3, warning: 4, info: 6, debug: 7 };
