import { describe, expect, it } from "vitest";

import { createCertificateWatch } from "../../../src/connect/connector.ts";
import { createHandClock } from "../../support/hand-clock.ts";

const dayMs = 24 * 60 * 60_000;

function watch() {
  const clock = createHandClock();
  const warnings: string[] = [];
  const seen: Date[] = [];
  const see = createCertificateWatch({
    host: "presto.example",
    clock,
    emit(event) {
      if (event.type === "warning") warnings.push(event.message);
      else seen.push(event.validTo);
    },
  });
  return { clock, warnings, seen, see: (days: number) => see(new Date(clock.now() + days * dayMs)) };
}

describe("the end of Presto's certificate", () => {
  it("is told each time, and warned of from 21 days on", () => {
    const { warnings, seen, see } = watch();
    see(22);
    see(21.01);
    expect(warnings).toEqual([]);
    see(21);
    expect(warnings).toEqual([
      "The certificate of presto.example ends in 21 days, at 2026-12-15T00:00:00.000Z. Ask for its renewal: from then on nothing is sent.",
    ]);
    expect(seen).toHaveLength(3);
  });

  it("is warned of once a day", async () => {
    const { clock, warnings, see } = watch();
    see(3.5);
    await clock.advance(dayMs - 1);
    see(2.5);
    expect(warnings).toHaveLength(1);
    await clock.advance(1);
    see(2.5);
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/ends in 2 days/);
  });

  it("that could not be read warns of nothing", () => {
    const { warnings, see } = watch();
    see(Number.NaN);
    expect(warnings).toEqual([]);
  });
});
