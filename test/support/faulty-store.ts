import { expect } from "vitest";

import { issuePath } from "./issuing-bench.ts";
import type { IssuingBench } from "./issuing-bench.ts";
import type { IssuingProgram } from "./issuing-program.ts";
import { eventually } from "./sidecar-load.ts";

/** A renewal that Presto has executed and whose answer is kept back: the intent is written, the token is not. */
export async function renewalHeld(bench: IssuingBench, sidecar: IssuingProgram): Promise<{ answer(): void }> {
  const before = bench.issues();
  const hold = bench.sandbox.setFault({ kind: "hold", acts: true, path: issuePath, times: 1 });
  sidecar.renew("?wait=1ms").catch(() => {});
  await eventually(bench.issues).toBe(before + 1);
  await sidecar.renewalSays({ state: "issuing" });
  return { answer: hold.remove };
}

/** Lines of the log that an operator should read. */
export function warnings(sidecar: IssuingProgram): string {
  const lines = sidecar.lines().filter(({ level }) => level === "warn" || level === "error");
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

/** Nothing was asked for, the reason is told, and the token goes on serving. */
export async function nothingBegun(
  bench: IssuingBench,
  sidecar: IssuingProgram,
  reason: RegExp,
): Promise<void> {
  const before = bench.issues();
  const reply = await sidecar.renew();
  expect(reply).toMatchObject({ status: 503, body: { code: "unreachable" } });
  expect(bench.issues()).toBe(before);
  await sidecar.renewalSays({
    state: "idle",
    last_end: { kind: "unreachable", detail: expect.stringMatching(/store|record|lock file/) },
  });
  expect(warnings(sidecar)).toMatch(reason);
  expect((await sidecar.call()).status).toBe(200);
}
