import { afterEach, beforeEach, expect, it } from "vitest";

import { createIssuingCommands, type IssuingCommands } from "../support/issuing-commands.ts";

// An account whose issue answers can't be read: each attempt leaves an intent, and its token is lost. A person
// who has had a token made elsewhere must be able to put it in.

const intent = {
  id: "an-id",
  holder: "ghost",
  soleCall: true,
  reason: "scheduled",
  at: new Date(0),
} as const;

let commands: IssuingCommands;

beforeEach(async () => {
  commands = await createIssuingCommands();
  await commands.run(["token", "import"], commands.sandbox.token);
  await commands.change({ intent, stopped: null });
});
afterEach(() => commands.close());

it("a token that Presto accepts is stored over an intent, which stays without its proof", async () => {
  commands.sandbox.mintToken({ name: "made by hand" });
  const { code, out } = await commands.run(["token", "import"], commands.sandbox.token);
  expect([code, out]).toEqual([0, expect.stringContaining("Presto accepts it.")]);
  const record = await commands.stored();
  expect(record).toMatchObject({ generation: 2, intent: { id: "an-id", soleCall: false } });
  expect(record?.token?.reveal()).toBe(commands.sandbox.token);
});

it("one that Presto refuses is not, nor one of which nothing is known", async () => {
  const dead = commands.sandbox.token;
  commands.sandbox.mintToken({ name: "made by hand" });
  expect((await commands.run(["token", "import"], dead)).code).toBe(75);
  commands.sandbox.setFault({ kind: "html", status: 503 });
  expect((await commands.run(["token", "import"], commands.sandbox.token)).code).toBe(75);
  expect(await commands.stored()).toMatchObject({ generation: 1, intent });
});
