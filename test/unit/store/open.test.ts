import { describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { Secret } from "../../../src/secret.ts";
import { openStore, parsePlace } from "../../../src/store/open.ts";
import { newKey } from "./records.ts";

describe("open store", () => {
  it("makes the adapter that was asked for", async () => {
    const secrets = {
      token: { kind: "value", secret: new Secret("abc") },
      keys: { kind: "value", secret: new Secret(newKey()) },
    } as const;
    const [envStore, fileStore] = await Promise.all(
      ["env:", "file:/no/such/folder/record"].map((address) =>
        openStore({ ...parsePlace(address), ...secrets }, { clock: systemClock }),
      ),
    );
    expect(envStore?.kind).toBe("env");
    expect((await envStore?.read())?.record.token?.reveal()).toBe("abc");
    expect(fileStore?.kind).toBe("file");
    expect(await fileStore?.read()).toBeUndefined();
  });
});
