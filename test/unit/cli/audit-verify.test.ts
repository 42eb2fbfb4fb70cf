import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { formatHead } from "../../../src/audit/line.ts";
import { openAudit } from "../../../src/audit/open.ts";
import { systemClock } from "../../../src/clock.ts";
import { runHere as run } from "../../support/command-io.ts";

let folder: string;
let path: string;
let head: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "audit-verify-"));
  path = join(folder, "audit.jsonl");
  const record = await openAudit(
    {
      place: { kind: "file", path, mode: 0o600 },
      whenUnavailable: "refuse",
      writer: "sidecar",
      lockWaitMs: 0,
    },
    { clock: systemClock, emit() {}, stream: () => process.stdout, onFound() {} },
  );
  for (let line = 0; line < 5; line += 1) record.note({ type: "test", line });
  await record.close(5_000);
  head = formatHead(record.report().head);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("audit verify", () => {
  it("ends with 65 for what has no end, at once, and for what has no line", async () => {
    writeFileSync(path, Buffer.alloc(20 * 1024 * 1024));
    for (const none of ["/dev/zero", folder, path]) {
      const { code, err } = await run(["audit", "verify", none]);
      expect({ none, code, err }).toEqual({
        none,
        code: 65,
        err: expect.stringContaining(`${none} is no record`),
      });
    }
  });

  it("ends with 0 for a record that is whole, and says what it can't show without the head", async () => {
    const without = await run(["audit", "verify", path]);
    expect(without).toMatchObject({ code: 0, err: "" });
    expect(without.out).toMatch(/is whole: 6 lines in 1 file, seq 1 to 6\. Its head is 6:/);
    expect(without.out).toMatch(/nobody can see whether the end was cut off/);
    const withHead = await run(["audit", "verify", "--head", head, path]);
    expect(withHead).toMatchObject({ code: 0, err: "" });
    expect(withHead.out).not.toMatch(/nobody can see/);
  });

  it("ends with 65 and the first line that is wrong, for people and for machines", async () => {
    writeFileSync(path, readFileSync(path, "utf8").replace('"line":2', '"line":3'));
    const people = await run(["audit", "verify", path]);
    expect(people).toMatchObject({ code: 65, out: "" });
    expect(people.err).toMatch(/Line 4 of .*audit\.jsonl \(seq 4\) was altered/);
    const machines = await run(["audit", "verify", "--json", path]);
    expect(machines.code).toBe(65);
    expect(JSON.parse(machines.out)).toMatchObject({
      ok: false,
      fault: { kind: "altered", file: path, line: 4, seq: 4 },
    });
  });

  it("finds an end that was cut, where the head is known", async () => {
    const lines = readFileSync(path, "utf8").split("\n").slice(0, -2);
    writeFileSync(path, `${lines.join("\n")}\n`);
    expect((await run(["audit", "verify", path])).code).toBe(0);
    const found = await run(["audit", "verify", "--head", head, path]);
    expect(found).toMatchObject({ code: 65 });
    expect(found.err).toMatch(
      /was cut, or a newer file is missing: it ends with seq 5, and the head that was given is of seq 6/,
    );
  });

  it("asks for files, and for a head as it is shown", async () => {
    expect(await run(["audit", "verify"])).toMatchObject({
      code: 64,
      err: expect.stringMatching(/needs FILE/),
    });
    expect(await run(["audit", "verify", "--head", "7", path])).toMatchObject({
      code: 64,
      err: expect.stringMatching(/not SEQ:HASH/),
    });
    expect(await run(["audit", "verify", join(folder, "none")])).toMatchObject({
      code: 71,
      err: expect.stringMatching(/none can't be read \(ENOENT\)/),
    });
  });
});
