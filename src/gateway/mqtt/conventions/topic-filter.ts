/** MQTT topic filters. */

/** MQTT 4.7: `+` is one level, `#` is all that follow and the level above; topics that begin with `$` match neither. */
export function matchesFilter(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const wanted = filter.split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && wanted[0] !== levels[0]) return false;
  for (const [at, level] of wanted.entries()) {
    if (level === "#") return true;
    if (at >= levels.length || (level !== "+" && level !== levels[at])) return false;
  }
  return wanted.length === levels.length;
}
