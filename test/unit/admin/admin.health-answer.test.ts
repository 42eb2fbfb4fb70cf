import { describe, expect, it } from "vitest";

import { healthAnswer } from "../../../src/admin/admin.ts";
import type { Latch } from "../../../src/admin/readiness.ts";

const open: Latch = { name: "started", advisory: false, closed: false };
const closed: Latch = { name: "token", advisory: false, closed: true, reason: "The file is empty." };

const warning: Latch = { name: "alarm", advisory: true, closed: true, reason: "Two issue." };

describe("a health answer", () => {
  it("is 200 ok when no latch is closed", () => {
    expect(healthAnswer("readyz", [open], false)).toEqual({ status: 200, body: "ok\n" });
    expect(healthAnswer("livez", [], false)).toEqual({ status: 200, body: "ok\n" });
  });

  it("is 503 with the closed latches, one a line", () => {
    const draining: Latch = { name: "draining", advisory: false, closed: true, reason: "Asked to." };
    expect(healthAnswer("readyz", [open, closed, draining], false)).toEqual({
      status: 503,
      body: "token: The file is empty.\ndraining: Asked to.\n",
    });
  });

  it("lists all of them when verbose, as the Kubernetes API server does", () => {
    expect(healthAnswer("readyz", [open, closed], true)).toEqual({
      status: 503,
      body: "[+]started ok\n[-]token: The file is empty.\nreadyz check failed\n",
    });
    expect(healthAnswer("startupz", [open], true)).toEqual({
      status: 200,
      body: "[+]started ok\nstartupz check passed\n",
    });
  });

  it("is 200 ok also while an advisory latch is closed, which only the verbose form names", () => {
    expect(healthAnswer("readyz", [open, warning], false)).toEqual({ status: 200, body: "ok\n" });
    expect(healthAnswer("readyz", [open, warning], true)).toEqual({
      status: 200,
      body: "[+]started ok\n[!]alarm: Two issue.\nreadyz check passed\n",
    });
    expect(healthAnswer("readyz", [closed, warning], false)).toEqual({
      status: 503,
      body: "token: The file is empty.\n",
    });
    expect(healthAnswer("readyz", [{ name: "alarm", advisory: true, closed: false }], true).body).toBe(
      "[+]alarm ok\nreadyz check passed\n",
    );
  });

  it("keeps a reason of several lines in one", () => {
    const reason = "one\r\n[+]token ok\ntwo";
    expect(
      healthAnswer("readyz", [{ name: "token", advisory: false, closed: true, reason }], false)
        .body.trim()
        .split("\n"),
    ).toHaveLength(1);
  });
});
