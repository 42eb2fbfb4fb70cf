import { execFileSync } from "node:child_process";

/**
 * The e2e tests run the built program: it is built once, before the first of them. Where several runs of tests go
 * side by side, as in CI, it was built before all of them (`ALREADY_BUILT`): none may take it from under another.
 */
export function setup(): void {
  if (process.env["ALREADY_BUILT"] !== undefined) return;
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "inherit", "inherit"] });
}
