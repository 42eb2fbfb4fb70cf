import { buildServers } from "./kube/build.ts";

/** Before the first test: two files of tests would otherwise build the same at the same time. */
export async function setup(): Promise<void> {
  await buildServers((line) => void process.stderr.write(`${line}\n`));
}
