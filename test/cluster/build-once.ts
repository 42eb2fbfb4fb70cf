import { execFileSync } from "node:child_process";

import { buildServers } from "./kube/build.ts";

/** Before the first test: two files of tests would otherwise build, or fetch, the same at the same time. */
export async function setup(): Promise<void> {
  await buildServers();
  addKubeTools();
}

/** helm and kubectl, into the PATH of the tests. Where they can't be had, tests that need them say so. */
function addKubeTools(): void {
  try {
    const folder = execFileSync("tools/ci/kube-tools.sh", { encoding: "utf8" }).trim();
    process.env["PATH"] = `${folder}:${process.env["PATH"]}`;
  } catch {
    // What it lacks it has said itself.
  }
}
