import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { loadListeners } from "../../../src/config/load-listeners.ts";
import { rowOf } from "../../../src/config/variables.ts";
import { CommandError } from "../../../src/errors.ts";

describe("the addresses that the looking commands need", () => {
  it("are the table's defaults", () => {
    const { PRESTO_ADMIN_LISTEN, PRESTO_CONTROL_LISTEN } = {
      PRESTO_ADMIN_LISTEN: rowOf("PRESTO_ADMIN_LISTEN").fallback,
      PRESTO_CONTROL_LISTEN: rowOf("PRESTO_CONTROL_LISTEN").fallback,
    };
    expect(loadListeners({})).toEqual(loadListeners({ PRESTO_ADMIN_LISTEN, PRESTO_CONTROL_LISTEN }));
    expect(loadListeners({ PRESTO_ADMIN_LISTEN: "" })).toEqual(loadListeners({}));
    expect(loadListeners({}).adminListen).toEqual({ kind: "tcp", host: "127.0.0.1", port: 7381 });
    expect(loadListeners({}).controlListen).toEqual({ kind: "tcp", host: "127.0.0.1", port: 7382 });
  });

  it("are read whatever else is wrong", () => {
    const env = {
      PRESTO_URL: "x",
      PRESTO_TIMEOT: "x",
      SSLKEYLOGFILE: "/x",
      PRESTO_ADMIN_LISTEN: "0.0.0.0:81",
      PRESTO_CONTROL_LISTEN: "off",
    };
    expect(loadListeners(env)).toEqual({
      adminListen: { kind: "tcp", host: "0.0.0.0", port: 81 },
      controlListen: undefined,
    });
  });

  it("are both told when both are wrong, with exit code 78", () => {
    const load = () => loadListeners({ PRESTO_ADMIN_LISTEN: "off", PRESTO_CONTROL_LISTEN: "127.0.0.1:0" });
    expect(load).toThrow(CommandError);
    expect(load).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringMatching(/PRESTO_ADMIN_LISTEN: [\s\S]*PRESTO_CONTROL_LISTEN: port 0/),
      }),
    );
  });

  it("hold no control listener that a sidecar would not open: nobody is told to act on another machine", () => {
    for (const where of ["0.0.0.0:7382", "192.0.2.1:7382", "[::]:7382"]) {
      const load = () => loadListeners({ PRESTO_CONTROL_LISTEN: where });
      expect(load).toThrow(/PRESTO_CONTROL_LISTEN: .* can be reached from elsewhere/);
      expect(load).toThrow(expect.objectContaining({ exitCode: 78 }));
    }
  });

  it("are read without loading envalid, or anything else from outside: a health check starts every few seconds", () => {
    const seen = new Set<string>();
    const visit = (file: URL): void => {
      if (seen.has(file.href)) return;
      seen.add(file.href);
      for (const [, kind, from = ""] of readFileSync(file, "utf8").matchAll(
        /^import (type )?[^;]*?from "([^"]+)";/gm,
      )) {
        if (kind !== undefined) continue;
        if (from.startsWith(".")) visit(new URL(from, file));
        else seen.add(from);
      }
    };
    visit(new URL("../../../src/config/load-listeners.ts", import.meta.url));
    expect(seen.size).toBeGreaterThan(5);
    expect([...seen].filter((name) => !/^file:|^node:/.test(name))).toEqual([]);
  });
});
