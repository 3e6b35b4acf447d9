import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseQuery } from "../../../../src/gateway/mqtt/native/query.js";

const query = (text: string | Buffer, hasResponseTopic = false) => parseQuery(Buffer.from(text), hasResponseTopic);

for (const [text, number, max] of [
  ["7;3;(&(k=lamp)(room=kitchen))", "7", 3],
  ["0;1;(a=*)", "0", 1],
  ["4294967295;8;(a=*)", "4294967295", 8],
  ["7;0;(a=*)", "7", 1],
  ["7;9;(a=*)", "7", 8],
  ["7;999;(a=*)", "7", 8],
  ["7;3;(a=x;y)", "7", 3],
] as const) {
  test(`D.4: ${text}`, () => {
    const read = query(text);
    assert.is(read?.number, number);
    assert.is(read?.max, max);
    assert.ok(read?.filter);
  });
}

for (const text of ["3;(k=lamp)", "7;3;(k=lamp)"]) {
  test(`D.4: with a response topic there is no number: ${text}`, () => {
    const read = query(text, true);
    assert.is(read?.number, "");
    assert.is(read?.max, 3);
    assert.ok(read?.filter);
  });
}

for (const [what, filter, good] of [
  ["150 bytes", `(a=${"x".repeat(146)})`, true],
  ["151 bytes", `(a=${"x".repeat(147)})`, false],
  ["150 bytes, fewer characters", `(a=${"€".repeat(48)}xx)`, true],
  ["151 bytes, fewer characters", `(a=${"€".repeat(49)})`, false],
  ["4 levels", "(!(!(!(a=1))))", true],
  ["5 levels", "(!(!(!(!(a=1)))))", false],
  ["4 levels of both", "(&(|(&(a=1)(b=2))(c=3))(d=4))", true],
  ["5 levels of both", "(&(|(&(|(a=1)(b=2))(b=2))(c=3))(d=4))", false],
  ["no filter", "", false],
  ["no brackets", "k=lamp", false],
  ["text behind", "(k=lamp)x", false],
  ["a bare operator", "(>5)", false],
] as const) {
  test(`D.4: the filter has ${what}: ${good ? "answered" : "!filter"}`, () => {
    const read = query(`7;3;${filter}`);
    assert.ok(read);
    assert.is(read.filter !== undefined, good);
  });
}

for (const [what, payload] of [
  ["empty", ""],
  ["no fields", "hello"],
  ["no number", "3;(k=lamp)"],
  ["a number that is none", "x;3;(k=lamp)"],
  ["a long number", "12345678901;3;(k=lamp)"],
  ["no maximum", "7;(k=lamp)"],
  ["a negative maximum", "7;-1;(k=lamp)"],
  ["too long", `7;3;${"x".repeat(190)}`],
  ["bytes", Buffer.from([0, 255, 254, 59, 59])],
] as const) {
  test(`cannot even be answered: ${what}`, () => {
    assert.is(query(payload), undefined);
  });
}

test.run();
