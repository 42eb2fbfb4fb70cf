import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { describe, expect, it, onTestFinished } from "vitest";

import { openTrustAnchors } from "../../../src/connect/trust.ts";
import { createAuthority } from "../../../src/sandbox/certificates.ts";

const { certPem: one } = await createAuthority({ name: "One CA" });
const { certPem: other } = await createAuthority({ name: "Another CA" });

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "presto-trust-file-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function fileWith(content: string): string {
  const path = join(createFolder(), "ca.pem");
  writeFileSync(path, content);
  return path;
}

/** What is wrong with a CA file; undefined if nothing. */
async function faultOf(caFile: string): Promise<unknown> {
  const [opened] = await Promise.allSettled([openTrustAnchors({ caFile, caOnly: true })]);
  return opened.status === "fulfilled" ? undefined : opened.reason;
}

const cut = (pem: string, share: number): string => pem.slice(0, Math.floor(pem.length * share));
const withoutLine = (pem: string, index: number): string => pem.split("\n").toSpliced(index, 1).join("\n");
const lines = one.trim().split("\n").length;

describe("a CA file", () => {
  it.each([
    ["one certificate", one],
    ["two", one + other],
    [
      "text around them, and lines that end as on Windows",
      `# One\n${one}\n\n# ---- Other\r\n${other.replaceAll("\n", "\r\n")}# end`,
    ],
    ["a byte order mark", `\uFEFF${one}`],
    ["blocks of other kinds", `${one}-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n`],
    ["no line end", one.trimEnd()],
  ])("may hold %s", async (_what, content) => {
    expect(await faultOf(fileWith(content))).toBeUndefined();
  });

  it.each([
    ["half of a second certificate", one + cut(other, 0.5)],
    ["half of a first one", cut(other, 0.5) + one],
    ["a second one without its end", one + other.replace(/-----END.*\n/, "")],
    ["a second one without its beginning", one + other.replace(/-----BEGIN.*\n/, "")],
    ["a second one that ends in its first line", `${one}-----BEGIN CERTI`],
    ["a second one that ends in its last line", one + cut(other.trimEnd(), 0.99)],
    ["a line that was lost", one + withoutLine(other, Math.floor(lines / 2))],
  ])("with %s is refused as a whole", async (_what, content) => {
    expect(await faultOf(fileWith(content))).toMatchObject({
      code: "configuration",
      message: expect.stringMatching(/^PRESTO_CA_FILE: .*(does not begin or does not end|can't be parsed)/),
    });
  });

  it("cut at any byte is refused, or holds its certificates whole", async () => {
    const path = join(createFolder(), "ca.pem");
    const whole = one + other;
    for (let length = one.length + 8; length < whole.trimEnd().length; length += 7) {
      writeFileSync(path, whole.slice(0, length));
      expect([length, await faultOf(path)]).toMatchObject([length, { code: "configuration" }]);
    }
  });

  it("with a certificate of OpenSSL's own kind is refused: it would be passed over", async () => {
    expect(
      await faultOf(fileWith(one + other.replaceAll(" CERTIFICATE", " TRUSTED CERTIFICATE"))),
    ).toMatchObject({
      message: expect.stringContaining('a block of type "TRUSTED CERTIFICATE"'),
    });
  });

  it("that never ends, or is none, is not waited for", async () => {
    const folder = createFolder();
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const link = join(folder, "link");
    symlinkSync("/dev/zero", link);
    for (const path of [pipe, "/dev/zero", link, folder]) {
      expect(await faultOf(path)).toMatchObject({
        code: "configuration",
        message: expect.stringContaining("is not a regular file"),
      });
    }
    expect(await faultOf(fileWith("x".repeat(1024 * 1024 + 1)))).toMatchObject({
      message: expect.stringContaining("is larger than 1048576 bytes"),
    });
  });

  it("may be a link, as mounts have it", async () => {
    const link = join(createFolder(), "link");
    symlinkSync(fileWith(one), link);
    expect(await faultOf(link)).toBeUndefined();
  });

  it("that can't be read again changes nothing", async () => {
    const path = fileWith(one);
    const anchors = await openTrustAnchors({ caFile: path, caOnly: true });
    const before = anchors.context();
    writeFileSync(path, one + cut(other, 0.5));
    await expect(anchors.reload()).rejects.toMatchObject({ code: "configuration" });
    expect(anchors.context()).toBe(before);
    writeFileSync(path, one + other);
    await Promise.all([anchors.reload(), anchors.reload()]);
    await nextTurn();
    expect(anchors.context()).not.toBe(before);
  });
});
