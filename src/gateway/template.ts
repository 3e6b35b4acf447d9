/** Texts with `${property}` in them, which the properties of a service are put into. */

import type { Properties } from "../core/properties.js";

/** The template again. Throws a `RangeError` if a `${` in it is not closed or names nothing. */
export function checkedTemplate(template: string): string {
  if (/\$\{(?:[^}]*$|\})/.test(template)) {
    throw new RangeError(
      `template ${JSON.stringify(template.slice(0, 100))}: expected \${PROPERTY}, with the name inside`,
    );
  }
  return template;
}

/** The text with the first value of each property; `undefined` if the service lacks one of them. */
export function expandTemplate(template: string, properties: Properties): string | undefined {
  let complete = true;
  const text = template.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
    const value = properties.get(name)?.[0];
    if (value === undefined) complete = false;
    return String(value ?? "");
  });
  return complete ? text : undefined;
}
