import { describe, expect, it } from "vitest";

import { checkSidecar, refusedCredentials } from "../../../src/doctor/check-sidecar.ts";

const open = { closed: false, reason: null, advisory: false };
const closed = (reason: string, advisory = true): object => ({ closed: true, reason, advisory });
const said = (ready: boolean, latches: object, more: object = {}) =>
  ({ kind: "done", value: { ready, latches, ...more } }) as const;

describe("what the doctor makes of a sidecar that runs here", () => {
  it("is nothing where none answers", () => {
    for (const status of [{ kind: "failed", error: new Error("x") }, { kind: "late" }] as const) {
      expect(checkSidecar(status).result).toBe("SKIP");
      expect(refusedCredentials(status)).toBeUndefined();
    }
  });

  it("is well where it is ready and warns of nothing", () => {
    expect(checkSidecar(said(true, { started: open, token: open })).result).toBe("OK");
  });

  it("is a warning for each light, with its mend", () => {
    const found = checkSidecar(
      said(true, { token: open, "token-refused": closed("A 401"), "open-outcomes": closed("2 calls.") }),
    );
    expect(found).toMatchObject({
      result: "WARN",
      detail: "One runs here, and is ready, and warns: token-refused: A 401. open-outcomes: 2 calls.",
      mend: expect.stringMatching(/presto-sidecar token renew .* List them: presto-sidecar outcomes\.$/),
    });
  });

  it.each(["credentials-refused", "alarm"])(
    "is a failure where %s is lit, which only a person ends",
    (name) => {
      expect(checkSidecar(said(true, { [name]: closed("No.") }))).toMatchObject({
        result: "FAIL",
        meaning: "refused",
      });
    },
  );

  it("says that it is not ready, and why", () => {
    expect(checkSidecar(said(false, { token: closed("None yet.", false) }))).toMatchObject({
      result: "WARN",
      detail: "One runs here, and is not ready: token: None yet.",
    });
  });

  it("takes nothing from a socket as it came", () => {
    const found = checkSidecar(said(true, { "a\u001B[2Jb": closed("x\u001B[31m\ny") }));
    expect(found.detail).not.toMatch(/\p{Cc}/u);
  });

  it("tells why the credentials are refused, where that is said", () => {
    const renewal = { credentials_refused: "Presto refused the password" };
    expect(refusedCredentials(said(true, {}, { renewal }))).toBe("Presto refused the password.");
    expect(refusedCredentials(said(true, {}, { renewal: { credentials_refused: null } }))).toBeUndefined();
    expect(refusedCredentials(said(true, {}, { renewal: null }))).toBeUndefined();
  });
});
