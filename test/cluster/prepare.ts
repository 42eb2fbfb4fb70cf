/**
 * `node test/cluster/prepare.ts`: has what `npm run test:cluster` runs where it is not there yet, in the order in which
 * tests wait for it. Some twenty minutes of processor time, once.
 */
import { buildAll } from "./kube/build.ts";
import { fetchOperatorTypes } from "./kube/operator-types.ts";
import { fetchOpenBao } from "./vault/fetch.ts";

await fetchOpenBao();
await fetchOperatorTypes();
await buildAll();
