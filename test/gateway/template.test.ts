import { test } from "uvu";
import * as assert from "uvu/assert";
import { properties } from "../../src/core/properties.js";
import { checkedTemplate, expandTemplate } from "../../src/gateway/template.js";

const LAMP = properties({ kind: "lamp", floor: 2, addr: ["10.0.0.1", "10.0.0.2"], "txt.a b": "x" });

for (const [template, expected] of [
  ["plain", "plain"],
  [`\${kind}`, "lamp"],
  [`\${kind}-\${floor}`, "lamp-2"],
  [`\${addr}`, "10.0.0.1"],
  [`\${txt.a b}`, "x"],
  [`\${missing}`, undefined],
  [`\${kind}\${missing}`, undefined],
  ["$kind {kind} $", "$kind {kind} $"],
] as const) {
  test(`${template} becomes ${expected}`, () => {
    assert.is(expandTemplate(checkedTemplate(template), LAMP), expected);
  });
}

for (const template of [`\${`, `\${}`, `a\${kind`, `\${kind}\${`]) {
  test(`${template} is refused`, () => {
    assert.throws(() => checkedTemplate(template), /expected \$\{PROPERTY\}/);
  });
}

test.run();
