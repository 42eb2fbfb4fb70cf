#!/usr/bin/env node
// An old Node must be able to read this file and say what is wrong, instead of dying in a
// dependency: no static imports, and no syntax that Node 12 does not know.
const oldestNode = 24;

if (Number(process.versions.node.split(".")[0]) < oldestNode) {
  process.stderr.write(
    `presto-sidecar: this is Node.js ${process.versions.node}, and ${oldestNode} or newer is needed: install a newer one, or put it first in PATH (in a clone node_modules/.bin has one).\n`,
  );
  process.exitCode = 1;
} else {
  // A diagnostic report would hold the whole environment, and the token with it.
  process.report.excludeEnv = true;
  // Node opens its inspector on SIGUSR1 unless somebody listens for that signal.
  process.on("SIGUSR1", () => {});
  void import("./cli/run.ts").then(({ runProcess }) => runProcess(process));
}
