import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const program = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);

/** Is there a Chromium that can be run without a screen? */
export const hasBrowser = program !== undefined;

export interface Shown {
  /** The page as it stands after a while, written as HTML. */
  readonly page: string;
  /** What the browser has to complain of: scripts that fail, and what a policy has refused. */
  readonly complaints: readonly string[];
}

/**
 * Shows a page in a headless Chromium of its own, and lets its timers run.
 * @param ms how long it is looked at, of the page's own time
 */
export async function showPage(url: string, ms: number): Promise<Shown> {
  const folder = mkdtempSync(join(tmpdir(), "browser-"));
  try {
    const browser = spawn(
      program ?? "",
      [
        "--headless",
        // Root has no sandbox of Chromium's; the page is our own.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-extensions",
        `--user-data-dir=${folder}`,
        "--enable-logging=stderr",
        `--virtual-time-budget=${ms}`,
        "--dump-dom",
        url,
      ],
      { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 },
    );
    const chunks = { page: "", errors: "" };
    browser.stdout.on("data", (chunk: Buffer) => void (chunks.page += chunk.toString("utf8")));
    browser.stderr.on("data", (chunk: Buffer) => void (chunks.errors += chunk.toString("utf8")));
    await new Promise((resolve) => {
      browser.once("close", resolve);
    });
    const complaints = chunks.errors.split("\n").filter((line) => line.includes("CONSOLE"));
    return { page: chunks.page, complaints };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
