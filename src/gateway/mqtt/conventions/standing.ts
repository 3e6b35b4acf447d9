/** Whether a device is there, by what its announcements say of that. */

/**
 * What an announcement says of its device's being there: its presence says `up` or `down`; there is no presence, so it is
 * `assumed`, or this is `unsettled` while the broker may still replay one; or it was `silent` for too long.
 */
export type Standing = "up" | "down" | "assumed" | "unsettled" | "silent";

/**
 * Those that describe a device that is there; none if it is not. One presence that says so is enough; where one says that it
 * is not, those that merely assume it do not count. Nobody is shown on an assumption that is about to be settled.
 */
export function describing<Member extends { readonly standing: Standing }>(
  members: readonly Member[],
  isShown: boolean,
): Member[] {
  const has = (wanted: Standing) => members.some(({ standing }) => standing === wanted);
  if (!has("up") && (has("down") || !has("assumed") || (!isShown && has("unsettled")))) return [];
  return members.filter(({ standing }) => standing !== "down" && standing !== "unsettled");
}
