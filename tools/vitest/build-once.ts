import { execFileSync } from "node:child_process";

/** The e2e tests run the built program: it is built once, before the first of them. */
export function setup(): void {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "inherit", "inherit"] });
}
