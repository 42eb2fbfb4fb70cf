import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, describe, expect, it } from "vitest";

import { freePorts } from "../support/free-ports.ts";
import { openPageShell, type PageShell } from "../support/page-shell.ts";
import { openRunbookStage } from "../support/runbook-stage.ts";

// The commands of README and pages, run as they stand there (which blocks: test/support/page-shell.ts).

const root = fileURLToPath(new URL("../..", import.meta.url));

let folder: string | undefined;
let shell: PageShell | undefined;
afterEach(async () => {
  await shell?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  folder = shell = undefined;
});

describe("README", () => {
  it("holds what it says, from the sandbox to a sidecar that looks after its token", async () => {
    folder = mkdtempSync(join(tmpdir(), "readme-"));
    const [api = 0, control = 0, proxy = 0, admin = 0, verbs = 0] = await freePorts(5);
    shell = openPageShell({
      folder,
      cwd: root,
      env: {
        PATH: `${join(root, "node_modules", ".bin")}:${process.env["PATH"]}`,
        HOME: folder,
        // Beside the other tests the usual ports may be taken.
        PRESTO_LISTEN: `127.0.0.1:${proxy}`,
        PRESTO_ADMIN_LISTEN: `127.0.0.1:${admin}`,
        PRESTO_CONTROL_LISTEN: `127.0.0.1:${verbs}`,
      },
      instead: [
        ["9443", `${api}`],
        ["9444", `${control}`],
        ["/tmp/presto-sandbox", join(folder, "sandbox")],
        ["127.0.0.1:7380", `127.0.0.1:${proxy}`],
      ],
      stdin: { account: '{"email":"fi@sandbox.example","password":"Sandbox-Passw0rd!"}' },
    });
    await shell.walk(join(root, "README.md"));
  });
});

// Each has a Presto, a store and ports of its own, and mostly waits.
describe("runbooks and pages", () => {
  const pages = [
    ...globSync("docs/runbooks/*.md", { cwd: root }).toSorted(),
    "docs/one-host.md",
    "docs/audit.md",
    "docs/sandbox.md",
  ];

  it.concurrent.each(pages)(
    "%s",
    async (page) => {
      const stage = await openRunbookStage(page.startsWith("docs/runbooks/") ? "fleet" : "host");
      try {
        await stage.walk(join(root, page));
      } finally {
        await stage.close();
      }
    },
    120_000,
  );
});

describe("a page that is not as it says is found", () => {
  it.each([
    ["a command that fails", "```sh run\nfalse\necho on\n```\n", "it ended with 1, not with 0"],
    ["one that does not", "```sh run exit=1\ntrue\n```\n", "it ended with 0, not with 1"],
    [
      "another output",
      "```sh run\necho one; echo two\n```\n```text shows\ntwo\none\n```\n",
      "it does not show this",
    ],
    ["nothing to run", "```sh\nfalse\n```\n", "nothing that can be run"],
  ])("%s", async (_name, text, wrong) => {
    folder = mkdtempSync(join(tmpdir(), "page-"));
    const page = join(folder, "page.md");
    writeFileSync(page, text);
    shell = openPageShell({ folder, cwd: folder, env: { PATH: process.env["PATH"] } });
    await expect(shell.walk(page)).rejects.toThrow(wrong);
  });

  it("and one that is so is not", async () => {
    folder = mkdtempSync(join(tmpdir(), "page-"));
    const page = join(folder, "page.md");
    const text = [
      '   ```sh run until="up"',
      "   echo up; exec sleep 60",
      "   ```",
      "<!-- sh run",
      "export SAID='a   b'",
      "-->",
      "```sh run stdin=text",
      'cat; echo "$SAID"; echo other',
      "```",
      "```text shows",
      "he…o",
      "…",
      "other",
      "```",
      "```sh run again",
      "echo x >> looks; wc -l < looks",
      "```",
      "```text shows",
      "3",
      "```",
    ];
    writeFileSync(page, text.join("\n"));
    shell = openPageShell({
      folder,
      cwd: folder,
      env: { PATH: process.env["PATH"] },
      stdin: { text: "hello\n" },
    });
    await shell.walk(page);
  });
});
