/** `node test/cluster/prepare.ts`: has what `npm run test:cluster` runs where it is not there yet. Ten minutes of processor time, once. */
import { buildServers } from "./kube/build.ts";
import { fetchOperatorTypes } from "./kube/operator-types.ts";
import { fetchOpenBao } from "./vault/fetch.ts";

await fetchOpenBao();
await fetchOperatorTypes();
await buildServers((line) => void process.stderr.write(`${line}\n`));
